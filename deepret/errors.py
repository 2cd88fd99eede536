"""The one exception that is meant for people."""


class UserError(Exception):
    """A mistake that the user can mend: the message says what, where and how to mend it.

    The programs print the message without a traceback and end with exit code 2.
    """
