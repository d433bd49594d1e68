"""Files that are either whole or not there."""

import errno
import os
import pathlib


def disk_is_full(error):
    """Whether an exception, Python's or TensorFlow's, says that no space is left."""
    return getattr(error, "errno", None) == errno.ENOSPC or "No space left on device" in str(error)


def write_atomically(path, data):
    """Writes text or bytes aside, syncs, and renames into place."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(aside, "wb") as f:
            f.write(data.encode() if isinstance(data, str) else data)
            f.flush()
            os.fsync(f.fileno())
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
