"""Which training images teach: a share of the labels, and some of them held out."""

from typing import cast

import numpy as np

from pcl_tf.errors import Refused
from pcl_tf.evaluation.lbfgs import held_out
from pcl_tf.evaluation.task import Task

FEWEST = 5  # labelled images, of which one is held out


def share(kind: str, labels: np.ndarray, rows: np.ndarray, *, part: float, seed: int = 0) -> np.ndarray:
    """A share of labelled rows in which labels are as frequent as in all.

    Rows are sorted by their labels (in no order among equals) and taken at even steps, so that each class, each
    combination of labels and each range of the first target gives its part. Every class gives at least one row.

    Args:
      kind: 'classification', 'multilabel' or 'regression'.
      labels: of all images, int [N] or float [N, K].
      rows: int [n] to choose among.
      part: of them, above 0 and at most 1.
      seed: int.

    Returns:
      int [m], rising.
    """
    rows = np.asarray(rows)
    if part >= 1:
        return rows
    r = np.random.RandomState(seed)
    rows = r.permutation(rows)
    columns = labels[rows].reshape(len(rows), -1)
    rows = rows[np.lexsort(columns.T[::-1])]  # stable: equals stay in the order drawn
    wanted = max(1, round(part * len(rows)))
    places = np.floor((np.arange(wanted) + r.uniform()) * len(rows) / wanted).astype(int)
    taken = rows[places]
    if kind == "classification":
        absent = np.setdiff1d(labels[rows], labels[taken])
        taken = np.concatenate([taken, [rows[labels[rows] == k][0] for k in absent]])
    return np.sort(taken).astype(int)


def split(task: Task, rows: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Training rows -> (rows that teach, rows on which training is stopped), a fifth as the probe holds it out.

    That is whole subjects from five known subjects on, and of no class all rows.

    Raises:
      Refused: too few.
    """
    if len(rows) < FEWEST:
        raise Refused(f"{task.name}: {len(rows)} labelled images are left to teach; at least {FEWEST} are needed.")
    classes = cast(np.ndarray, task.labels)[rows] if task.kind == "classification" else None
    out = held_out(
        len(rows), subjects=None if task.subjects is None else task.subjects[rows], seed=seed, classes=classes
    )
    return rows[~out], rows[out]
