"""Files and folders that are either whole or not there."""

import contextlib
import errno
import os
import pathlib
import shutil


def disk_is_full(error):
    """Whether an exception, Python's or TensorFlow's, says that no space is left."""
    return getattr(error, "errno", None) == errno.ENOSPC or "No space left on device" in str(error)


class OutputError(ValueError):
    """Why nothing can be written under a name, in words for the person who gave it."""


def check_output(path, flag="--out"):
    """Refuses a name under which no file can be written, before any work is done.

    Args:
      path: of the file, as it was given.
      flag: that gave it, for the error.

    Raises:
      OutputError: no name of a file, an existing folder, or a place where nothing can be made.
    """
    text, path = str(path), pathlib.Path(path)
    if path.is_dir():
        raise OutputError(f"{flag}={text}: is a folder; give the name of a file, for instance in it.")
    if not path.name or text.endswith(("/", os.sep)):
        raise OutputError(f"{flag}={text}: gives no name of a file.")
    above = next((p for p in path.absolute().parents if p.exists()), None)
    if above is None or not above.is_dir():
        raise OutputError(f"{flag}={text}: {above} is a file, no folder.")
    if not os.access(above, os.W_OK | os.X_OK):
        raise OutputError(f"{flag}={text}: {above} cannot be written to.")


@contextlib.contextmanager
def whole_or_not(path):
    """Yields where to write a file or a folder instead; it takes its name when all went well.

    What had the name is replaced, and is back when the replacement fails; what was written aside then goes. A file never
    replaces a folder, which may be all that somebody has: that raises OutputError. The names
    in between begin with a dot and end as path does, since libraries read the format there; they are no numbers, so
    that TF Serving picks up neither a half-written version nor one half deleted.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside, old = (path.with_name(f".{kind}.{os.getpid()}.{path.name}") for kind in ("part", "old"))
    try:
        yield aside
        if path.is_dir() and not aside.is_dir():
            raise OutputError(f"{path}: is a folder; it is left as it is.")
        if path.is_dir():  # a folder cannot be renamed onto one that holds anything
            os.replace(path, old)
        try:
            os.replace(aside, path)
        except BaseException:
            if old.exists():
                os.replace(old, path)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        if aside.is_dir():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            aside.unlink(missing_ok=True)


def write_atomically(path, data):
    """Writes text or bytes aside, syncs, and renames into place."""
    with whole_or_not(path) as aside, open(aside, "wb") as f:
        f.write(data.encode() if isinstance(data, str) else data)
        f.flush()
        os.fsync(f.fileno())
