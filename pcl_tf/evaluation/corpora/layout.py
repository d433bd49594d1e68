"""What readers of corpora share: files that must exist, errors that name the first that does not."""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from pcl_tf.data.files import SUFFIXES, Unreadable, files_below
from pcl_tf.data.images import centre, decode
from pcl_tf.data.listed import Files
from pcl_tf.data.sources import Items, Source, fingerprint
from pcl_tf.errors import Refused


def need(root: str | pathlib.Path, *paths: str) -> pathlib.Path:
    """The first of these paths below root that exists.

    Raises:
      Refused: none does.
    """
    for path in paths:
        if (pathlib.Path(root) / path).exists():
            return pathlib.Path(root) / path
    raise Refused(
        f"{pathlib.Path(root) / paths[0]} is missing" + (f" (or {', '.join(paths[1:])})." if paths[1:] else ".")
    )


def need_image(files: Files, path: str, listed_in: str | pathlib.Path) -> str:
    """The path itself.

    Raises:
      Refused: there is no such image.
    """
    if path not in files:
        raise Refused(
            f"{files.root / path} is missing, but {listed_in} lists it: is the corpus unpacked whole?{files.remark}"
        )
    return path


def class_images(folder: pathlib.Path) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """Images below the folders of classes, linked ones too.

    Args:
      folder: holds ``CLASS/*``, or deeper.

    Returns:
      (list of (path relative to folder, class), notes: what lies beside the folders of classes and is left out).

    Raises:
      Refused: a folder in it cannot be listed.
    """
    found = [p.relative_to(folder) for p in files_below(folder)]
    loose = [str(p) for p in found if len(p.parts) == 1]
    note = f"{folder}: {len(loose)} images lie in no folder of a class and are left out: {some(loose)}."
    return [(str(p), p.parts[0]) for p in found if len(p.parts) > 1], (note,) if loose else ()


def class_tree(root: pathlib.Path, split: str) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """Images of ``root/split/CLASS/*``, as ``class_images``; paths are relative to root.

    Raises:
      Refused: no such folder, or no image in it.
    """
    folder = need(root, split)
    found, notes = class_images(folder)
    if not found:
        raise Refused(f"{folder} holds no CLASS/image ({', '.join(SUFFIXES)}).")
    return [(f"{split}/{path}", name) for path, name in found], notes


def some(entries: Sequence[object], most: int = 5) -> str:
    """The first of what was left out, for a sentence: 'a, b and 7 more'."""
    more = len(entries) - most
    return ", ".join(map(str, entries[:most])) + (f" and {more} more" if more > 0 else "")


def centred(source: Source, share: float) -> Source:
    """``Source`` of the central squares of its pictures; share of the shorter side, in (0, 1]."""

    def items() -> Items:
        for name, data in source.items():
            try:
                if isinstance(data, bytes):
                    data = decode(data)
                yield name, centre(data, share) if isinstance(data, np.ndarray) else data
            except Unreadable as error:
                yield name, error

    return dataclasses.replace(source, fingerprint=fingerprint([(source.fingerprint, "centre", share)]), items=items)
