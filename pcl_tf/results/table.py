"""Rows of ``result.json`` as a text table for the screen, and as cells of Markdown and LaTeX."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pcl_tf.evaluation.bootstrap import FEWEST
from pcl_tf.evaluation.groups import LEAST
from pcl_tf.evaluation.kinds import percent
from pcl_tf.evaluation.verification import WHITENED

HEADER = ("model", "step", "task", "feature", "solver", "metric", "value", "95 % interval", "tested on")
_FEW = 10  # groups named on the screen; result.json names all


@dataclasses.dataclass(frozen=True)
class _Line:
    """A value of a row.

    Attributes:
      found: with value and interval, of the whole test with its units.
      metric: with how it was taken.
      group: 'COLUMN: NAME', '' of the whole test.
      count: images or pairs; '' of differences.
      less: of a difference, what is subtracted.
      scale: factor of the value that is printed.
    """

    found: dict[str, Any]
    metric: str
    group: str = ""
    count: int | str = ""
    less: str = ""
    scale: int = 1

    def interval(self, form: str) -> str:
        """'LOW .. HIGH', and how many units were resampled if they are few."""
        low, high = (format(self.scale * v, form) for v in self.found["interval"])
        units = self.found.get("units", FEWEST)
        return f"{low} .. {high}" + (f" ({units} {self.found['resampled']} alone)" if units < FEWEST else "")


def _lines(row: dict[str, Any]) -> Iterator[_Line]:
    """Value, difference to the first model, both after the layer learnt on pairs, groups and the gaps between them."""
    metric, scale = row["metric"], 100 if percent(row["metric"]) else 1
    count, less = row["counts"].get("test", row["counts"].get("pairs")), row.get("difference") or {}
    learnt = row.get("learnt")
    raw = f"{metric}, raw cosine" if learnt else metric
    yield _Line(row, raw, count=count, scale=scale)
    if less:
        yield _Line(less, raw, less=less["to"], scale=scale)
    if learnt:
        yield _Line({**row, **learnt}, f"{metric}, {WHITENED}", count=count, scale=scale)
    if less.get("learnt"):
        yield _Line(less["learnt"], f"{metric}, {WHITENED}", less=less["to"], scale=scale)
    for column, of in (row.get("groups") or {}).items():
        for name, found in of["groups"].items():
            yield _Line(found, metric, f"{column}: {name}", found["count"], scale=scale)
        if of["gap"]:
            low, high = of["gap"]["between"]
            yield _Line(of["gap"], f"largest gap of {metric}", f"{column}: {high}", less=low, scale=scale)


def text(rows: Sequence[dict[str, Any]], *, header: bool = True) -> str:
    """Text table of rows, the values of a row beneath each other; solvers are named if there are several."""
    several = len({row["solver"] for row in rows}) > 1
    named = f"{'model':<28}{'task':<26}{'feature':<12}" + several * f"{'solver':<16}"
    lines = [f"{named}{'value':>8}   95 % interval      tested  metric"] if header else []
    for row in rows:
        for line in _lines(row):
            named = f"{_cut(row['model'], 27):<28}{_cut(row['task'], 25):<26}{row['feature']:<12}"
            named += several * f"{row['solver']:<16}"
            if line.group:
                named = f"{' ' * 28}{_cut(line.group, len(named) - 30):<{len(named) - 28}}"
            sign = "+" if line.less else ""
            value = format(line.scale * line.found["value"], f"{sign}8.2f")
            metric = f"{line.metric}, less {line.less}" if line.less else line.metric
            lines.append(f"{named}{value}   {line.interval(f'{sign}.2f'):<18}{line.count:>7}  {metric}")
        for column, of in (row.get("groups") or {}).items():
            if rest := _unscored(of, row["metric"]):
                lines.append(f"{' ' * 28}{column}: {rest}")
    return "\n".join(lines)


def cells(rows: Iterable[dict[str, Any]]) -> list[list[Any]]:
    """Rows as cells under ``HEADER``, the values of a row beneath each other."""
    out = []
    for row in rows:
        for line in _lines(row):
            points = " in points" if line.less and line.scale == 100 else ""  # of percentages, not percent
            metric = f"{line.metric}, less {line.less}{points}" if line.less else line.metric
            unit = " %" if line.scale == 100 and not line.less else ""
            task = f"{row['task']}, {line.group}" if line.group else row["task"]
            value = f"{line.scale * line.found['value']:.2f}{unit}"
            named = [row["model"], row["model_step"], task, row["feature"], row["solver"]]
            out.append([*named, metric, value, line.interval(".2f"), line.count])
    return out


def _unscored(of: dict[str, Any], metric: str) -> str:
    """What a column of groups leaves out, in words; '' for nothing."""
    few = [f"{name} ({count})" for name, count in of["too_few"].items()]
    named = ", ".join(few[:_FEW]) + (f" and {len(few) - _FEW} more" if len(few) > _FEW else "")
    lacking = ", ".join(of["labels_left_out"])
    parts = (
        f"fewer than {LEAST} rows, or one person, not scored: {named}" if few else "",
        "ranges, as 20-29, make larger groups of numbers" if len(few) > _FEW else "",
        f"of no group: {of['without']}" if of["without"] else "",
        f"{metric} without {lacking}, which not every group shows" if lacking else "",
    )
    return "; ".join(filter(None, parts))


def _cut(name: str, width: int) -> str:
    return name if len(name) <= width else ".." + name[2 - width :]
