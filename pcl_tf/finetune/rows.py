"""Which training images teach: a share of the labels, less those on which training is stopped."""

from typing import cast

import numpy as np

from pcl_tf.errors import Refused
from pcl_tf.evaluation.kinds import KINDS
from pcl_tf.evaluation.linear import held_out
from pcl_tf.evaluation.task import Task

FEWEST = 5  # labelled images, of which one is held out


def share(task: Task, rows: np.ndarray, *, part: float, seed: int = 0) -> np.ndarray:
    """A share of labelled rows in which labels are as frequent as in all.

    Rows are sorted by their labels (in no order among equals) and taken at even steps, so that each class, each
    combination of labels and each range of the first target gives its part. Every class gives at least one row:
    scikit-learn's stratified splits refuse classes of one row, and know neither combinations nor ranges.

    Args:
      task: ``Task`` with labels.
      rows: int [n] to choose among.
      part: of them, above 0 and at most 1.
      seed: int.

    Returns:
      int [m], rising.
    """
    rows, labels = np.asarray(rows), cast(np.ndarray, task.labels)
    if part >= 1:
        return rows
    r = np.random.RandomState(seed)
    rows = r.permutation(rows)
    columns = labels[rows].reshape(len(rows), -1)
    rows = rows[np.lexsort(columns.T[::-1])]  # stable: equals stay in the order drawn
    wanted = max(1, round(part * len(rows)))
    places = np.floor((np.arange(wanted) + r.uniform()) * len(rows) / wanted).astype(int)
    taken = rows[places]
    if (classes := KINDS[task.kind].classes(labels[rows])) is not None:
        absent = np.setdiff1d(classes, labels[taken])
        taken = np.concatenate([taken, [rows[classes == k][0] for k in absent]])
    return np.sort(taken).astype(int)


def teaching(task: Task, rows: np.ndarray, *, part: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(rows that teach, rows held out) of a share of training rows: a fifth is held out, as by the probe.

    That is whole subjects from five known subjects on, and of no class all rows. Args: as of ``share``.

    Raises:
      Refused: too few.
    """
    rows = share(task, rows, part=part, seed=seed)
    if len(rows) < FEWEST:
        raise Refused(f"{task.name}: {len(rows)} labelled images are left to teach; at least {FEWEST} are needed.")
    classes = KINDS[task.kind].classes(cast(np.ndarray, task.labels)[rows])
    subjects = None if task.subjects is None else task.subjects[rows]
    out = held_out(len(rows), subjects=subjects, seed=seed, classes=classes)
    return rows[~out], rows[out]
