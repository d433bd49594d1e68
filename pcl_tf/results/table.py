"""Rows of ``result.json`` as a text table for the screen, and as cells of Markdown and LaTeX."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from pcl_tf.evaluation.bootstrap import FEWEST
from pcl_tf.evaluation.groups import LEAST
from pcl_tf.evaluation.kinds import percent
from pcl_tf.evaluation.verification import WHITENED

HEADER = ("model", "step", "task", "feature", "solver", "metric", "value", "95 % interval", "tested on")
_FEW = 10  # groups named on the screen; result.json names all


class _Line(NamedTuple):
    """A value of a row.

    Attributes:
      found: with value and interval, of the whole test with its units.
      metric: with how it was taken.
      group: 'COLUMN: NAME', '' of the whole test.
      tested: images or pairs; '' of differences.
      less: of a difference, what is subtracted.
    """

    found: dict[str, Any]
    metric: str
    group: str = ""
    tested: int | str = ""
    less: str = ""

    def numbers(self, scale: int, form: str) -> tuple[str, str]:
        """(value, 'LOW .. HIGH' and how many units were resampled if they are few), as printed."""
        low, high = (format(scale * v, form) for v in self.found["interval"])
        units = self.found.get("units", FEWEST)
        few = f" ({units} {self.found['resampled']} alone)" if units < FEWEST else ""
        return format(scale * self.found["value"], form), f"{low} .. {high}{few}"


def _lines(row: dict[str, Any]) -> Iterator[_Line]:
    """Value, difference to the first model, both after the layer learnt on pairs, groups and the gaps between them."""
    metric, count = row["metric"], row["counts"].get("test", row["counts"].get("pairs"))
    less, learnt = row.get("difference") or {}, row.get("learnt")
    raw, white = (f"{metric}, raw cosine" if learnt else metric), f"{metric}, {WHITENED}"
    yield _Line(row, raw, tested=count)
    if less:
        yield _Line(less, raw, less=less["to"])
    if learnt:
        yield _Line({**row, **learnt}, white, tested=count)
    if less.get("learnt"):
        yield _Line(less["learnt"], white, less=less["to"])
    for column, of in (row.get("groups") or {}).items():
        for name, found in of["groups"].items():
            yield _Line(found, metric, f"{column}: {name}", found["count"])
        if of["gap"]:
            low, high = of["gap"]["between"]
            yield _Line(of["gap"], f"largest gap of {metric}", f"{column}: {high}", less=low)


def text(rows: Sequence[dict[str, Any]], *, header: bool = True) -> str:
    """Text table of rows, the values of a row beneath each other; solvers are named if there are several."""
    several = len({row["solver"] for row in rows}) > 1
    named = f"{'model':<28}{'task':<26}{'feature':<12}" + several * f"{'solver':<16}"
    lines = [f"{named}{'value':>8}   95 % interval      tested  metric"] if header else []
    for row in rows:
        scale = 100 if percent(row["metric"]) else 1
        own = f"{_cut(row['model'], 27):<28}{_cut(row['task'], 25):<26}{row['feature']:<12}"
        own += several * f"{row['solver']:<16}"
        for line in _lines(row):
            named = f"{'':28}{_cut(line.group, len(own) - 30):<{len(own) - 28}}" if line.group else own
            value, interval = line.numbers(scale, "+.2f" if line.less else ".2f")
            metric = f"{line.metric}, less {line.less}" if line.less else line.metric
            lines.append(f"{named}{value:>8}   {interval:<18}{line.tested:>7}  {metric}")
        for column, of in (row.get("groups") or {}).items():
            if rest := _unscored(of, row["metric"]):
                lines.append(f"{'':28}{column}: {rest}")
    return "\n".join(lines)


def cells(rows: Iterable[dict[str, Any]]) -> list[list[Any]]:
    """Rows as cells under ``HEADER``, the values of a row beneath each other."""
    out = []
    for row in rows:
        scale = 100 if percent(row["metric"]) else 1
        for line in _lines(row):
            value, interval = line.numbers(scale, ".2f")
            metric = line.metric
            if line.less:  # of percentages a difference is in points, not in percent
                metric += f", less {line.less}" + (" in points" if scale == 100 else "")
            elif scale == 100:
                value += " %"
            task = f"{row['task']}, {line.group}" if line.group else row["task"]
            named = [row["model"], row["model_step"], task, row["feature"], row["solver"]]
            out.append([*named, metric, value, interval, line.tested])
    return out


def _unscored(of: dict[str, Any], metric: str) -> str:
    """What a column of groups leaves out, in words; '' for nothing."""
    few = [f"{name} ({count})" for name, count in of["too_few"].items()]
    named = ", ".join(few[:_FEW]) + (f" and {len(few) - _FEW} more" if len(few) > _FEW else "")
    lacking = ", ".join(of["labels_left_out"])
    parts = (
        f"fewer than {LEAST} rows, or one person, not scored: {named}" if few else "",
        f"of no group: {of['without']}" if of["without"] else "",
        f"{metric} without {lacking}, which not every group shows" if lacking else "",
    )
    return "; ".join(filter(None, parts))


def _cut(name: str, width: int) -> str:
    return name if len(name) <= width else ".." + name[2 - width :]
