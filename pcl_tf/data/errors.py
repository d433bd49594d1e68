"""What can be wrong with data."""


class DataError(ValueError):
    """What is wrong with the data, in words for the person who gave it."""


class Broken(ValueError):
    """A file that cannot be used, in a line."""
