"""Values of a metric with 95 % bootstrap intervals.

Every metric is a function of means over test samples of what each sample contributes, so that one bootstrap serves
all: resampled means in, metric out.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

REPEATS = 1000
FEWEST = 10  # units; an interval that resamples fewer has their number beside it, since it is too narrow
Statistic = Callable[[np.ndarray], Any]  # of means: a float, or float [K]


@dataclasses.dataclass(frozen=True)
class Units:
    """What a bootstrap draws."""

    name: str  # 'subjects', 'images' or 'pairs'
    count: int  # how many of them the test has
    folds: np.ndarray | None = None  # int [N], folds that are resampled apart; None is one fold
    # [N], who each sample shows where subjects are drawn, since images of one person are no independent evidence (Field
    # and Welsh, 2007); None draws samples
    people: np.ndarray | None = None


def units(name: str, count: int, folds: np.ndarray | None = None, people: np.ndarray | None = None) -> Units:
    """Subjects; or the samples, ``count`` 'images' or 'pairs', where subjects are unknown or a fold has only one of them."""
    if people is not None and min(len(np.unique(people[rows])) for rows in _parts(folds, count)) > 1:
        return Units("subjects", len(np.unique(people)), folds, people)
    return Units(name, count, folds)


def estimate(
    contributions: np.ndarray, statistic: Statistic, drawn_from: Units, seed: int = 0
) -> tuple[dict[str, Any], np.ndarray]:
    """A metric with its interval.

    Args:
      contributions: float [N, ..], what each sample adds to the means.
      statistic: means [..] -> float, or float [K].
      drawn_from: what is resampled.
      seed: of the bootstrap.

    Returns:
      ({'value', 'interval': (low, high) of the central 95 %, 'resampled', 'units': their number}, resamples
      [REPEATS, ..] of the value); of a statistic [K] values are [K], low and high too.
    """
    drawn = resamples(contributions, statistic, drawn_from, seed)
    found = {"value": over_folds(contributions, statistic, drawn_from.folds), "interval": central(drawn)}
    return {**found, "resampled": drawn_from.name, "units": drawn_from.count}, drawn


def central(values: np.ndarray) -> tuple[Any, Any]:
    """(low, high) of the central 95 % of resamples [REPEATS, ..]: floats, or arrays [..]."""
    low, high = np.nanpercentile(values, [2.5, 97.5], axis=0)  # NaN: drawn without an image that shows a rare label
    return (low, high) if np.ndim(low) else (float(low), float(high))


def resamples(contributions: np.ndarray, statistic: Statistic, drawn_from: Units, seed: int = 0) -> np.ndarray:
    """A statistic of the means of resampled units, each fold by itself and the folds' values averaged; as of ``estimate``.

    Returns:
      float64 [REPEATS, ..], NaN where the statistic is NaN in every fold.
    """
    r = np.random.RandomState(seed)
    total: Any = 0.0
    count: Any = 0
    for rows in _parts(drawn_from.folds, len(contributions)):
        part, sizes = contributions[rows].reshape(len(rows), -1), np.ones(len(rows), np.int64)
        if drawn_from.people is not None:  # sums over the samples of each person
            _, which, sizes = np.unique(drawn_from.people[rows], return_inverse=True, return_counts=True)
            each, part = part, np.zeros((len(sizes), part.shape[1]))
            np.add.at(part, which, each)
        n, found = len(part), []
        for start in range(0, REPEATS, 100):
            counts = r.multinomial(n, np.full(n, 1 / n), size=min(100, REPEATS - start))
            means = (counts @ part / (counts @ sizes)[:, None]).reshape(-1, *contributions.shape[1:])
            found += [statistic(m) for m in means]
        values = np.array(found, np.float64)
        known = ~np.isnan(values)
        total, count = total + np.where(known, values, 0.0), count + known
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _parts(folds: np.ndarray | None, count: int) -> list[np.ndarray]:
    """Rows of each fold."""
    return [np.arange(count)] if folds is None else [np.flatnonzero(folds == f) for f in np.unique(folds)]


def over_folds(contributions: np.ndarray, statistic: Statistic, folds: np.ndarray | None) -> Any:
    """The statistic of each fold's means, averaged over the folds where it is a number: float, or float [K]."""
    each = np.array([statistic(contributions[rows].mean(0)) for rows in _parts(folds, len(contributions))])
    return mean(each) if each.ndim == 1 else np.array([mean(column) for column in each.T])


def mean(values: np.ndarray) -> float:
    """Mean of the numbers among values [N], NaN where all are NaN."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
