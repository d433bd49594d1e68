"""FER-2013 and RAF-DB (Table 1)."""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from pcl_tf.data.listed import Files, arrays
from pcl_tf.data.sources import Source
from pcl_tf.errors import Refused
from pcl_tf.evaluation.corpora.layout import class_tree, need, need_image, some
from pcl_tf.evaluation.lists import read_lines, read_table
from pcl_tf.evaluation.task import Task

FER = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")  # 0..6 in fer2013.csv
PUBLISHED = {"train": 28_709, "test": 3_589}  # images of FER-2013
RAF = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")  # 1..7 in its list


def split_task(
    name: str, rows: Sequence[tuple[str, str]], image_size: int, *, source: Source, notes: tuple[str, ...] = ()
) -> Task:
    """Task of (class, 'train' | 'test') rows in the order of the source."""
    split: Any
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
        notes=notes,
    )


def tree_task(name: str, root: pathlib.Path, image_size: int) -> Task:
    """Task of ``train/CLASS/*`` and ``test/CLASS/*``."""
    found = {split: class_tree(root, split) for split in ("train", "test")}
    rows = [(path, label, split) for split, (images, _) in found.items() for path, label in images]
    notes = tuple(note for _, notes in found.values() for note in notes)
    source = Files(root).source(path for path, _, _ in rows)
    return split_task(name, [(label, split) for _, label, split in rows], image_size, source=source, notes=notes)


def fer2013(root: pathlib.Path, image_size: int) -> Task:
    """``fer2013.csv`` (emotion,pixels,Usage; tested on PrivateTest), or folders ``train/CLASS`` and ``test/CLASS``."""
    path = need(root, "fer2013.csv", "train")
    if path.is_dir():
        return tree_task("fer2013", root, image_size)
    table = read_table(path, ("emotion", "pixels", "usage"))
    if missing := [c for c in ("emotion", "pixels", "usage") if c not in table.header]:
        raise Refused(f"{path}: no column '{missing[0]}'; is it the original file, emotion,pixels,Usage?")
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
    return split_task("fer2013", rows, image_size, source=arrays("fer2013", np.stack(images)))


def check_counts(task: Task) -> None:
    """Raises Refused where FER-2013 has not its published images: folders often mix PublicTest into PrivateTest."""
    for split, rows in zip(("train", "test"), task.splits[0], strict=True):
        if len(rows) != PUBLISHED[split]:
            raise Refused(
                f"fer2013: '{split}' has {len(rows):,} images, the published split {PUBLISHED[split]:,} (folders"
                " often hold PublicTest too); --any_count takes what is there."
            )


def _class(names: Sequence[str], number: int, first: int) -> str:
    """The name of a class counted from first."""
    if not first <= number < first + len(names):
        raise ValueError(f"label {number} is not of {first} to {first + len(names) - 1}")
    return names[number - first]


def rafdb(root: pathlib.Path, image_size: int) -> Task:
    """``basic/EmoLabel/list_patition_label.txt`` and ``basic/Image/aligned``, seven basic emotions."""
    root = root / "basic" if (root / "basic").is_dir() else root
    listed = need(root, "EmoLabel/list_patition_label.txt")
    files, paths, rows, neither = Files(root), [], [], []
    for number, line in read_lines(listed):
        try:
            image, label = line.split()
            label = _class(RAF, int(label), 1)
        except ValueError as error:
            raise Refused(f"{listed}, line {number}: '{line}' is not 'train_00001.jpg 5' ({error}).") from error
        split = image.split("_")[0]
        if split not in ("train", "test"):
            neither.append(f"{image} (line {number})")
            continue
        rows.append((label, split))
        paths.append(need_image(files, f"Image/aligned/{image.rsplit('.', 1)[0]}_aligned.jpg", listed))
    if not rows:
        raise Refused(f"{listed}: no line names a train_ or test_ image, such as 'train_00001.jpg 5'.")
    left_out = f"{listed}: {len(neither)} entries are neither train_ nor test_ and are left out: {some(neither)}."
    return split_task("rafdb", rows, image_size, source=files.source(paths), notes=(left_out,) if neither else ())
