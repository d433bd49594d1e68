"""The bytes of one image, from a file or a member of a zip, or the reason why there are none."""

import lzma
import os
import pathlib
import stat
import struct
import zipfile
import zlib

from pcl_tf.data.tree import printable
from pcl_tf.errors import Refused

MAX_BYTES = 2**28  # of one file; photographs have a tenth of it
_PIECE = 2**16  # bytes of a member that are unpacked at once: a member may hold more than it declares
# Damaged, cut short, encrypted (RuntimeError), packed by an unknown method (NotImplementedError, one of these).
_ERRORS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, RuntimeError, ValueError)


class Unreadable(ValueError):
    """An image or a file that cannot be used: the reason, in a line."""


def _too_large(size: int) -> Unreadable:
    return Unreadable(f"{size / 1e6:.0f} MB, and an image file may have {MAX_BYTES / 1e6:.0f} MB")


def read_file(path: str | pathlib.Path) -> bytes | Unreadable:
    """The bytes of a regular file of at most MAX_BYTES, or ``Unreadable`` with the reason why not."""
    try:
        of = os.stat(path)
        if not stat.S_ISREG(of.st_mode):
            return Unreadable("no regular file")
        if of.st_size > MAX_BYTES:
            return _too_large(of.st_size)
        with open(path, "rb") as f:
            return f.read(of.st_size)  # no more: files of /proc declare nothing and may never end
    except OSError as error:
        return Unreadable(error.strerror or str(error))


def open_zip(path: str | pathlib.Path, given: str = "") -> zipfile.ZipFile:
    """``zipfile.ZipFile`` of a path.

    Args:
      path: of the file.
      given: flag and text that gave it, for the error; by default the path.

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
    if info.file_size > MAX_BYTES:
        return _too_large(info.file_size)
    try:
        with z.open(info) as f:
            return b"".join(iter(lambda: f.read(_PIECE), b""))
    except _ERRORS as error:
        return Unreadable(f"cannot be read from the zip ({error})")


def content(data: bytes | Unreadable) -> tuple[object, ...]:
    """What changes with the bytes of a file: their number and checksum, or why they cannot be read."""
    return (str(data),) if isinstance(data, Unreadable) else (len(data), zlib.crc32(data))
