"""The app: omote in a browser, on this machine. Its pages collect input, call the public functions and show results."""
