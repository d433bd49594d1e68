"""What a probe said of every image of the test: a CSV beside the result."""

import csv
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from pcl_tf.data.tree import printable
from pcl_tf.evaluation.scored import Scored
from pcl_tf.evaluation.task import Task
from pcl_tf.store import atomic_path

_Table = tuple[list[str], list[list[Any]]]  # header and lines


def write(path: str | pathlib.Path, task: Task, scored: Scored, *, names: Iterable[str]) -> pathlib.Path:
    """Writes a line for each test image or pair; whole, or not at all.

    Columns, by the kind of task, and after them the task's groups:
      classification: image, fold, label, predicted, score_CLASS .. (probabilities);
      multilabel: image, fold, then label_NAME, predicted_NAME, score_NAME (probability) for each label;
      regression: image, fold, then label_NAME, predicted_NAME for each target;
      verification: image1, image2, fold, same, similarity, predicted; where a layer was learnt on pairs also
        learnt_similarity, learnt_predicted.
    UTF-8; numbers have seven digits, a point, and no thousands.

    Args:
      path: of the CSV.
      task: ``Task``.
      scored: ``Scored``.
      names: of the task's images, list of str.

    Returns:
      pathlib.Path of it.
    """
    header, lines = _TABLES[task.kind](task, scored, [printable(name) for name in names])
    header, lines = _with_groups(header, lines, task, rows=scored.rows)
    with atomic_path(path) as aside, open(aside, "w", newline="", encoding="utf-8") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(header)
        out.writerows(lines)
    return pathlib.Path(path)


def _number(value: float) -> str:
    return f"{value:.7g}"


def _classification(task: Task, scored: Scored, names: list[str]) -> _Table:
    classes = [str(name) for name in task.names]
    lines = [
        [names[row], fold, classes[label], classes[guess], *map(_number, scores)]
        for row, fold, label, guess, scores in _rows(scored)
    ]
    return ["image", "fold", "label", "predicted", *(f"score_{c}" for c in classes)], lines


def _multilabel(task: Task, scored: Scored, names: list[str]) -> _Table:
    header = [f"{what}_{name}" for name in task.names for what in ("label", "predicted", "score")]
    lines = []
    for row, fold, labels, guesses, scores in _rows(scored):
        cells = ((int(a), int(b), _number(s)) for a, b, s in zip(labels, guesses, scores, strict=True))
        lines.append([names[row], fold, *(c for three in cells for c in three)])
    return ["image", "fold", *header], lines


def _regression(task: Task, scored: Scored, names: list[str]) -> _Table:
    header = [f"{what}_{name}" for name in task.names for what in ("label", "predicted")]
    lines = []
    for row, fold, labels, guesses, _ in _rows(scored):
        cells = (_number(v) for two in zip(labels, guesses, strict=True) for v in two)
        lines.append([names[row], fold, *cells])
    return ["image", "fold", *header], lines


def _verification(task: Task, scored: Scored, names: list[str]) -> _Table:
    assert task.pairs is not None
    header = ["image1", "image2", "fold", "same", "similarity", "predicted", "learnt_similarity", "learnt_predicted"]
    lines = []
    for row, fold, same, guesses, scores in _rows(scored):
        a, b = task.pairs[row]
        cells = (c for score, guess in zip(scores, guesses, strict=True) for c in (_number(score), guess))
        lines.append([names[a], names[b], fold, same, *cells])
    return header[: 4 + 2 * scored.scores.shape[1]], lines


def _rows(scored: Scored) -> Iterator[tuple[Any, Any, Any, Any, Any]]:
    return zip(scored.rows, scored.folds, scored.labels, scored.predicted, scored.scores, strict=True)


def _with_groups(header: list[str], lines: list[list[Any]], task: Task, *, rows: np.ndarray) -> _Table:
    """The table with a column a group; one that is called as a column of the table is called group_NAME."""
    for name, of_row in task.groups.items():
        column = f"group_{name}" if name in header else name
        header = [*header, column]
        lines = [[*line, printable(of_row[row])] for line, row in zip(lines, rows, strict=True)]
    return header, lines


_TABLES = {
    "classification": _classification,
    "multilabel": _multilabel,
    "regression": _regression,
    "verification": _verification,
}
