"""What can be wrong with one file of many."""


class Broken(ValueError):
    """A file that cannot be used, in a line."""
