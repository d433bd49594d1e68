"""One task, one feature: fit where it may, judge where it must."""

import dataclasses

import numpy as np

from pcl_tf.data.sources import DataError
from pcl_tf.evaluation import linear, metrics, pair_layer, verification


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a probe found.

    Attributes:
      metric: 'accuracy', 'F1' or 'MAE' (degrees, or the targets' unit).
      value: its value; accuracies and F1 in [0, 1].
      interval: 95 % bootstrap interval over what ``resampled`` names.
      detail: by class, label, target or fold.
      counts: how many images or pairs taught and judged.
      protocol: how.
      resampled: 'subjects', 'images' or 'pairs'.
      learnt: of verification, what a layer learnt on the pairs of the other folds makes of it: a dict with value,
        interval, detail, protocol, or None where there are too few pairs.
      layer: the ``Linear`` of the first fold; None in verification.
    """

    metric: str
    value: float
    interval: tuple
    detail: dict
    counts: dict
    protocol: dict
    resampled: str = "images"
    learnt: dict | None = None
    layer: linear.Linear | None = None

    def as_json(self):
        """Everything but the layer."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "layer"}


def judge(task, x, bad=(), solver="lbfgs", seed=0):
    """Judges a feature on a task.

    Args:
      task: ``pcl_tf.evaluation.task.Task``.
      x: float [N, D], rows as in the task.
      bad: rows whose image could not be read; they neither teach nor judge.
      solver: 'lbfgs' or 'adam'.
      seed: of the probe and of the bootstrap.

    Returns:
      Verdict.
    """
    good = np.ones(task.source.count, bool)
    good[list(bad)] = False
    if task.kind == "verification":
        return _verification(task, x, good, seed)
    parts, folds, protocols, layers, judged, trained = [], [], [], [], [], 0
    for fold, (train, test) in enumerate(task.splits):
        train, test = train[good[train]], test[good[test]]
        subjects = None if task.subjects is None else task.subjects[train]
        layer, protocol = linear.fit(task.kind, x[train], task.labels[train], solver, seed, subjects, len(task.names))
        layers.append(layer)
        parts.append((layer(x[test]), task.labels[test]))
        folds.append(np.full(len(test), fold))
        judged.append(test)
        protocols.append(protocol)
        trained += len(train)
    scores, labels = (np.concatenate(p) for p in zip(*parts, strict=True))
    folds = np.concatenate(folds)
    if task.kind == "multilabel":  # mean of the folds' F1
        contributions, statistic, detail = metrics.multilabel(scores, labels, task.names, folds)
    else:
        contributions, statistic, detail = metrics.CONTRIBUTIONS[task.kind](scores, labels, task.names)
        folds = None  # every image judged once: one mean over all
    people = None if task.subjects is None else task.subjects[np.concatenate(judged)]
    resampled = metrics.resampled(people, folds)
    clusters = people if resampled == "subjects" else None
    return Verdict(
        metric=metrics.METRICS[task.kind],
        value=metrics.over_folds(contributions, statistic, folds),
        interval=metrics.bootstrap(contributions, statistic, folds, seed, clusters=clusters),
        resampled=resampled,
        detail=detail,
        counts={"train": trained, "test": len(scores), "folds": len(task.splits), "unreadable": int((~good).sum())},
        protocol=protocols[0] if len(protocols) == 1 else {**protocols[0], "each_fold": protocols},
        layer=layers[0],
    )


def _verification(task, x, good, seed):
    use = good[task.pairs].all(1)
    if not use.any() or len(np.unique(task.folds[use])) < 2:
        raise DataError(f"{task.name}: fewer than two folds of pairs can be read.")
    pairs, same, folds = task.pairs[use], task.same[use], task.folds[use]
    values = verification.similarities(x, pairs)
    right, thresholds = verification.verify(values, same, folds)
    found = _of_folds(right, folds, seed)
    return Verdict(
        metric="accuracy",
        counts={
            "pairs": int(use.sum()),
            "images": int(good.sum()),
            "folds": len(found["detail"]),
            "unreadable": int((~good).sum()),
        },
        protocol={"similarity": "cosine", "threshold": "best on the other folds", "thresholds": thresholds},
        resampled="pairs",
        learnt=_learnt(x, pairs, same, folds, seed),
        **found,
    )


def _of_folds(right, folds, seed):
    return {
        "value": metrics.over_folds(right, float, folds),
        "interval": metrics.bootstrap(right, float, folds, seed),
        "detail": {f"fold {f}": float(right[folds == f].mean()) for f in np.unique(folds)},
    }


def _learnt(x, pairs, same, folds, seed):
    learnt = pair_layer.verify(x, pairs, same, folds)
    return learnt and {**_of_folds(learnt.right, folds, seed), "protocol": learnt.protocol}
