"""One task, one feature: fitted on training rows, scored on test rows, and compared with another on the same test."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from pcl_tf.errors import Refused
from pcl_tf.evaluation import bootstrap, linear, verification
from pcl_tf.evaluation.kind import Kind, Scored
from pcl_tf.evaluation.kinds import KINDS
from pcl_tf.evaluation.task import Task, pictures

LEAST = 10  # images or pairs of a group; the interval of fewer would mean little


@dataclasses.dataclass(frozen=True)
class Result:
    """The result of a probe."""

    metric: str  # 'accuracy', 'F1' or 'MAE' (degrees, or the targets' unit)
    value: float  # its value; accuracies and F1 in [0, 1]
    interval: tuple[float, float]  # 95 % bootstrap interval over what ``resampled`` names
    detail: dict[str, float]  # by class, label, target or fold
    counts: dict[str, int]  # how many images or pairs were trained and tested on
    protocol: dict[str, Any]  # how it was trained and tested
    resampled: str  # 'subjects', 'images' or 'pairs'
    units: int  # how many of them the test has; fewer than ``bootstrap.FEWEST`` make too narrow an interval
    scored: Scored = dataclasses.field(compare=False, repr=False)  # the answers for each image or pair
    # of verification, the same pairs after the layer learnt on pairs of the other folds; None where there are too few
    # pairs, as 'not_learnt' in the protocol says
    learnt: "Result | None" = None
    # the ``Linear`` of the first fold; None of raw cosines, and where neighbours vote
    layer: linear.Linear | None = None
    # {name of detail: (low, high)} of labels and targets, from the resamples of ``interval``
    detail_intervals: dict[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    # of verification, ``verification.operating_points`` of the similarities of all pairs together
    roc: dict[str, Any] | None = None
    # {column: as ``by_group``} where the task has groups
    groups: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Everything but the layer and the answers for each image."""
        left_out = ("layer", "scored", "learnt")
        row = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in left_out}
        kept = ("value", "interval", "detail", "protocol", "roc")
        return {**row, "learnt": self.learnt and {name: getattr(self.learnt, name) for name in kept}}


def evaluate(task: Task, x: np.ndarray, *, bad: Iterable[int] = (), solver: str = "lbfgs", seed: int = 0) -> Result:
    """Fits and scores a feature on a task.

    Args:
      task, x: the task, and the feature of its rows, float [N, D].
      bad: rows of unreadable images; they are neither trained nor tested on.
      solver: 'lbfgs', 'adam' or 'knn'; verification fits no layer to labels and has no use for it.
      seed: of the probe and of the bootstrap.

    Raises:
      Refused: too few images of a fold, or too few pairs, are readable.
    """
    good = np.ones(task.source.count, bool)
    good[list(bad)] = False
    if task.labels is None:
        return _of_pairs(task, x, good, seed=seed)
    parts, fits, folds = [], [], readable(task, good)
    for train, test in folds:
        subjects = None if task.subjects is None else task.subjects[train]
        how: dict[str, Any] = {"solver": solver, "seed": seed, "subjects": subjects, "classes": len(task.names)}
        fits.append(linear.fit(task.kind, x[train], task.labels[train], **how))
        parts.append((test, fits[-1][0](x[test])))
    layer, protocol = fits[0]
    result = of_folds(
        task,
        parts,
        {**protocol, "each_fold": [of for _, of in fits]} if fits[1:] else protocol,
        counts={"train": sum(len(train) for train, _ in folds), "unreadable": int((~good).sum())},
        seed=seed,
        logits=layer.logits,
    )
    return dataclasses.replace(result, layer=layer if isinstance(layer, linear.Linear) else None)


def readable(task: Task, good: np.ndarray, count: int | None = None) -> list[tuple[np.ndarray, np.ndarray]]:
    """(train rows, test rows) of the first ``count`` folds, or of all, without the images that are not ``good``, bool [N].

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
    counts: Mapping[str, int],
    seed: int = 0,
    logits: bool = True,
) -> Result:
    """The result of scores, whatever they come from.

    Args:
      task: with labels.
      parts: for each fold (test rows int [n], scores float [n, K]).
      protocol: how the scores came about.
      counts: {'train': training images, of all folds together, 'unreadable': images}.
      seed: of the bootstrap.
      logits: whether the scores are of a layer, as ``Kind.answers`` takes it.
    """
    assert task.labels is not None
    rows, scores = (np.concatenate(p) for p in zip(*parts, strict=True))
    folds = np.repeat(np.arange(len(parts)), [len(test) for test, _ in parts])
    scored = Scored(rows, folds, task.labels[rows], *KINDS[task.kind].answers(scores, logits=logits))
    return _measured(task, scored, {**counts, "test": len(rows), "folds": len(parts)}, protocol, seed=seed)


def _of_pairs(task: Task, x: np.ndarray, good: np.ndarray, *, seed: int) -> Result:
    assert task.pairs is not None and task.same is not None and task.folds is not None
    use = good[task.pairs].all(1)
    pairs, same, folds = pictures(task.source)[task.pairs[use]], task.same[use], task.folds[use]
    if min(len(np.unique(folds)), len(np.unique(same))) < 2:
        raise Refused(f"{task.name}: pairs of one person and pairs of two, in at least two folds, are needed.")
    counts = {"pairs": int(use.sum()), "images": int(good.sum())}
    counts |= {"folds": len(np.unique(folds)), "unreadable": int((~good).sum())}

    def result(values: np.ndarray, right: np.ndarray, protocol: dict[str, Any]) -> Result:
        scored = Scored(np.flatnonzero(use), folds, same, values, np.where(right == 1, same, 1 - same))
        found = _measured(task, scored, counts, protocol, seed=seed)
        return dataclasses.replace(found, roc=verification.operating_points(values, same))

    values = verification.similarities(x, pairs)
    right, thresholds = verification.verify(values, same, folds)
    how = {"similarity": "cosine", "threshold": "best on the other folds", "thresholds": thresholds}
    try:
        values_of, right_of, protocol, layer = verification.whitened(x, pairs, same, folds=folds)
        learnt = dataclasses.replace(result(values_of, right_of, protocol), layer=linear.Linear(*layer))
    except Refused as error:
        learnt, how["not_learnt"] = None, str(error)
    return dataclasses.replace(result(values, right, how), learnt=learnt)


def _units(task: Task, kind: Kind, scored: Scored) -> bootstrap.Units:
    """What a bootstrap of the metric draws; folds of which the metric is a mean are drawn apart."""
    people = None if task.subjects is None else task.subjects[scored.rows]
    return bootstrap.units(kind.samples, len(scored.rows), scored.folds if kind.by_fold else None, people)


def _measured(task: Task, scored: Scored, counts: dict[str, int], protocol: dict[str, Any], *, seed: int) -> Result:
    """The metric of the whole test, of each of its parts, and their intervals."""
    kind = KINDS[task.kind]
    contributions, units = kind.contributions(scored.labels, scored.predicted), _units(task, kind, scored)

    def statistic(means: np.ndarray) -> np.ndarray:
        parts = kind.parts(means)
        return np.array([kind.value(parts), *parts])

    found, drawn = bootstrap.estimate(contributions, statistic, units, seed)
    value, parts = float(found["value"][0]), found["value"][1:]
    known = np.flatnonzero(~np.isnan(parts))  # a label may have no F1 in any fold
    low, high = bootstrap.central(drawn[:, [0, *(1 + known)]])
    interval, *each = zip(low.tolist(), high.tolist(), strict=True)
    named = len(parts) == len(task.names)  # each label or target has a value of its own
    return Result(
        metric=kind.metric,
        value=value,
        interval=interval,
        detail=kind.detail(scored, task.names, parts, folds=units.folds),
        detail_intervals={task.names[k]: of for k, of in zip(known, each, strict=True)} if named else {},
        counts=counts,
        protocol=protocol,
        resampled=units.name,
        units=units.count,
        groups=by_group(task, scored, seed),
        scored=scored,
    )


def by_group(task: Task, scored: Scored, seed: int = 0) -> dict[str, dict[str, Any]]:
    """The metric of a task for each of its groups.

    All rows of a group are taken together, whichever fold tested them: a fold may have few of a small group. F1 is the
    mean over those labels alone that every scored group shows, since without a single positive it has no value.

    Returns:
      {column: {
        'groups': {name: {'value', 'interval', 'resampled', 'units', 'count', 'detail'}}, of those with LEAST rows, and two
          people where people are known;
        'gap': {'value', 'interval', 'between': (least, most)} of the two that lie farthest apart, None of fewer than two;
          its interval resamples the two apart, and does not allow for their having been chosen among others;
        'too_few': {name: rows} of groups that are not scored;
        'without': rows of no group;
        'labels_left_out': of F1, labels that some scored group does not show}}.
    """
    return {column: _column(task, scored, group[scored.rows], seed) for column, group in task.groups.items()}


def _column(task: Task, scored: Scored, group: np.ndarray, seed: int) -> dict[str, Any]:
    kind, people = KINDS[task.kind], None if task.subjects is None else task.subjects[scored.rows]
    every = {str(name): np.flatnonzero(group == name) for name in np.unique(group) if name}
    few = {n: len(r) for n, r in every.items() if len(r) < LEAST or (people is not None and len({*people[r]}) < 2)}
    members = {name: rows for name, rows in every.items() if name not in few}
    shared: Any = np.array([kind.shown(scored.labels[rows]) for rows in members.values()]).all(0)
    found: dict[str, dict[str, Any]] = {}
    drawn = {}
    for number, (name, rows) in enumerate(members.items() if shared.any() else ()):
        mine = scored.of(rows)
        contributions = kind.contributions(mine.labels, mine.predicted)
        units = bootstrap.units(kind.samples, len(rows), None, None if people is None else people[rows])
        of_all, drawn[name] = bootstrap.estimate(
            contributions, lambda means: kind.value(kind.parts(means)[shared]), units, seed + number
        )
        parts = np.where(shared, kind.parts(contributions.mean(0)), np.nan)
        found[name] = {**of_all, "count": len(rows), "detail": kind.detail(mine, task.names, parts)}
    gap = None
    if len(found) > 1:
        names = sorted(found, key=lambda name: found[name]["value"])
        low, high = names[0], max(names, key=lambda name: found[name]["value"])
        if low == high:  # all alike
            low, high = names[:2]
        value, interval = found[high]["value"] - found[low]["value"], bootstrap.central(drawn[high] - drawn[low])
        gap = {"value": value, "interval": interval, "between": (low, high)}
    return {
        "groups": found,
        "gap": gap,
        "too_few": few,
        "without": int((group == "").sum()),
        "labels_left_out": [str(task.names[k]) for k in np.flatnonzero(~shared)],
    }


def difference(task: Task, result: Result, first: Result, seed: int = 0) -> dict[str, Any]:
    """The metric of a model less that of another on the same test.

    Each resample takes the same images, pairs or people for both (a paired bootstrap), so that what is hard for both
    cancels: the interval is narrower than those of the two. It holds for the test that was drawn, not for another training
    of the models. F1 is, in each fold, of the labels that have one for both.

    Returns:
      {'value', 'interval': 95 %, 'resampled': 'subjects', 'images' or 'pairs', 'units': their number}, and where both have
      a layer learnt on pairs 'learnt', the same of it.

    Raises:
      ValueError: the two are of different tests.
    """
    ours, theirs, kind = result.scored, first.scored, KINDS[task.kind]
    if not (np.array_equal(ours.rows, theirs.rows) and np.array_equal(ours.folds, theirs.folds)):
        raise ValueError("differences are of the same test")
    both = np.stack([kind.contributions(of.labels, of.predicted) for of in (theirs, ours)], axis=-1)

    def less(means: np.ndarray) -> float:
        parts = [kind.parts(means[..., side]) for side in (0, 1)]
        lacking = np.isnan(parts[0] + parts[1])
        before, now = (kind.value(np.where(lacking, np.nan, of)) for of in parts)
        return now - before

    found, _ = bootstrap.estimate(both, less, _units(task, kind, ours), seed)
    if result.learnt and first.learnt:
        found["learnt"] = difference(task, result.learnt, first.learnt, seed)
    return found
