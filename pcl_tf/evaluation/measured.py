"""What each image or pair adds to the metric of its kind, from what was said of it."""

from collections.abc import Sequence

import numpy as np

from pcl_tf.evaluation import metrics
from pcl_tf.evaluation.scored import Scored
from pcl_tf.evaluation.task import Task


def measured(
    task: Task,
    scored: Scored,
    rows: np.ndarray | slice = slice(None),
    *,
    shown: np.ndarray | Sequence[int] | None = None,
    similarity: int = 0,
) -> metrics.Measured:
    """Contributions to the metric of a task's kind.

    Args:
      task: ``Task``.
      scored: ``Scored``.
      rows: places in it; all, where nothing is given.
      shown: of multilabel, which labels are taken; None is all.
      similarity: of verification, 0 for the features' own, 1 for that of the layer learnt on pairs.

    Returns:
      (contributions [n, ..], statistic of their means, detail by name), as the functions of ``metrics`` give.
    """
    labels, predicted = scored.labels[rows], scored.predicted[rows]
    if task.kind == "verification":
        same, said = labels == 1, predicted[:, similarity] == 1
        rates = {"false match rate": (said, ~same), "false non-match rate": (~said, same)}
        detail = {name: float(wrong[of].mean()) for name, (wrong, of) in rates.items() if of.any()}
        return (same == said).astype(np.float64), float, detail
    if task.kind == "multilabel":
        shown = range(len(task.names)) if shown is None else shown
        return metrics.multilabel(predicted[:, shown] - 0.5, labels[:, shown], [task.names[k] for k in shown])
    if task.kind == "classification":
        return metrics.classification(np.eye(len(task.names))[predicted], labels, task.names)
    return metrics.regression(predicted, labels, task.names)


def units(task: Task, scored: Scored) -> tuple[np.ndarray | None, str, np.ndarray | None]:
    """What a bootstrap of a task's metric draws, as ``metrics.bootstrap`` takes it.

    Returns:
      (folds that are drawn apart, or None where every image is tested once: one mean over all;
      'subjects', 'images' or 'pairs'; who is on each image, or None where no people are drawn).
    """
    if task.kind == "verification":
        return scored.folds, "pairs", None
    folds = scored.folds if task.kind == "multilabel" else None  # F1 is a mean of the folds'
    people = None if task.subjects is None else task.subjects[scored.rows]
    resampled = metrics.resampled(people, folds)
    return folds, resampled, people if resampled == "subjects" else None
