"""What readers of corpora share: files that must exist, errors that name the first that does not, classes in a split."""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from pcl_tf.data.files import SUFFIXES, Unreadable, files_below, some
from pcl_tf.data.images import centre, decode
from pcl_tf.data.listed import Files
from pcl_tf.data.sources import Items, Source, fingerprint
from pcl_tf.errors import Refused
from pcl_tf.evaluation.task import Task


def need(root: str | pathlib.Path, *paths: str) -> pathlib.Path:
    """The first of these paths below root that exists. Raises Refused: none does."""
    for path in paths:
        if (pathlib.Path(root) / path).exists():
            return pathlib.Path(root) / path
    others = f" (or {', '.join(paths[1:])})" if paths[1:] else ""
    raise Refused(f"{pathlib.Path(root) / paths[0]} is missing{others}.")


def class_images(folder: pathlib.Path) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """Images in ``CLASS/*`` or deeper below a folder: (path relative to it, class); and notes on others, which are left out.

    Raises:
      Refused: a folder in it cannot be listed.
    """
    found = [p.relative_to(folder) for p in files_below(folder)]
    loose = [str(p) for p in found if len(p.parts) == 1]
    note = f"{folder}: {len(loose)} images lie in no folder of a class and are left out: {some(loose)}."
    return [(str(p), p.parts[0]) for p in found if len(p.parts) > 1], (note,) if loose else ()


def split_task(
    name: str, rows: Sequence[tuple[str, str]], image_size: int, *, source: Source, notes: Sequence[str] = ()
) -> Task:
    """A classification of images of a source; rows: (class, 'train' or 'test') of each, in its order."""
    classes, split = (np.array(column) for column in zip(*rows, strict=True))
    names, labels = np.unique(classes, return_inverse=True)
    splits = ((np.flatnonzero(split == "train"), np.flatnonzero(split == "test")),)
    return Task(name, "classification", source, image_size, tuple(names.tolist()), labels, splits, notes=tuple(notes))


def tree_task(name: str, root: pathlib.Path, image_size: int) -> Task:
    """Task of ``train/CLASS/*`` and ``test/CLASS/*``.

    Raises:
      Refused: one of the two folders is missing, or holds no image.
    """
    paths: list[str] = []
    rows: list[tuple[str, str]] = []
    notes: list[str] = []
    for split in ("train", "test"):
        found, left_out = class_images(need(root, split))
        if not found:
            raise Refused(f"{root / split} holds no CLASS/image ({', '.join(SUFFIXES)}).")
        paths += [f"{split}/{path}" for path, _ in found]
        rows += [(label, split) for _, label in found]
        notes += left_out
    return split_task(name, rows, image_size, source=Files(root).source(paths), notes=notes)


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
