"""What madem raises when something is wrong, and the checks that several layers share."""


class MademError(Exception):
    """A failure that madem foresaw; its text says what, where, and how to mend it."""


class InputError(MademError, ValueError):
    """What the caller gave cannot be used: a file, an option, a shape, a unit or a range."""


class NotConvergedError(MademError):
    """An iteration reached its limit before its tolerance."""
