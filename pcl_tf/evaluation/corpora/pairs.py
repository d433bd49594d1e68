"""LFW and CPLFW: pairs in ten folds (Table 2)."""

import numpy as np

from pcl_tf.data.listed import Files
from pcl_tf.data.sources import DataError
from pcl_tf.evaluation.corpora.layout import need, need_image
from pcl_tf.evaluation.task import Task


def _task(name, root, rows, listed, image_size):
    """Task of rows (fold, path, path, same)."""
    files, index = Files(root), {}
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


def lfw(root, image_size):
    """``pairs.txt`` and the photos as ``lfw-deepfunneled/NAME/NAME_0001.jpg`` (or lfw_funneled, lfw)."""
    listed = need(root, "pairs.txt")
    photos = need(root, "lfw-deepfunneled", "lfw_funneled", "lfw").name
    head, *lines = [line.split() for line in listed.read_text().splitlines() if line.strip()]
    try:
        folds, each = (int(x) for x in head)
        if len(lines) != folds * each * 2:
            raise DataError(f"{listed}: {len(lines)} pairs, but its first line promises {folds * each * 2}.")

        def photo(person, number):
            return f"{photos}/{person}/{person}_{int(number):04d}.jpg"

        rows = []
        for i, line in enumerate(lines):
            fold, same = i // (2 * each), int(len(line) == 3)
            a, b = ((line[0], line[1]), (line[0], line[2])) if same else ((line[0], line[1]), (line[2], line[3]))
            rows.append((fold, photo(*a), photo(*b), same))
    except (ValueError, IndexError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{listed}: not in the layout of LFW's pairs.txt ({error}).") from error
    return _task("lfw", root, rows, listed, image_size)


def cplfw(root, image_size):
    """``pairs_CPLFW.txt``, two lines ``photo.jpg 1|0`` for a pair, and ``aligned images`` (or images)."""
    listed = need(root, "pairs_CPLFW.txt")
    photos = need(root, "aligned images", "images").name
    lines = [line.split() for line in listed.read_text().splitlines() if line.strip()]
    rows, count = [], len(lines) // 2
    for i in range(count):
        (a, same), (b, again) = lines[2 * i][:2], lines[2 * i + 1][:2]
        if same != again or same not in ("0", "1"):
            raise DataError(f"{listed}, line {2 * i + 1}: the two lines of a pair say '{same}' and '{again}'.")
        rows.append((i * 10 // count, f"{photos}/{a}", f"{photos}/{b}", int(same)))
    if len(lines) % 2 or count < 10:
        raise DataError(f"{listed}: {len(lines)} lines; two for each of at least ten pairs are needed.")
    return _task("cplfw", root, rows, listed, image_size)
