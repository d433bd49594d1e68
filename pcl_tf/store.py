"""Files and folders that are whole and on the disk or not there, and one writer at a time."""

import contextlib
import ctypes
import errno
import hashlib
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from filelock import FileLock, Timeout

from pcl_tf.errors import Refused

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_FULL = ("No space left on device", "Disk quota exceeded", "File too large")
_ASIDE = ".part."  # begins the folders in which files are written aside; no number, so TF Serving passes over them


def disk_is_full(error: BaseException) -> bool:
    """Whether an exception, Python's or TensorFlow's, says that no space is left: on the disk, of a quota or of a file."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or any(
        words in str(error) for words in _FULL
    )


def digest(*parts: object) -> str:
    """16 hexadecimal digits of the SHA-256 of some parts: bytes as they are, anything else as its text."""
    whole = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode(errors="surrogateescape")
        whole.update(len(data).to_bytes(8, "little") + data)
    return whole.hexdigest()[:16]


def read_json(path: str | pathlib.Path) -> dict[str, Any]:
    """The dict that a file holds; {} if there is none that can be read."""
    try:
        found = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def list_unreadable(path: pathlib.Path, unreadable: Mapping[str, str]) -> None:
    """Names unreadable files and why, a line each; where there are none, an earlier call's list goes."""
    if unreadable:
        write_atomically(path, "".join(f"{name}\t{why}\n" for name, why in unreadable.items()))
    else:
        path.unlink(missing_ok=True)


def several(text: str) -> list[str]:
    """Texts joined by commas. Files and folders that exist may have commas in their names, after 'NAME:' too."""
    parts, found = text.split(","), []
    while parts:
        joined = (",".join(parts[:count]) for count in range(len(parts), 1, -1))
        exists = (one for one in joined if os.path.exists(one) or os.path.exists(one.partition(":")[2]))
        found.append(next(exists, parts[0]))
        del parts[: found[-1].count(",") + 1]
    return [one.strip() for one in found]


def check(
    path: str | pathlib.Path,
    flag: str = "--out",
    *,
    suffix: str | tuple[str, ...] = "",
    folder: bool = False,
    inputs: Iterable[str | pathlib.Path] = (),
    beside: Iterable[str | pathlib.Path] = (),
    replaces: Callable[[pathlib.Path], bool] | None = None,
) -> None:
    """Refuses an output that could not be written, or only over somebody's files, before any work is done for it.

    Args:
      path, flag: of the file or folder, which need not exist, and the flag that gave it, for the error.
      suffix: that the name of a file must have, or several of which it has one.
      folder: whether a folder is written, and no file.
      inputs: files and folders that are read; a file among them, or in one, is not written over.
      beside: files that are written together with path: if path does not exist they are somebody else's.
      replaces: as of ``atomic_path``, where a folder is written whole and nothing of what has its name stays.
    """
    given, place = f"{flag}={ascii(str(path))[1:-1]}", pathlib.Path(path)
    suffixes = suffix if isinstance(suffix, str) else ", ".join(suffix)
    if not str(path) or "\0" in str(path):
        raise Refused(f"{given}: is no name.")
    here, exists, is_file = place.resolve(), place.exists(), place.is_file()
    read = {pathlib.Path(i).resolve() for i in inputs if os.path.exists(i)}
    theirs = next((str(other) for other in beside if os.path.lexists(other)), None)
    is_folder = place.is_dir() or not place.name or str(path).endswith("/")
    for wrong, why in (
        (not folder and is_folder, "is a folder; give the name of a file, for instance in it"),
        (not folder and not place.name.lower().endswith(suffix), f"the name must end in {suffixes}"),
        (not folder and exists and not is_file, "is a device or a pipe; give the name of a file"),
        # A rename over it would not ask.
        (is_file and not place.stat().st_mode & 0o222, "is write-protected; give another name, or chmod u+w it"),
        (exists and read & {here, *here.parents}, "is one of the images that are read; give another name"),
        (exists and replaces and not replaces(place), "exists and is of another kind; move it, or give another folder"),
        (not exists and theirs, f"{theirs} exists and would be written over; move it, or give another place"),
    ):
        if wrong:
            raise Refused(f"{given}: {why}.")
    above = next(p for p in (here if folder else here.parent, *here.parents) if p.exists())
    try:
        if above.is_dir() and len(os.fsencode(place.name)) > os.pathconf(above, "PC_NAME_MAX"):
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        with tempfile.TemporaryFile(dir=above):  # permissions alone say too little
            pass
    except OSError as error:
        raise Refused(f"{given}: {above} cannot be written to ({error.strerror}); give a place that can.") from error


@contextlib.contextmanager
def atomic_path(
    path: str | pathlib.Path, *, replaces: Callable[[pathlib.Path], bool] = lambda _: False
) -> Iterator[pathlib.Path]:
    """Yields where to write a file or a folder instead; it takes its name when all went well and is on the disk.

    What had the name is replaced in one step and keeps its mode; it stays if anything fails. If path is a link, what it
    points to is replaced. What killed processes left aside in the folder is removed.

    Raises:
      Refused: a folder, which may be all that somebody has, has the name, and ``replaces`` does not say that it may go.
    """
    path = pathlib.Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f"{_ASIDE}*"):
        with contextlib.suppress(OSError), _held(left):
            if not any(left.iterdir()) and time.time() - left.stat().st_mtime < 60:
                continue  # of a process that is just about to hold it
            for old in left.glob("old.*"):  # killed between the two renames of ``_exchange``: nothing has the name
                if not os.path.lexists(named := path.parent / old.name.removeprefix("old.")):
                    os.replace(old, named)
            shutil.rmtree(left, ignore_errors=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix=_ASIDE, dir=path.parent))
    try:
        with _held(folder, surely=False):
            aside = folder / path.name
            yield aside
            if path.is_dir() and not (aside.is_dir() and replaces(path)):
                raise Refused(f"{path}: is a folder; it is left as it is.")
            if path.exists():
                shutil.copymode(path, aside)
            sync(aside)
            _exchange(aside, path) if path.is_dir() else os.replace(aside, path)
            _sync_one(path.parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _held(folder: pathlib.Path, *, surely: bool = True) -> Iterator[None]:
    """Within, the folder is this process's, also if it is killed.

    Args:
      folder: of ``atomic_path``.
      surely: whether OSError is raised if it is another's, or if the file system has no locks, which could tell.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.nullcontext() if surely else contextlib.suppress(OSError):
            if fcntl:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _exchange(new: pathlib.Path, old: pathlib.Path) -> None:
    """Swaps the names of two folders, in one step where the system can, so that one of them always has the name."""
    try:
        done = ctypes.CDLL(None).renameat2(-100, os.fsencode(new), -100, os.fsencode(old), 2) == 0
    except (AttributeError, TypeError, OSError):  # not Linux
        done = False
    if not done:
        aside = new.with_name(f"old.{new.name}")
        os.replace(old, aside)
        try:
            os.replace(new, old)
        except BaseException:
            os.replace(aside, old)
            raise


def versions(folder: str | pathlib.Path) -> list[int]:
    """Numbers of the versions in a folder of exports, rising; none if there is no such folder."""
    found = pathlib.Path(folder).glob("*")
    return sorted(int(p.name) for p in found if p.name.isdecimal() and p.is_dir())


def remove(folder: pathlib.Path) -> None:
    """Deletes a folder, which loses its name first: if the process is killed meanwhile, no half of it has the name."""
    aside = tempfile.mkdtemp(prefix=_ASIDE, dir=folder.parent)  # which the next ``atomic_path`` there removes too
    os.replace(folder, aside)
    shutil.rmtree(aside, ignore_errors=True)


def sync(path: pathlib.Path) -> None:
    """Brings a file, or a folder and all below it, to the disk, so that it outlasts a power cut."""
    for inner in [*path.rglob("*"), path] if path.is_dir() else [path]:
        _sync_one(inner)


def _sync_one(path: pathlib.Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: str | pathlib.Path, data: str | bytes) -> None:
    """Writes text (as UTF-8) or bytes by ``atomic_path``."""
    with atomic_path(path) as aside:
        aside.write_bytes(data.encode() if isinstance(data, str) else data)


@contextlib.contextmanager
def alone(lock: str | pathlib.Path, busy: str | Exception) -> Iterator[None]:
    """Within, no other process holds a lock, a file. A killed one leaves it free; file systems without locks have none.

    busy: if another process holds it, a text is printed, and that process waited for; an exception is raised.
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
