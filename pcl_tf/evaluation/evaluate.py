"""One task, one feature: fit on training rows, scored on test rows."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np

from pcl_tf.errors import Refused
from pcl_tf.evaluation import curves, linear, metrics, pair_layer, verification
from pcl_tf.evaluation.groups import by_group
from pcl_tf.evaluation.measured import units
from pcl_tf.evaluation.scored import Scored, of_pairs, of_scores
from pcl_tf.evaluation.task import Task


@dataclasses.dataclass(frozen=True)
class Result:
    """What a probe found.

    Attributes:
      metric: 'accuracy', 'F1' or 'MAE' (degrees, or the targets' unit).
      value: its value; accuracies and F1 in [0, 1].
      interval: 95 % bootstrap interval over what ``resampled`` names.
      detail: by class, label, target or fold.
      counts: how many images or pairs were trained and tested on.
      protocol: how.
      resampled: 'subjects', 'images' or 'pairs'.
      learnt: of verification, what a layer learnt on the pairs of the other folds makes of it: a dict with value,
        interval, detail, protocol, roc, or None where there are too few pairs.
      layer: the ``Linear`` of the first fold; None in verification, and where neighbours vote.
      detail_intervals: {name of detail: (low, high)} of labels and targets, from the resamples of ``interval``.
      roc: of verification, ``pcl_tf.evaluation.curves.summary`` of the similarities of all pairs together; of ``learnt``
        each is by the layer of the other folds.
      groups: {column: as ``pcl_tf.evaluation.groups.by_group``} where the task has groups.
      scored: what was said of each image or pair.
    """

    metric: str
    value: float
    interval: tuple[float, float]
    detail: dict[str, float]
    counts: dict[str, int]
    protocol: dict[str, Any]
    resampled: str = "images"
    learnt: dict[str, Any] | None = None
    layer: linear.Linear | None = None
    detail_intervals: dict[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    roc: dict[str, Any] | None = None
    groups: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    scored: Scored | None = dataclasses.field(default=None, compare=False, repr=False)

    def as_json(self) -> dict[str, Any]:
        """Everything but the layer and what was said of each image."""
        left_out = ("layer", "scored")
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in left_out}


def evaluate(task: Task, x: np.ndarray, *, bad: Iterable[int] = (), solver: str = "lbfgs", seed: int = 0) -> Result:
    """Fits and scores a feature on a task.

    Args:
      task: ``pcl_tf.evaluation.task.Task``.
      x: float [N, D], rows as in the task.
      bad: rows whose image could not be read; they are neither trained nor tested on.
      solver: 'lbfgs', 'adam' or 'knn'; verification, which fits no probe, does not ask it.
      seed: of the probe and of the bootstrap.

    Returns:
      Result.
    """
    good = np.ones(task.source.count, bool)
    good[list(bad)] = False
    if task.kind == "verification":
        return _verification(task, x, good, seed=seed)
    assert task.labels is not None
    parts, protocols, layers, trained = [], [], [], 0
    for train, test in readable(task, good):
        subjects = None if task.subjects is None else task.subjects[train]
        layer, protocol = linear.fit(
            task.kind,
            x[train],
            task.labels[train],
            solver=solver,
            seed=seed,
            subjects=subjects,
            classes=len(task.names),
        )
        layers.append(layer)
        parts.append((test, layer(x[test])))
        protocols.append(protocol)
        trained += len(train)
    linear_ = isinstance(layers[0], linear.Linear)
    return of_folds(
        task,
        parts,
        protocols[0] if len(protocols) == 1 else {**protocols[0], "each_fold": protocols},
        trained=trained,
        unreadable=int((~good).sum()),
        seed=seed,
        logits=linear_,
        layer=cast(linear.Linear, layers[0]) if linear_ else None,
    )


def readable(task: Task, good: np.ndarray, count: int | None = None) -> list[tuple[np.ndarray, np.ndarray]]:
    """The folds of a task without the images that cannot be read.

    Args:
      task: ``Task`` with labels.
      good: bool [N], of which images can be read.
      count: of the first folds; None is all.

    Returns:
      list of (train rows, test rows).

    Raises:
      Refused: a fold has no test image, or fewer than two training images, of which a solver holds one out.
    """
    folds = [(train[good[train]], test[good[test]]) for train, test in task.splits[:count]]
    for number, (train, test) in enumerate(folds):
        if len(train) < 2 or not len(test):
            raise Refused(
                f"{task.name}, fold {number + 1} of {len(task.splits)}: {len(train)} training and {len(test)} test images"
                " can be read; at least 2 and 1 are needed."
            )
    return folds


def of_folds(
    task: Task,
    parts: Sequence[tuple[np.ndarray, np.ndarray]],
    protocol: dict[str, Any],
    *,
    trained: int,
    unreadable: int = 0,
    seed: int = 0,
    logits: bool = True,
    layer: linear.Linear | None = None,
) -> Result:
    """Metrics of scores, whatever they come from.

    Args:
      task: ``Task`` with labels.
      parts: for each fold (rows of the test int [n], scores float [n, K]).
      protocol: how the scores came about.
      trained: how many images taught, of all folds together.
      unreadable: how many images could not be read.
      seed: of the bootstrap.
      logits: whether scores are log-odds, as ``pcl_tf.evaluation.scored.of_scores`` takes it.
      layer: of the first fold.

    Returns:
      Result.
    """
    assert task.labels is not None
    rows, scores = (np.concatenate(p) for p in zip(*parts, strict=True))
    labels, fold = task.labels[rows], np.repeat(np.arange(len(parts)), [len(test) for test, _ in parts])
    scored = of_scores(task.kind, rows=rows, folds=fold, labels=labels, scores=scores, logits=logits)
    folds, resampled, clusters = units(task, scored)
    if task.kind == "multilabel":
        contributions, statistic, detail = metrics.multilabel(scores, labels, task.names, groups=folds)
    else:
        contributions, statistic, detail = metrics.CONTRIBUTIONS[task.kind](scores, labels, task.names)
    each = metrics.BY_PART.get(task.kind)
    told = [k for k, name in enumerate(task.names) if name in detail]  # a label may have no F1 in any fold

    def parts_too(means: np.ndarray) -> np.ndarray:
        return np.array([statistic(means), *(each(means)[told] if each else ())])

    low, high = metrics.bootstrap(contributions, parts_too, groups=folds, seed=seed, clusters=clusters)
    intervals = list(zip(low.tolist(), high.tolist(), strict=True))
    return Result(
        metric=metrics.METRICS[task.kind],
        value=metrics.over_folds(contributions, statistic, folds),
        interval=intervals[0],
        resampled=resampled,
        detail=detail,
        detail_intervals=dict(zip(detail, intervals[1:], strict=True)) if intervals[1:] else {},
        counts={"train": trained, "test": len(scores), "folds": len(parts), "unreadable": unreadable},
        protocol=protocol,
        layer=layer,
        groups=by_group(task, scored, seed),
        scored=scored,
    )


def _verification(task: Task, x: np.ndarray, good: np.ndarray, *, seed: int) -> Result:
    assert task.pairs is not None and task.same is not None and task.folds is not None
    use = good[task.pairs].all(1)
    if not use.any() or len(np.unique(task.folds[use])) < 2:
        raise Refused(f"{task.name}: fewer than two folds of pairs can be read.")
    pairs, same, folds = task.pairs[use], task.same[use], task.folds[use]
    values = verification.similarities(x, pairs)
    right, thresholds = verification.verify(values, same, folds)
    learnt = pair_layer.verify(x, pairs, same, folds=folds)
    every = [(values, right), *([(learnt.values, learnt.right)] if learnt else [])]
    scored = of_pairs(np.flatnonzero(use), folds, same, found=every)
    return Result(
        metric="accuracy",
        counts={
            "pairs": int(use.sum()),
            "images": int(good.sum()),
            "folds": len(np.unique(folds)),
            "unreadable": int((~good).sum()),
        },
        protocol={"similarity": "cosine", "threshold": "best on the other folds", "thresholds": thresholds},
        resampled="pairs",
        learnt=cast(
            "dict[str, Any] | None",
            learnt
            and {
                **_by_fold(learnt.right, folds, seed),
                "protocol": learnt.protocol,
                "roc": curves.summary(learnt.values, same),
            },
        ),
        roc=curves.summary(values, same),
        groups=by_group(task, scored, seed),
        scored=scored,
        **_by_fold(right, folds, seed),
    )


def _by_fold(right: np.ndarray, folds: np.ndarray, seed: int) -> dict[str, Any]:
    return {
        "value": metrics.over_folds(right, float, folds),
        "interval": metrics.bootstrap(right, float, groups=folds, seed=seed),
        "detail": {f"fold {f}": float(right[folds == f].mean()) for f in np.unique(folds)},
    }
