"""LFW and CPLFW: pairs in ten folds (Table 2)."""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from pcl_tf.data.listed import Files
from pcl_tf.errors import Refused
from pcl_tf.evaluation.corpora.layout import need, need_image
from pcl_tf.evaluation.lists import read_lines
from pcl_tf.evaluation.task import Task


def _photos(root: pathlib.Path, files: Files, first: str, *folders: str) -> str:
    """What stands before the names of photographs: 'lfw/', or '' where they lie beside their list, on disk or zipped.

    Raises:
      Refused: none of the folders is there, nor the first photograph.
    """
    places = [*(f"{f}/" for f in folders), "", *(f"{f}/{f}/" for f in folders)]  # some archives hold a folder twice
    found = next((place for place in places if f"{place}{first}" in files), None)
    return f"{need(root, *folders).name}/" if found is None else found  # the first that is missing will be named


def _task(
    name: str, files: Files, rows: Sequence[tuple[int, str, str, int]], *, listed: pathlib.Path, image_size: int
) -> Task:
    """Task of rows (fold, path, path, same)."""
    index: dict[str, int] = {}
    pairs = [[index.setdefault(need_image(files, p, listed), len(index)) for p in row[1:3]] for row in rows]
    return Task(
        name=name,
        kind="verification",
        source=files.source(index),
        image_size=image_size,
        pairs=np.array(pairs),
        same=np.array([row[3] for row in rows], np.int64),
        folds=np.array([row[0] for row in rows]),
    )


def lfw(root: pathlib.Path, image_size: int) -> Task:
    """``pairs.txt`` and the photos as ``lfw-deepfunneled/NAME/NAME_0001.jpg`` (or lfw_funneled, lfw, or NAME/.. itself)."""
    listed, files = need(root, "pairs.txt"), Files(root)
    (line, head), *lines = [(number, text.split()) for number, text in read_lines(listed)]
    if len(head) != 2 or not all(x.isascii() and x.isdecimal() and int(x) for x in head):
        raise Refused(
            f"{listed}, line {line}: '{' '.join(head)}' is not the number of folds and of pairs, such as 10 300."
        )
    folds, each = map(int, head)
    if len(lines) != folds * each * 2:
        raise Refused(f"{listed}: {len(lines)} pairs, but its first line promises {folds * each * 2}.")

    def photo(person: str, number: str) -> str:
        return f"{person}/{person}_{int(number):04d}.jpg"

    a: Any
    rows = []
    for i, (line, parts) in enumerate(lines):
        try:
            if len(parts) == 3:
                a, b = photo(parts[0], parts[1]), photo(parts[0], parts[2])
            else:
                (*a, c, d) = parts
                a, b = photo(*a), photo(c, d)
        except (ValueError, TypeError) as error:
            raise Refused(
                f"{listed}, line {line}: '{' '.join(parts)}' is neither 'NAME 1 2' nor 'NAME 1 OTHER 2'."
            ) from error
        rows.append((i // (2 * each), a, b, int(len(parts) == 3)))
    photos = _photos(root, files, rows[0][1], "lfw-deepfunneled", "lfw_funneled", "lfw")
    rows = [(fold, photos + a, photos + b, same) for fold, a, b, same in rows]
    return _task("lfw", files, rows, listed=listed, image_size=image_size)


def cplfw(root: pathlib.Path, image_size: int) -> Task:
    """``pairs_CPLFW.txt``, two lines ``photo.jpg 1|0`` for a pair, and ``aligned images`` (or images)."""
    listed, files = need(root, "pairs_CPLFW.txt"), Files(root)
    lines = [(number, text.split()) for number, text in read_lines(listed)]
    for number, parts in lines:
        if len(parts) < 2 or parts[1] not in ("0", "1"):
            raise Refused(f"{listed}, line {number}: '{' '.join(parts)}' is not 'photo.jpg 1' or 'photo.jpg 0'.")
    if len(lines) % 2 or len(lines) < 20:
        raise Refused(f"{listed}: {len(lines)} lines; two for each of at least ten pairs are needed.")
    photos = _photos(root, files, lines[0][1][0], "aligned images", "images")
    rows, count = [], len(lines) // 2
    for i in range(count):
        (number, (a, same, *_)), (_, (b, again, *_)) = lines[2 * i : 2 * i + 2]
        if same != again:
            raise Refused(f"{listed}, line {number}: the two lines of a pair have '{same}' and '{again}'.")
        rows.append((i * 10 // count, photos + a, photos + b, int(same)))
    return _task("cplfw", files, rows, listed=listed, image_size=image_size)
