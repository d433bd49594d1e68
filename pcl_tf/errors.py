"""What stops a command and is no fault of the program."""


class Refused(ValueError):
    """A flag, key, file or row that cannot be used: one line that names it and says what would do (exit code 2)."""


class Unreachable(RuntimeError):
    """Another machine, or a server, that does not answer."""


class Stopped(Exception):
    """Work that was asked to stop before its end; what it wrote is whole."""
