"""FER-2013 and RAF-DB (Table 1)."""

import csv

import numpy as np

from pcl_tf.data.listed import Files, arrays
from pcl_tf.data.sources import DataError
from pcl_tf.evaluation.corpora.layout import class_tree, need, need_image
from pcl_tf.evaluation.task import Task

FER = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")  # 0..6 in fer2013.csv
RAF = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")  # 1..7 in its list


def split_task(name, rows, image_size, source):
    """Task of (class, 'train' | 'test') rows in the order of the source."""
    labels, split = zip(*rows, strict=True)
    names = tuple(sorted(set(labels)))
    split = np.array(split)
    return Task(
        name=name,
        kind="classification",
        source=source,
        image_size=image_size,
        names=names,
        labels=np.array([names.index(x) for x in labels]),
        splits=((np.flatnonzero(split == "train"), np.flatnonzero(split == "test")),),
    )


def tree_task(name, root, image_size):
    """Task of ``train/CLASS/*`` and ``test/CLASS/*``."""
    rows = [(path, label, split) for split in ("train", "test") for path, label in class_tree(root, split)]
    source = Files(root).source(path for path, _, _ in rows)
    return split_task(name, [(label, split) for _, label, split in rows], image_size, source)


def fer2013(root, image_size):
    """``fer2013.csv`` (emotion,pixels,Usage; judged on PrivateTest), or folders ``train/CLASS`` and ``test/CLASS``."""
    path = need(root, "fer2013.csv", "train")
    if path.is_dir():
        return tree_task("fer2013", root, image_size)
    images, rows = [], []
    with open(path, newline="") as f:
        for i, row in enumerate(csv.DictReader(f)):
            try:
                split = {"Training": "train", "PrivateTest": "test", "PublicTest": None}[row["Usage"].strip()]
                pixels = np.array(row["pixels"].split(), np.uint8).reshape(48, 48, 1)
                label = FER[int(row["emotion"])]
            except (KeyError, ValueError, IndexError, OverflowError, AttributeError) as error:
                raise DataError(
                    f"{path}, line {i + 2}: {type(error).__name__} {error}; is it the original file?"
                ) from error
            if split:
                images.append(np.repeat(pixels, 3, axis=2))
                rows.append((label, split))
    if not rows:
        raise DataError(f"{path} holds no Training or PrivateTest rows.")
    return split_task("fer2013", rows, image_size, arrays("fer2013", np.stack(images)))


def rafdb(root, image_size):
    """``basic/EmoLabel/list_patition_label.txt`` and ``basic/Image/aligned``, seven basic emotions."""
    root = root / "basic" if (root / "basic").is_dir() else root
    listed = need(root, "EmoLabel/list_patition_label.txt")
    files, paths, rows = Files(root), [], []
    for number, line in enumerate(listed.read_text().splitlines(), 1):
        if not line.strip():
            continue
        try:
            image, label = line.split()
            rows.append((RAF[int(label) - 1], image.split("_")[0]))
        except (ValueError, IndexError) as error:
            raise DataError(f"{listed}, line {number}: '{line}' is not 'train_00001.jpg 5'.") from error
        paths.append(need_image(files, f"Image/aligned/{image.rsplit('.', 1)[0]}_aligned.jpg", listed))
    return split_task("rafdb", rows, image_size, files.source(paths))
