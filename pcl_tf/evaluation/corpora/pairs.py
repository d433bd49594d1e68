"""LFW and CPLFW: pairs in ten folds (Table 2)."""

import pathlib
from collections.abc import Sequence

import numpy as np

from pcl_tf.data.listed import Files
from pcl_tf.errors import Refused
from pcl_tf.evaluation.corpora.layout import need
from pcl_tf.evaluation.lists import read_lines
from pcl_tf.evaluation.task import Task

_Row = tuple[int, str, str, int]  # fold, photograph, photograph, 1 of one person


def _task(name: str, listed: pathlib.Path, rows: Sequence[_Row], *, folders: Sequence[str], image_size: int) -> Task:
    """Task of photographs in one of some folders, or beside their list, on disk or zipped."""
    files, index = Files(listed.parent), dict[str, int]()
    places = [*(f"{f}/" for f in folders), "", *(f"{f}/{f}/" for f in folders)]  # some archives hold a folder twice
    before = next((place for place in places if f"{place}{rows[0][1]}" in files), places[0])
    pairs = [[index.setdefault(before + photo, len(index)) for photo in row[1:3]] for row in rows]
    folds, _, _, same = (np.array(column) for column in zip(*rows, strict=True))
    source = files.source(index)
    return Task(name, "verification", source, image_size, pairs=np.array(pairs), same=same, folds=folds)


def lfw(root: pathlib.Path, image_size: int) -> Task:
    """``pairs.txt`` and the photos as ``lfw-deepfunneled/NAME/NAME_0001.jpg`` (or lfw_funneled, lfw, or NAME/.. itself)."""
    listed = need(root, "pairs.txt")
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

    rows: list[_Row] = []
    for i, (line, parts) in enumerate(lines):
        try:
            one, other = (parts[:2], parts[::2]) if len(parts) == 3 else (parts[:-2], parts[-2:])
            rows.append((i // (2 * each), photo(*one), photo(*other), int(len(parts) == 3)))
        except (ValueError, TypeError) as error:
            raise Refused(
                f"{listed}, line {line}: '{' '.join(parts)}' is neither 'NAME 1 2' nor 'NAME 1 OTHER 2'."
            ) from error
    return _task("lfw", listed, rows, folders=("lfw-deepfunneled", "lfw_funneled", "lfw"), image_size=image_size)


def cplfw(root: pathlib.Path, image_size: int) -> Task:
    """``pairs_CPLFW.txt``, two lines ``photo.jpg 1|0`` for a pair, and ``aligned images`` (or images)."""
    listed = need(root, "pairs_CPLFW.txt")
    lines = [(number, text.split()) for number, text in read_lines(listed)]
    for number, parts in lines:
        if len(parts) < 2 or parts[1] not in ("0", "1"):
            raise Refused(f"{listed}, line {number}: '{' '.join(parts)}' is not 'photo.jpg 1' or 'photo.jpg 0'.")
    if len(lines) % 2 or len(lines) < 20:
        raise Refused(f"{listed}: {len(lines)} lines; two for each of at least ten pairs are needed.")
    rows: list[_Row] = []
    for i, ((number, (a, same, *_)), (_, (b, again, *_))) in enumerate(zip(lines[::2], lines[1::2], strict=True)):
        if same != again:
            raise Refused(f"{listed}, line {number}: the two lines of a pair have '{same}' and '{again}'.")
        rows.append((i * 20 // len(lines), a, b, int(same)))
    return _task("cplfw", listed, rows, folders=("aligned images", "images"), image_size=image_size)
