"""Error by group: the metric of each group of a column with its interval, and how far the groups lie apart."""

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
    return {column: _column(task, scored, group[scored.rows], seed) for column, group in task.groups.items()}


def _column(task: Task, scored: Scored, group: np.ndarray, seed: int) -> dict[str, Any]:
    kind, people = KINDS[task.kind], None if task.subjects is None else task.subjects[scored.rows]
    every = {str(name): np.flatnonzero(group == name) for name in np.unique(group) if name}
    members = {
        name: rows
        for name, rows in every.items()
        if len(rows) >= LEAST and (people is None or len(np.unique(people[rows])) > 1)
    }
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
        "too_few": {name: len(rows) for name, rows in every.items() if name not in members},
        "without": int((group == "").sum()),
        "labels_left_out": [str(task.names[k]) for k in np.flatnonzero(~shared)],
    }
