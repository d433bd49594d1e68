"""A process that is killed, without one: what it had to do next is never done."""


class Killed(BaseException):
    """Raised where SIGKILL comes: no ``except Exception`` of what is tested hears it."""
