"""The error for people: the command line prints its message without a traceback."""

LONGEST_MESSAGE = 2000  # characters; what a message quotes of a file may have millions


class OmoteError(ValueError):
    """Raised for a user's mistake or damaged input.

    The message says what was given, what was expected and what to do. It is one line, whatever it quotes.
    """

    def __init__(self, message: str) -> None:
        line = " ".join(message.splitlines())
        super().__init__(line if len(line) <= LONGEST_MESSAGE else f"{line[:LONGEST_MESSAGE]} ...")
