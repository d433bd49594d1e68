"""Files and folders that are either whole or not there."""

import contextlib
import errno
import json
import os
import pathlib
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from filelock import FileLock, Timeout

from pcl_tf.errors import Refused


def disk_is_full(error: BaseException) -> bool:
    """Whether an exception, Python's or TensorFlow's, says that no space is left."""
    return getattr(error, "errno", None) == errno.ENOSPC or "No space left on device" in str(error)


# What is written aside has a name that is so much longer, the process among it.
_LONGEST = 255 - len(".part.4194304.")


def at_home(argument: str) -> str:
    """An argument of a command line, every path in it that begins with ~ written out.

    Shells do that for words that begin so, but not for --flag=~/faces or a,~/b.
    """
    flag, equals, value = argument.partition("=") if argument.startswith("-") else ("", "", argument)
    pattern = r"(?<![^,:=])~(?:(?=[/,]|$)|[\w.-]+(?=/))"
    return flag + equals + re.sub(pattern, lambda found: os.path.expanduser(found[0]), value)


def check_output(path: str | pathlib.Path, flag: str = "--out", suffix: str = "") -> None:
    """Refuses a name under which no file can be written, before any work is done.

    Args:
      path: of the file, as it was given.
      flag: that gave it, for the error.
      suffix: that the name must have, so that no file of another kind is written over.

    Raises:
      Refused: no name of a file, an existing folder or device, a file that is write-protected, or a place where
        nothing can be made.
    """
    text, path = str(path), pathlib.Path(path)
    if "\0" in text or len(os.fsencode(path.name)) > _LONGEST:
        raise Refused(f"{flag}={ascii(text[:40])}..: is too long, or holds a NUL.")
    if path.is_dir():
        raise Refused(f"{flag}={text}: is a folder; give the name of a file, for instance in it.")
    if not path.name or text.endswith(("/", os.sep)):
        raise Refused(f"{flag}={text}: gives no name of a file.")
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        raise Refused(f"{flag}={text}: is a device or a pipe; give the name of a file.")
    if path.exists() and not path.stat().st_mode & 0o222:  # a new file of the name would not ask it
        raise Refused(f"{flag}={text}: is write-protected; give another name, or allow it with chmod u+w.")
    if not path.name.lower().endswith(suffix):
        raise Refused(f"{flag}={text}: the name must end in {suffix}.")
    _check_place(path.parent, f"{flag}={text}")


def check_not_among(path: str | pathlib.Path, inputs: Iterable[str | pathlib.Path], flag: str = "--out") -> None:
    """Refuses a name under which a picture lies that is read: it would be written over.

    Args:
      path: of the file, as it was given.
      inputs: names of files and folders that are read; what is none, as 'generated', is passed over.
      flag: that gave the path, for the error.

    Raises:
      Refused: the file is there, and is one of them or lies in one.
    """
    if not os.path.exists(path):
        return
    here = pathlib.Path(path).resolve()
    for given in map(str, inputs):
        if os.path.exists(given) and {pathlib.Path(given).resolve()} & {here, *here.parents}:
            raise Refused(f"{flag}={path}: is one of the images that are read; give another name.")


def check_beside(path: str | pathlib.Path, others: Iterable[str | pathlib.Path], flag: str) -> None:
    """Refuses to write over files beside an output that were not made with it: they are there, and it is not.

    Args:
      path: of the output, which every earlier call left there too.
      others: paths of what is written beside it.
      flag: that gave the place, for the error.

    Raises:
      Refused: one of the others is somebody's.
    """
    theirs = [other for other in map(pathlib.Path, others) if os.path.lexists(other)]
    if theirs and not pathlib.Path(path).exists():
        raise Refused(f"{flag}: {theirs[0]} is there already and would be written over; move it, or give another.")


def check_folder(path: str | pathlib.Path, flag: str) -> None:
    """Refuses a name of a folder in which no file can be written, before any work is done.

    Args:
      path: of the folder, as it was given; it need not be there.
      flag: that gave it, for the error.

    Raises:
      Refused: no name of a folder, an existing file, or a place where nothing can be made.
    """
    text = str(path)
    if not text or "\0" in text:
        raise Refused(f"{flag}={ascii(text)}: gives no name of a folder.")
    _check_place(pathlib.Path(path), f"{flag}={text}")


def _check_place(folder: pathlib.Path, given: str) -> None:
    """Makes a file for a moment in a folder, or in the next above that is there: what may be asked of it says too little."""
    try:
        above = next((p for p in (folder.absolute(), *folder.absolute().parents) if p.exists()), None)
        if above is None or not above.is_dir():
            raise Refused(f"{given}: {above} is a file, no folder.")
        with tempfile.TemporaryFile(dir=above):
            pass
    except OSError as error:
        raise Refused(
            f"{given}: {above} cannot be written to ({error.strerror or error}); give a place that can."
        ) from error


def _never(folder: pathlib.Path) -> bool:
    return False


def sync(path: pathlib.Path) -> None:
    """Brings a file, or each file below a folder, to the disk, so that what is named afterwards outlasts a power cut."""
    for file in path.rglob("*") if path.is_dir() else [path]:
        if file.is_file():
            with open(file, "rb") as f:
                os.fsync(f.fileno())


@contextlib.contextmanager
def atomic_path(
    path: str | pathlib.Path, *, replaces: Callable[[pathlib.Path], bool] = _never
) -> Iterator[pathlib.Path]:
    """Yields where to write a file or a folder instead; it takes its name when all went well and is on the disk.

    What had the name is replaced, and is back when the replacement fails; what was written aside then goes. Where it is
    a link, what it points to is replaced. The names in between begin with a dot and end as path does, since libraries
    read the format there; they are no numbers, so that TF Serving picks up neither a half-written version nor one half
    deleted.

    Args:
      path: of the file or folder.
      replaces: whether a folder, which may be all that somebody has, may be replaced by another; by default none is.

    Raises:
      Refused: a folder has the name and is not to be replaced.
    """
    path = pathlib.Path(path)
    if path.is_symlink():
        path = pathlib.Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    aside, old = (path.with_name(f".{kind}.{os.getpid()}.{path.name}") for kind in ("part", "old"))
    try:
        yield aside
        sync(aside)
        if path.is_dir() and not (aside.is_dir() and replaces(path)):
            raise Refused(f"{path}: is a folder; it is left as it is.")
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


@contextlib.contextmanager
def alone(lock: str | pathlib.Path, busy: str | Exception) -> Iterator[None]:
    """Within, no other process holds a lock. A killed one leaves it free; file systems without locks have none.

    Args:
      lock: file of the lock; its folder is there.
      busy: where another process holds it: a text is printed, and that process waited for; an exception is raised.
    """
    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout:
        if isinstance(busy, Exception):
            raise busy from None
        print(busy, file=sys.stderr, flush=True)
        held.acquire()
    except NotImplementedError:
        pass
    try:
        yield
    finally:
        held.release()


def write_atomically(path: str | pathlib.Path, data: str | bytes) -> None:
    """Writes text or bytes aside, syncs, and renames into place."""
    with atomic_path(path) as aside:
        aside.write_bytes(data.encode() if isinstance(data, str) else data)


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """The dict that a file holds; {} where there is none that can be read."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
