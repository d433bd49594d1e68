"""FER-2013 and RAF-DB (Table 1)."""

import dataclasses
import pathlib

import numpy as np

from pcl_tf.data.listed import Files, arrays
from pcl_tf.errors import Refused
from pcl_tf.evaluation.corpora.layout import need, split_task, tree_task
from pcl_tf.evaluation.lists import read_lines, read_table
from pcl_tf.evaluation.task import Task
from pcl_tf.store import digest

FER = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")  # 0..6 in fer2013.csv
PUBLISHED = (28_709, 3_589)  # images of FER-2013 for training and testing
RAF = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")  # 1..7 in its list


def fer2013(root: pathlib.Path, image_size: int) -> Task:
    """``fer2013.csv`` (emotion,pixels,Usage), tested on PrivateTest; or folders ``train/CLASS`` and ``test/CLASS``."""
    path = need(root, "fer2013.csv", "train")
    task = tree_task("fer2013", root, image_size) if path.is_dir() else _fer2013_csv(path, image_size)
    counts = tuple(map(len, task.splits[0]))
    if counts == PUBLISHED:
        return task
    note = (
        f"fer2013: {counts[0]:,} training and {counts[1]:,} test images, and {PUBLISHED[0]:,} and {PUBLISHED[1]:,} are"
        " published (folders often hold PublicTest too): the results are of another benchmark."
    )
    return dataclasses.replace(task, notes=(*task.notes, note))


def _fer2013_csv(path: pathlib.Path, image_size: int) -> Task:
    table = read_table(path, ("emotion", "pixels", "usage"))
    if table.ragged:
        raise Refused(f"{path}, line {min(table.ragged)}: not as many fields as the header; is it the original file?")
    images, rows = [], []
    for line, row in table.rows:
        try:
            split = {"Training": "train", "PrivateTest": "test", "PublicTest": None}[row["usage"]]
            pixels = np.array(row["pixels"].split(), np.uint8).reshape(48, 48, 1)
            label = _class(FER, int(row["emotion"]), 0)
        except (KeyError, ValueError, OverflowError) as error:
            raise Refused(f"{path}, line {line}: {type(error).__name__} {error}; is it the original file?") from error
        if split:
            images.append(np.repeat(pixels, 3, axis=2))
            rows.append((label, split))
    if not rows:
        raise Refused(f"{path} holds no Training or PrivateTest rows.")
    source = arrays("fer2013", np.stack(images))
    contents = [digest(image.tobytes()) for image in images]  # the corpus has many a picture twice
    return split_task("fer2013", rows, image_size, source=dataclasses.replace(source, contents=contents))


def _class(names: tuple[str, ...], number: int, first: int) -> str:
    """The name of a class counted from first."""
    if not first <= number < first + len(names):
        raise ValueError(f"label {number} is not of {first} to {first + len(names) - 1}")
    return names[number - first]


def rafdb(root: pathlib.Path, image_size: int) -> Task:
    """``basic/EmoLabel/list_patition_label.txt`` and ``basic/Image/aligned``, seven basic emotions."""
    root = root / "basic" if (root / "basic").is_dir() else root
    listed = need(root, "EmoLabel/list_patition_label.txt")
    paths, rows = [], []
    for number, line in read_lines(listed):
        try:
            image, label = line.split()
            label, split = _class(RAF, int(label), 1), image.split("_")[0]
            if split not in ("train", "test"):
                raise ValueError("neither train_ nor test_")
        except ValueError as error:
            raise Refused(f"{listed}, line {number}: '{line}' is not 'train_00001.jpg 5' ({error}).") from error
        rows.append((label, split))
        paths.append(f"Image/aligned/{image.rsplit('.', 1)[0]}_aligned.jpg")
    return split_task("rafdb", rows, image_size, source=Files(root).source(paths))
