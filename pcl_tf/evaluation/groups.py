"""Error by group: the metric of each group of a column with its interval, and how far the groups lie apart."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pcl_tf.evaluation import bootstrap
from pcl_tf.evaluation.kinds import KINDS, Scored
from pcl_tf.evaluation.task import Task

LEAST = 10  # images or pairs; the interval of fewer would mean little


def by_group(task: Task, scored: Scored, seed: int = 0) -> dict[str, dict[str, Any]]:
    """The metric of a task for each of its groups.

    All rows of a group are taken together, whichever fold tested them: a fold may have few of a small group. F1 is the
    mean over those labels alone that every scored group shows, since without a single positive it has no value.

    Args:
      task: ``Task``; its ``groups`` give the group of each row, '' for none.
      scored: ``Scored``.
      seed: of the bootstrap.

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
    people = None if task.subjects is None else task.subjects[scored.rows]
    return {
        column: _column(task, scored, of_row[scored.rows], people=people, seed=seed)
        for column, of_row in task.groups.items()
    }


def _column(task: Task, scored: Scored, group: np.ndarray, *, people: np.ndarray | None, seed: int) -> dict[str, Any]:
    every = {str(name): np.flatnonzero(group == name) for name in np.unique(group) if name}
    members = {name: rows for name, rows in every.items() if _enough(rows, people)}
    shown = np.array([KINDS[task.kind].shown(scored.labels[rows]) for rows in members.values()])
    shared: Any = shown.all(0) if members else np.zeros(0, bool)
    found, drawn = {}, {}
    for number, (name, rows) in enumerate(members.items() if shared.any() else ()):
        who = None if people is None else people[rows]
        found[name], drawn[name] = _group(task, scored.of(rows), who, shared=shared, seed=seed + number)
    return {
        "groups": found,
        "gap": _gap(found, drawn),
        "too_few": {name: len(rows) for name, rows in every.items() if name not in members},
        "without": int((group == "").sum()),
        "labels_left_out": [str(task.names[k]) for k in np.flatnonzero(~shared)],
    }


def _enough(rows: np.ndarray, people: np.ndarray | None) -> bool:
    return len(rows) >= LEAST and (people is None or len(np.unique(people[rows])) > 1)


def _group(
    task: Task, scored: Scored, people: np.ndarray | None, *, shared: np.ndarray, seed: int
) -> tuple[dict[str, Any], np.ndarray]:
    """(result of a group, the resamples of its value). shared: bool [K], parts of the metric that are taken."""
    kind, count = KINDS[task.kind], len(scored.rows)
    contributions = kind.contributions(scored.labels, scored.predicted)
    units = bootstrap.units(kind.samples, count, None, people)
    found, drawn = bootstrap.estimate(contributions, lambda means: kind.value(kind.parts(means)[shared]), units, seed)
    parts = np.where(shared, kind.parts(contributions.mean(0)), np.nan)
    return {**found, "count": count, "detail": kind.detail(scored, task.names, parts=parts, folds=None)}, drawn


def _gap(found: Mapping[str, dict[str, Any]], drawn: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
    if len(found) < 2:
        return None
    low, high = (pick(found, key=lambda name: found[name]["value"]) for pick in (min, max))
    if low == high:  # all alike
        low, high = list(found)[:2]
    return {
        "value": found[high]["value"] - found[low]["value"],
        "interval": bootstrap.central(drawn[high] - drawn[low]),
        "between": (low, high),
    }
