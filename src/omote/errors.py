"""The one error that is meant for people: the command line prints its message and no traceback."""


class OmoteError(ValueError):
    """Raised for a user's mistake or a damaged input.

    The message says what was given, what was expected and what to do.
    """
