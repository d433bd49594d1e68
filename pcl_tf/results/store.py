"""The results of a folder: ``result.json``, to which every call adds rows, and the files of each row beside it."""

import json
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from pcl_tf.choices import ANGLES
from pcl_tf.data.files import printable
from pcl_tf.encoders.encoder import Encoder
from pcl_tf.encoders.head import Head
from pcl_tf.errors import Refused
from pcl_tf.evaluation.evaluate import Result
from pcl_tf.evaluation.kinds import KINDS
from pcl_tf.evaluation.linear import Linear
from pcl_tf.evaluation.task import Task
from pcl_tf.results import pictures, table, tensorboard
from pcl_tf.store import alone, check, digest, write_atomically
from pcl_tf.tables import markdown, writer

TABLES = "tables.md"
_LONGEST = 40  # letters of a task's name in names of files: with targets by name it may be longer than a file's can be
# These fields identify a row; a fine-tuning has 'run' too, which depends on all its options.
_KEY = ("model_digest", "kind", "task_name", "task_path", "feature", "solver", "image_size", "seed", "run")
_MEASURED = ("task", "metric", "value", "interval", "detail", "detail_intervals", "resampled", "units", "counts")


class Results:
    """``result.json`` of a folder.

    Args:
      folder: holds or will hold ``result.json``.

    Raises:
      Refused: it is not of pcl_tf.probe, or there are tables and no ``result.json`` that they could be of.
    """

    def __init__(self, folder: str | pathlib.Path) -> None:
        self.path = pathlib.Path(folder) / "result.json"
        check(self.path, beside=[self.path.with_name(TABLES)])
        self.rows = self._read()

    def _read(self) -> list[dict[str, Any]]:
        try:
            rows = json.loads(self.path.read_text())["results"]
            if all({*_KEY[:-1], "task", "metric", "value"} <= set(row) for row in rows):
                return rows
            raise ValueError("a row lacks its model, task or value")
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Refused(f"{self.path}: no result of pcl_tf.probe ({error}); move it away or give --out.") from error

    def add(self, row: dict[str, Any]) -> None:
        """Adds a row, or replaces the one of the same key; rows that other processes added meanwhile stay."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with alone(self.path.with_name(".result.lock"), f"{self.path}: another process writes it; waiting."):
            rows = {_key(other): other for other in self._read()}
            rows[_key(row)] = row
            self.rows = list(rows.values())
            write_atomically(self.path, json.dumps({"results": self.rows}, indent=1) + "\n")
            write_atomically(self.path.with_name(TABLES), markdown(table.HEADER, table.cells(self.rows)) + "\n")

    def write_files(self, row: dict[str, Any], task: Task, result: Result, *, images: Sequence[str]) -> None:
        """Writes predictions, picture and TensorBoard's logs of a row that was added, and adds it with their paths.

        The row gets 'predictions', a path, and 'pictures', {name: path}; images: names of the task's images.
        """
        stem = self.path.with_name(file_stem(row))
        row["predictions"] = str(_write_predictions(f"{stem}-predictions.csv", task, result, images=images))
        row["pictures"] = pictures.save(stem, task, result, row=row)
        self.add(row)
        tensorboard.write(self.path.with_name("logs"), row)


def new_row(encoder: Encoder, task: Task, result: Result, /, **how: Any) -> dict[str, Any]:
    """A row of ``result.json``.

    how: 'task', its name there, 'feature', 'solver', 'seed', and 'images_encoded', those that were not cached.
    """
    return {
        "model": encoder.name,
        "model_digest": encoder.digest,
        "model_step": encoder.step,
        "recipe_hash": encoder.recipe_hash,
        "task_name": task.name,
        "task_path": task.origin,
        "kind": task.kind,
        "image_size": task.image_size,
        "notes": list(task.notes),
        **how,
        **result.as_json(),
    }


def head_of(row: dict[str, Any], task: Task, layer: Linear, *, encoder: str) -> Head:
    """A head as it is handed on: the layer of a row of ``result.json``, on the raw feature, with its names and measured error.

    Args:
      row, task, layer: the name is what the task ``tells``.
      encoder: digest of the encoder it was learnt on, '' if that was taught with it.
    """
    named = tuple(map(str, task.names))
    row = {**row, **(row["learnt"] or {})}  # of pairs, what was measured with the layer
    threshold = next(iter(row["protocol"]["thresholds"].values())) if task.pairs is not None else None
    return Head(
        name=task.tells or task.name,
        kind=task.kind,
        feature=row["feature"],
        names=named,
        units=tuple("degrees" if name in ANGLES else "" for name in named),
        size=task.image_size,
        encoder=encoder,
        measured={key: row[key] for key in _MEASURED},
        weights=layer.weights,
        bias=layer.bias,
        threshold=threshold,
        margin=task.margin,
    )


def names(tasks: Sequence[Task], rows: Sequence[dict[str, Any]] = ()) -> list[str]:
    """Names under which tasks are reported, in order: of several tasks of one name all but the first get a digest.

    A task may be given twice. Tasks of earlier rows of ``result.json`` keep their names.
    """
    first = {row["task_name"]: (row["kind"], row["task_path"]) for row in reversed(rows)}
    found = []
    for task in tasks:
        own = task.kind, task.origin
        other = first.setdefault(task.name, own) != own
        found.append(f"{task.name}-{digest(*own)[:8]}" if other else task.name)
    return found


def _key(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(row.get(name, "")) for name in _KEY)


def short(name: str) -> str:
    """A task's name as a part of names of files: if it is long, cut, with a digest of it all."""
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}-{digest(name)[:8]}"


def file_stem(row: dict[str, Any]) -> str:
    """The beginning of the names of a row's files: task, feature, and a digest of the fields that identify it."""
    return f"{short(row['task'])}-{row['feature']}-{digest(*_key(row))[:8]}"


def _write_predictions(path: str, task: Task, result: Result, *, images: Sequence[str]) -> str:
    """Writes a line for each test image or pair, as UTF-8, numbers of seven digits, from a million on of sixteen; returns path.

    Columns: image, or image1 and image2; fold; those of the kind of task, of a verification also by the learnt similarity;
    the task's groups, as group_NAME if a column has that name.
    """
    kind, rows, shown = KINDS[task.kind], result.scored.rows, np.array([*map(printable, images)], object)
    pairs = {} if task.pairs is None else {f"image{k + 1}": shown[task.pairs[rows, k]] for k in (0, 1)}
    columns: dict[str, Any] = {**(pairs or {"image": shown[rows]}), "fold": result.scored.folds}
    columns |= kind.columns_of(task.names, result.scored)
    if result.learnt:
        learnt = kind.columns_of(task.names, result.learnt.scored)
        columns |= {f"whitened_{name}": learnt[name] for name in ("cosine", "predicted")}
    for name, of_row in task.groups.items():
        columns[f"group_{name}" if name in columns else name] = [*map(printable, of_row[rows])]
    with writer(path, dict.fromkeys(columns, str)) as write:
        for line in zip(*columns.values(), strict=True):
            write(dict(zip(columns, line, strict=True)))
    return path
