"""Scores of the four kinds of task, each with a 95 % bootstrap interval.

Every metric is a function of means over test samples of what each sample contributes, so that one bootstrap serves
all: resampled means in, metric out.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

REPEATS = 1000
Statistic = Callable[[np.ndarray], Any]  # of means: a float, or an array
Measured = tuple[np.ndarray, Statistic, dict[Any, float]]  # contributions, statistic, detail by name


def bootstrap(
    contributions: np.ndarray,
    statistic: Statistic,
    *,
    groups: np.ndarray | None = None,
    seed: int = 0,
    repeats: int = REPEATS,
    clusters: np.ndarray | None = None,
) -> tuple[Any, Any]:
    """Percentile interval of a statistic of means.

    Args:
      contributions, statistic, groups, seed, repeats, clusters: as for ``resamples``.

    Returns:
      (low, high) of the central 95 %: floats, or arrays where the statistic is one.
    """
    return central(resamples(contributions, statistic, groups=groups, seed=seed, repeats=repeats, clusters=clusters))


def central(values: np.ndarray) -> tuple[Any, Any]:
    """(low, high) of the central 95 % of resamples [repeats, ..]: floats, or arrays [..]."""
    low, high = np.nanpercentile(values, [2.5, 97.5], axis=0)  # NaN: drawn without an image that shows a rare label
    return (low, high) if np.ndim(low) else (float(low), float(high))


def resamples(
    contributions: np.ndarray,
    statistic: Statistic,
    *,
    groups: np.ndarray | None = None,
    seed: int = 0,
    repeats: int = REPEATS,
    clusters: np.ndarray | None = None,
) -> np.ndarray:
    """A statistic of means, of as many resamples as asked for.

    Args:
      contributions: float [N, ...], what each sample adds to the means.
      statistic: means [...] -> float, or an array.
      groups: int [N], folds: resampled within each, statistic averaged over those where it is a number; None is one group.
      seed: int.
      repeats: resamples.
      clusters: [N], who each sample shows: whole people are resampled, since images of one person are no independent
        evidence (Field and Welsh, 2007); None resamples samples.

    Returns:
      float64 [repeats, ..], NaN where the statistic is none in any fold.
    """
    r = np.random.RandomState(seed)
    groups = np.zeros(len(contributions), int) if groups is None else np.asarray(groups)
    total: Any = 0.0
    count: Any = 0
    for g in np.unique(groups):
        part = contributions[groups == g].reshape((groups == g).sum(), -1)
        sizes = np.ones(len(part))
        if clusters is not None:
            part, sizes = _summed(part, np.asarray(clusters)[groups == g])
        n, found = len(part), []
        for start in range(0, repeats, 100):
            counts = r.multinomial(n, np.full(n, 1 / n), size=min(100, repeats - start))
            means = (counts @ part / (counts @ sizes)[:, None]).reshape(-1, *contributions.shape[1:])
            found += [statistic(m) for m in means]
        values = np.array(found, np.float64)
        known = ~np.isnan(values)
        total, count = total + np.where(known, values, 0.0), count + known
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _summed(part: np.ndarray, clusters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums and sizes of clusters: float [N, ...], [N] -> float [C, ...], float [C]."""
    _, which, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    sums = np.zeros((len(sizes), part.shape[1]))
    np.add.at(sums, which, part)
    return sums, sizes.astype(np.float64)


def resampled(subjects: np.ndarray | None, groups: np.ndarray | None = None) -> str:
    """What the bootstrap can resample: 'subjects', or 'images' where they are not known or a fold has only one.

    Args:
      subjects: [N] of the test images, or None.
      groups: int [N], folds that are resampled apart; None is one group.
    """
    if subjects is None:
        return "images"
    groups = np.zeros(len(subjects), int) if groups is None else np.asarray(groups)
    fewest = min(len(np.unique(np.asarray(subjects)[groups == g])) for g in np.unique(groups))
    return "subjects" if fewest > 1 else "images"


def over_folds(contributions: np.ndarray, statistic: Statistic, groups: np.ndarray | None) -> float:
    """The statistic of each fold's means, averaged over the folds where it is a number."""
    groups = np.zeros(len(contributions), int) if groups is None else np.asarray(groups)
    return mean(np.array([statistic(contributions[groups == g].mean(0)) for g in np.unique(groups)]))


def mean(values: np.ndarray) -> float:
    """Mean of the numbers among values [N], NaN where there is none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def classification(scores: np.ndarray, labels: np.ndarray, names: Iterable[Any]) -> Measured:
    """Scores [N, K] and int labels -> (contributions [N], statistic, detail: recall of each class)."""
    right = (scores.argmax(1) == labels).astype(np.float64)
    detail = {str(n): float(right[labels == k].mean()) for k, n in enumerate(names) if (labels == k).any()}
    return right, float, detail


def multilabel(
    scores: np.ndarray, labels: np.ndarray, names: Iterable[Any], *, groups: np.ndarray | None = None
) -> Measured:
    """Logits [N, K] and 0/1 labels -> (contributions [N, K, 3], mean F1 over labels, detail: F1 of each).

    Labels that have no F1, see ``f1``, are left out: of the mean, and of the detail where they have none in any group.
    """
    guess, truth = scores > 0, labels > 0.5
    parts = np.stack([guess & truth, guess & ~truth, ~guess & truth], axis=2).astype(np.float64)
    detail = {n: over_folds(parts[:, k], lambda m: float(f1(m)), groups) for k, n in enumerate(names)}
    return parts, lambda means: mean(f1(means)), {n: v for n, v in detail.items() if not np.isnan(v)}


def f1(means: np.ndarray) -> np.ndarray:
    """F1 of each label, from the means of its hits, false alarms and misses: [K, 3] -> float [K].

    NaN where all three are 0: what no image shows, and of none was said, was neither found nor missed.
    """
    tp, fp, fn = np.moveaxis(means, -1, 0)
    total = 2 * tp + fp + fn
    return np.where(total > 0, 2 * tp / np.maximum(total, 1e-12), np.nan)


def regression(scores: np.ndarray, labels: np.ndarray, names: Iterable[Any]) -> Measured:
    """Predictions and targets [N, K] -> (absolute errors [N, K], their mean, detail: MAE of each)."""
    errors = np.abs(scores - labels).astype(np.float64)
    return errors, lambda means: float(means.mean()), dict(zip(names, map(float, errors.mean(0)), strict=True))


# What each image adds to the metric of a kind, for kinds whose images are tested once each; F1 is a mean over folds.
CONTRIBUTIONS = {"classification": classification, "regression": regression}
# The metric of each label or target, from the means that give the metric of them all.
BY_PART: dict[str, Statistic] = {"multilabel": f1, "regression": np.asarray}
METRICS = {"classification": "accuracy", "multilabel": "F1", "regression": "MAE", "verification": "accuracy"}


def percent(metric: str) -> bool:
    """Whether a metric is a share that people read in percent."""
    return metric != "MAE"
