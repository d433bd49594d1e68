"""A process that is killed, without one: what it had to do next is never done."""

import contextlib
import os
import sys
from unittest import mock


class Killed(BaseException):
    """Raised where SIGKILL comes: no ``except Exception`` of what is tested hears it."""


# What Python tells of an operation: the place of its path, and of the descriptor of the folder that it is relative to.
_HEARD = {
    "open": (0, None),
    "os.rename": (0, 2),
    "os.remove": (0, 1),
    "os.rmdir": (0, 1),
    "os.mkdir": (0, 2),
    "os.chmod": (0, 2),
    "os.truncate": (0, None),
}
_counting = []  # the innermost ``killed_at`` is the last


class Operations:
    """File operations below a folder: one more than ``last`` and all after it raise ``Killed``.

    Attributes:
      done: a line each.
    """

    def __init__(self, folder, last):
        self.folder, self.last, self.done = str(folder), last, []

    def add(self, what, path, within=-1):
        path = os.readlink(f"/proc/self/fd/{path}") if isinstance(path, int) else os.fsdecode(path)
        if within >= 0:
            path = os.path.join(os.readlink(f"/proc/self/fd/{within}"), path)
        if path.startswith(self.folder):
            if len(self.done) == self.last:
                raise Killed
            self.done.append(f"{what} {path}")


def _heard(event, args):
    if not _counting or event not in _HEARD:
        return
    at, within = _HEARD[event]
    if event != "open" or isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        _counting[-1].add(event, args[at], args[within] if within else -1)


sys.addaudithook(_heard)  # for good: Python takes none back


@contextlib.contextmanager
def killed_at(folder, last=None):
    """Within, a process is killed after so many file operations below a folder; by default never.

    Operations are Python's, not those of TensorFlow's own code: opening for writing, renaming, removing, making a folder,
    truncating, changing a mode, and fsync.

    Yields:
      Operations.
    """
    fsync, counted = os.fsync, Operations(folder, last)

    def noted(descriptor):
        counted.add("fsync", descriptor)
        fsync(descriptor)

    with mock.patch("os.fsync", noted):
        _counting.append(counted)
        try:
            yield counted
        finally:
            _counting.pop()
