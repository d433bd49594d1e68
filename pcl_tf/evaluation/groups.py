"""Error by group: the metric of each group of a column with its interval, and how far the groups lie apart."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pcl_tf.evaluation import metrics
from pcl_tf.evaluation.measured import measured
from pcl_tf.evaluation.scored import Scored
from pcl_tf.evaluation.task import Task

LEAST = 10  # images or pairs; an interval of fewer says more than they can hold


def by_group(task: Task, scored: Scored, seed: int = 0) -> dict[str, dict[str, Any]]:
    """The metric of a task for each of its groups.

    All rows of a group are taken together, whichever fold tested them: a fold may have few of a small group. F1 is the
    mean over those labels alone that every scored group shows, since without a single positive it has no value.

    Args:
      task: ``Task``; its ``groups`` say which row is of which group, '' of none.
      scored: ``Scored``.
      seed: of the bootstrap.

    Returns:
      {column: {
        'groups': {name: {'value', 'interval', 'resampled', 'count', 'detail'}}, of those with LEAST rows, and two people
          where people are known;
        'gap': {'value', 'interval', 'between': (least, most)} of the two that lie farthest apart, None of fewer than two;
          its interval resamples the two apart, and knows nothing of their having been chosen among others;
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
    members = {str(name): np.flatnonzero(group == name) for name in np.unique(group) if name}
    few = {name: len(rows) for name, rows in members.items() if not _enough(rows, people)}
    members = {name: rows for name, rows in members.items() if name not in few}
    shown, left_out = _shown(task, scored, members)
    told, values = {}, {}
    if len(shown) or task.kind != "multilabel":
        for number, (name, rows) in enumerate(members.items()):
            told[name], values[name] = _score(task, scored, rows, people=people, shown=shown, seed=seed + number)
    return {
        "groups": told,
        "gap": _gap(told, values),
        "too_few": few,
        "without": int((group == "").sum()),
        "labels_left_out": left_out,
    }


def _enough(rows: np.ndarray, people: np.ndarray | None) -> bool:
    return len(rows) >= LEAST and (people is None or len(np.unique(people[rows])) > 1)


def _shown(task: Task, scored: Scored, members: Mapping[str, np.ndarray]) -> tuple[np.ndarray | tuple[()], list[str]]:
    """(places of the labels that all groups show, names of the others); of other kinds nothing is left out."""
    if task.kind != "multilabel":
        return (), []
    there = np.array([(scored.labels[rows] > 0.5).any(0) for rows in members.values()]).reshape(-1, len(task.names))
    everywhere: Any = there.all(0)
    return np.flatnonzero(everywhere), [str(n) for n, yes in zip(task.names, everywhere, strict=True) if not yes]


def _score(
    task: Task, scored: Scored, rows: np.ndarray, *, people: np.ndarray | None, shown: np.ndarray | tuple[()], seed: int
) -> tuple[dict[str, Any], np.ndarray]:
    """(what the result says of a group, the resamples of its value)."""
    contributions, statistic, detail = measured(task, scored, rows, shown=shown)
    who = None if people is None else people[rows]
    resampled = "pairs" if task.kind == "verification" else metrics.resampled(who)
    values = metrics.resamples(contributions, statistic, groups=None, seed=seed, clusters=who)
    found = {
        "value": metrics.over_folds(contributions, statistic, None),
        "interval": metrics.central(values),
        "resampled": resampled,
        "count": len(rows),
        "detail": detail,
    }
    return found, values


def _gap(told: Mapping[str, dict[str, Any]], values: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
    if len(told) < 2:
        return None
    low, high = (pick(told, key=lambda name: told[name]["value"]) for pick in (min, max))
    if low == high:  # all alike
        low, high = list(told)[:2]
    return {
        "value": told[high]["value"] - told[low]["value"],
        "interval": metrics.central(values[high] - values[low]),
        "between": (low, high),
    }
