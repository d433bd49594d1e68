"""Image files: how they are found below a folder, named, and read, also out of zips and by several threads."""

import collections
import lzma
import os
import pathlib
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from pcl_tf.errors import Refused

T = TypeVar("T")
R = TypeVar("R")
SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")
VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg")
MAX_BYTES = 2**28  # of one file; photographs have a tenth of it
# What machines leave beside pictures: macOS in archives, a Synology in shared folders.
_OF_MACHINES = ("__MACOSX", "@eaDir")
# Damaged, cut short, encrypted (RuntimeError), packed by an unknown method (NotImplementedError, one of these).
_ERRORS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, RuntimeError, ValueError)


class Unreadable(ValueError):
    """An image or a file that cannot be used: the reason, in a line."""


def is_left_out(path: str | pathlib.PurePath) -> bool:
    """Whether a part of a path, relative to what was given, is hidden, as '._face.jpg', or written by a machine."""
    parts = (part for part in str(path).split("/") if part not in (".", ".."))
    return any(part.startswith(".") or part in _OF_MACHINES for part in parts)


def is_image(path: str | pathlib.PurePath) -> bool:
    """Whether a path is a picture by its name: str or pathlib path, relative to the folder or zip that was given."""
    return str(path).lower().endswith(SUFFIXES) and not is_left_out(path)


def others(names: Iterable[str | pathlib.PurePath], wanted: str | tuple[str, ...] = SUFFIXES) -> str:
    """Counts names that do not have the wanted endings, as '7 .heic, 1 .txt'; '' for none."""
    endings = (os.path.splitext(str(n))[1].lower() or "without" for n in names if not str(n).lower().endswith(wanted))
    return ", ".join(f"{count} {printable(ending)}" for ending, count in collections.Counter(endings).most_common(8))


def some(entries: Sequence[object], most: int = 5) -> str:
    """The first of some things, for a sentence: 'a, b and 7 more'."""
    more = len(entries) - most
    return ", ".join(map(str, entries[:most])) + (f" and {more} more" if more > 0 else "")


def one_sign(text: str) -> str:
    """A text in which every accented letter is one character: macOS writes names with two, Linux as they were given."""
    return unicodedata.normalize("NFC", text)


def printable(name: str | pathlib.PurePath) -> str:
    r"""A name of a file that can be printed: bytes that are no UTF-8, tabs and line ends are escaped, as \xe9."""
    text = str(name).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def walk(root: str | pathlib.Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """``os.walk`` that follows linked folders but no loop of them. Links to nothing are files.

    Raises:
      Refused: a folder cannot be listed.
    """

    def refuse(error: OSError) -> None:
        raise Refused(f"{printable(error.filename)}: cannot be listed ({error.strerror}).") from error

    for folder, inner, names in os.walk(root, onerror=refuse, followlinks=True):
        here = pathlib.Path(folder)
        above = {os.path.realpath(p) for p in (here, *here.parents) if p.is_relative_to(root)}
        inner[:] = [n for n in inner if os.path.realpath(os.path.join(folder, n)) not in above]
        yield folder, inner, names


def files_below(root: str | pathlib.Path, wanted: Callable[[str], bool] = is_image) -> list[pathlib.Path]:
    """Sorted paths of the files below a folder, linked folders too, whose names are wanted and not ``is_left_out``.

    Raises:
      Refused: a folder cannot be listed.
    """
    found = []
    for folder, inner, names in walk(root):
        inner[:] = [n for n in inner if not is_left_out(n)]
        found += [pathlib.Path(folder, n) for n in names if not is_left_out(n) and wanted(n)]
    return sorted(found)


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise Unreadable(f"{size / 1e6:.0f} MB, and an image file may have {MAX_BYTES / 1e6:.0f} MB")


def size_of(path: str | pathlib.Path) -> int:
    """Bytes of a regular file; raises OSError, and Unreadable: a pipe would be waited for, a device has no end."""
    info = os.stat(path)
    if not stat.S_ISREG(info.st_mode):
        raise Unreadable("is no regular file")
    return info.st_size


def read_file(path: str | pathlib.Path) -> bytes | Unreadable:
    """The bytes of a regular file of at most MAX_BYTES, or ``Unreadable`` with the reason why not."""
    try:
        _check_size(size := size_of(path))
        with open(path, "rb") as f:
            return f.read(size)  # files in /proc declare nothing, and some of them never end
    except Unreadable as error:
        return error
    except OSError as error:
        return Unreadable(error.strerror or str(error))


def open_zip(path: str | pathlib.Path, given: str = "") -> zipfile.ZipFile:
    """``zipfile.ZipFile`` of a path; given: flag and text that gave it, for the error.

    Raises:
      Refused: not a readable zip.
    """
    try:
        return zipfile.ZipFile(path)
    except _ERRORS as error:
        raise Refused(f"{given or printable(path)}: not a readable zip ({error}).") from error


def members(path: str | pathlib.Path, given: str = "") -> list[zipfile.ZipInfo]:
    """[``zipfile.ZipInfo``] of the files in a zip. Arguments and errors as of ``open_zip``."""
    with open_zip(path, given) as z:
        infos = z.infolist()
    for info in infos:
        info.filename = info.filename.replace("\\", "/")  # as old programs of Windows write folders
    return [info for info in infos if not info.is_dir()]


def read_member(z: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes | Unreadable:
    """The bytes of a member that declares at most MAX_BYTES, or ``Unreadable`` with the reason why not."""
    try:
        _check_size(info.file_size)
        with z.open(info) as f:
            return f.read(info.file_size)  # of a member that holds more than it declares, no more is unpacked
    except Unreadable as error:
        return error
    except _ERRORS as error:
        return Unreadable(f"cannot be read from the zip ({error})")


def content(data: bytes | Unreadable) -> tuple[object, ...]:
    """Identifies the bytes of a file: their number and checksum, or why they cannot be read."""
    return (str(data),) if isinstance(data, Unreadable) else (len(data), zlib.crc32(data))


def in_order(function: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """``map`` by several threads, of items that the caller's thread reads, in their order.

    At most threads + 1 items are read before the first result is taken. An exception of the function is raised in its place.
    """
    ahead: collections.deque[Future[R]] = collections.deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                ahead.append(pool.submit(function, item))
                if len(ahead) > threads:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
