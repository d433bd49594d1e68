"""A corpus that pcl_tf.prepare made a TFDS dataset of: pictures in its records, everything else of the task beside."""

import io
import json
import pathlib
from typing import Any

import numpy as np
import tensorflow as tf

from pcl_tf.data.clips import damaged, read_arrays
from pcl_tf.data.sources import Items, Source
from pcl_tf.errors import Refused
from pcl_tf.evaluation.task import Task, folds_from

INDEX = "task.npz"  # written last: where it stands, the dataset is whole
_FACTS = "task.json"
_TRAIN = -1  # rows that are never tested


def testing_fold(task: Task) -> np.ndarray:
    """The fold in which each picture is tested: int [N], -1 where it never is (one split into training and test)."""
    fold = np.full(task.source.count, _TRAIN)
    for number, (_, test) in enumerate(task.splits):
        fold[test] = number
    return fold


def write(folder: str | pathlib.Path, task: Task, fingerprint: str) -> None:
    """Writes what a task has besides its pictures.

    Args:
      folder: of the records.
      task: ``Task``.
      fingerprint: of the pictures in the records.
    """
    from pcl_tf.files import sync, write_atomically

    facts = {
        "name": task.name,
        "kind": task.kind,
        "image_size": task.image_size,
        "names": list(task.names),
        "fingerprint": fingerprint,
        "pictures": task.source.count,
    }
    table: dict[str, Any] = {"fold": task.folds if task.pairs is not None else testing_fold(task)}
    for key in ("labels", "subjects", "pairs", "same"):
        if getattr(task, key) is not None:
            table[key] = getattr(task, key)
    held = io.BytesIO()
    np.savez(held, **table)
    write_atomically(pathlib.Path(folder) / _FACTS, json.dumps(facts, indent=1) + "\n")
    sync(pathlib.Path(folder))  # the index says that the records are whole
    write_atomically(pathlib.Path(folder) / INDEX, held.getvalue())


def inside(root: str | pathlib.Path) -> list[pathlib.Path]:
    """The folders at or below root that hold a prepared corpus: list of pathlib.Path."""
    return [p.parent for pattern in ("", "*/", "*/*/") for p in sorted(pathlib.Path(root).glob(pattern + INDEX))]


def find(root: str | pathlib.Path, image_size: int = 0) -> pathlib.Path | None:
    """The folder at or below root that holds a prepared corpus, or None.

    Args:
      root: of the dataset, its configurations or its versions.
      image_size: chooses among configurations; 0 takes the only one.

    Raises:
      Refused: several are there.
    """
    found = inside(root)
    if len(found) > 1 and image_size:
        found = [f for f in found if _facts(f)["image_size"] == image_size] or found
    if len(found) > 1:
        raise Refused(f"{root} holds several datasets; give one of\n  " + "\n  ".join(map(str, found)))
    return found[0] if found else None


def _facts(folder: pathlib.Path) -> dict[str, Any]:
    try:
        return json.loads((folder / _FACTS).read_text())
    except (OSError, ValueError) as error:
        raise damaged(folder / _FACTS, error) from error


def read(folder: pathlib.Path, image_size: int = 0) -> Task:
    """The task of a prepared corpus.

    Args:
      folder: of ``find``.
      image_size: side in pixels at which it is evaluated; 0 for the side it was prepared for.

    Returns:
      Task.

    Raises:
      Refused: it was prepared for smaller pictures, or is damaged.
    """
    facts = _facts(folder)
    side = facts["image_size"]
    if image_size > side:
        raise Refused(f"{folder} was prepared for {side} pixels; prepare it with --image_size={image_size}.")
    table: dict[str, Any] = read_arrays(folder / INDEX)
    fold = table.pop("fold")
    pairs = table.get("pairs")
    split: dict[str, Any]
    if pairs is not None:
        split = {"folds": fold}
    elif (fold == _TRAIN).any():
        split = {"splits": ((np.flatnonzero(fold == _TRAIN), np.flatnonzero(fold != _TRAIN)),)}
    else:
        split = {"splits": folds_from(fold)}
    return Task(
        name=facts["name"],
        kind=facts["kind"],
        source=Source(str(folder), facts["fingerprint"], facts["pictures"], lambda: _pictures(folder, fold, pairs)),
        image_size=image_size or side,
        names=tuple(facts["names"]),
        **table,
        **split,
    )


def places(fold: np.ndarray, pairs: np.ndarray | None = None) -> list[tuple[str, int, str]]:
    """Where the records hold each picture.

    Args:
      fold: of ``testing_fold``, or of pairs.
      pairs: int [P, 2] of a task of pairs.

    Returns:
      list of (split, record, feature), a picture each.
    """
    if pairs is not None:  # a record is a pair: a picture is read from the first it belongs to
        first = np.unique(pairs, return_index=True)[1]
        return [("test", int(i) // 2, ("first", "second")[i % 2]) for i in first]
    if not (fold == _TRAIN).any():
        return [("test", i, "image") for i in range(len(fold))]
    train = fold == _TRAIN
    record = np.where(train, np.cumsum(train), np.cumsum(~train)) - 1
    return [("train" if t else "test", int(r), "image") for t, r in zip(train, record, strict=True)]


def _pictures(folder: pathlib.Path, fold: np.ndarray, pairs: np.ndarray | None) -> Items:
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(str(folder))
    raw = tfds.decode.DeserializeMethod.RAW_BYTES
    records = {name: builder.as_data_source(split=name, deserialize_method=raw) for name in builder.info.splits}
    for split, record, feature in places(fold, pairs):
        spec = {feature: tf.io.FixedLenFeature([], tf.string)}
        yield (
            f"{folder.parent.parent.name}/{split}#{record}",
            tf.io.parse_single_example(records[split][record], spec)[feature].numpy(),
        )
