"""What counts as an image file, how files are found below a folder, and how their names are written down."""

import collections
import os
import pathlib
import unicodedata
from collections.abc import Callable, Iterable, Iterator

from pcl_tf.errors import Refused

SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")
# What machines leave beside pictures: macOS in archives, a Synology in shared folders.
_OF_MACHINES = ("__MACOSX", "@eaDir")


def is_left_out(name: str) -> bool:
    """Whether a file or folder of this name is hidden, as '._face.jpg', or made by a machine for itself."""
    return name.startswith(".") or name in _OF_MACHINES


def lies_left_out(path: str | pathlib.PurePath) -> bool:
    """Whether ``is_left_out`` names a file or a folder it lies in: path relative to what was given."""
    return any(is_left_out(part) for part in str(path).split("/") if part not in ("", ".", ".."))


def is_image(path: str | pathlib.PurePath) -> bool:
    """Whether a path is a picture by its name: str or pathlib path, relative to the folder or zip that was given."""
    return str(path).lower().endswith(SUFFIXES) and not lies_left_out(path)


def others(names: Iterable[str | pathlib.PurePath], wanted: str | tuple[str, ...] = SUFFIXES) -> str:
    """What kinds of files there are beside those of wanted endings, as '7 .heic, 1 .txt', or '': iterable of names."""
    endings = (os.path.splitext(str(n))[1].lower() or "without" for n in names if not str(n).lower().endswith(wanted))
    return ", ".join(f"{count} {printable(ending)}" for ending, count in collections.Counter(endings).most_common(8))


def one_sign(text: str) -> str:
    """A text in which every accented letter is one sign: macOS writes names with two, Linux as they were given."""
    return unicodedata.normalize("NFC", text)


def printable(name: str | pathlib.PurePath) -> str:
    r"""A name of a file as text that can be written and printed: what is no UTF-8, and tabs and line ends, as \xe9."""
    text = str(name).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def walk(root: str | pathlib.Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """``os.walk`` that goes into linked folders, into none twice on one way down. Links to nothing are files.

    Raises:
      Refused: a folder cannot be listed.
    """

    def refuse(error: OSError) -> None:
        raise Refused(f"{printable(error.filename)}: cannot be listed ({error.strerror}).") from error

    for folder, inner, names in os.walk(root, onerror=refuse, followlinks=True):
        way = [p for p in (folder, *map(str, pathlib.Path(folder).parents)) if len(p) >= len(str(root))]
        above = {os.path.realpath(p) for p in way}
        inner[:] = [n for n in inner if os.path.realpath(os.path.join(folder, n)) not in above]
        yield folder, inner, names


def files_below(root: str | pathlib.Path, wanted: Callable[[str], bool] = is_image) -> list[pathlib.Path]:
    """Sorted pathlib paths of the files below a folder, linked folders too, that are wanted.

    Args:
      root: the folder. What ``is_left_out`` names below it is not looked at.
      wanted: function of a name.

    Raises:
      Refused: a folder cannot be listed.
    """
    found = []
    for folder, inner, names in walk(root):
        inner[:] = [n for n in inner if not is_left_out(n)]
        found += [pathlib.Path(folder, n) for n in names if not is_left_out(n) and wanted(n)]
    return sorted(found)
