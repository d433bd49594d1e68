"""Zips of images: what is in them, and each member or the reason why not."""

import lzma
import pathlib
import struct
import zipfile
import zlib

from pcl_tf.data.errors import Broken
from pcl_tf.data.tree import printable
from pcl_tf.errors import Refused

# Damaged, cut short, encrypted (RuntimeError), packed by a method unknown here (NotImplementedError, one of these).
_ERRORS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, RuntimeError, ValueError)


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
        return [info for info in z.infolist() if not info.is_dir()]


def read_member(z: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes | Broken:
    """The bytes of a member, or ``Broken`` that says why there are none."""
    try:
        return z.read(info)
    except _ERRORS as error:
        return Broken(f"cannot be read from the zip ({error})")
