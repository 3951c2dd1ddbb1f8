"""`python -m omote` is the command `omote`."""

from omote.cli.main import main

if __name__ == "__main__":
    main()
