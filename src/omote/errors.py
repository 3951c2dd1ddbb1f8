"""The error for people: the command line prints its message without a traceback."""


class OmoteError(ValueError):
    """Raised for a user's mistake or damaged input.

    The message says what was given, what was expected and what to do.
    """
