"""Rows of ``result.json`` as cells of a table, and as text for the screen."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pcl_tf.data.files import some
from pcl_tf.evaluation.bootstrap import FEWEST
from pcl_tf.evaluation.evaluate import LEAST
from pcl_tf.evaluation.kinds import scale_and_unit
from pcl_tf.evaluation.verification import WHITENED

HEADER = ("model", "step", "task", "feature", "solver", "metric", "value", "95 % interval", "tested on")
# Of a value: the dict that holds it with its interval, how it was taken, 'COLUMN: NAME' of its group, what is subtracted.
_Line = tuple[dict[str, Any], str, str, str]


def _lines(row: dict[str, Any]) -> Iterator[_Line]:
    """Value, difference to the first model, both after the layer learnt on pairs, groups and the gaps between them."""
    metric, less, learnt = row["metric"], row.get("difference") or {}, row.get("learnt")
    raw, white = (f"{metric}, raw cosine" if learnt else metric), f"{metric}, {WHITENED}"
    yield row, raw, "", ""
    if less:
        yield less, raw, "", less["to"]
    if learnt:
        yield {**row, **learnt}, white, "", ""
    if less.get("learnt"):
        yield less["learnt"], white, "", less["to"]
    for column, of in (row.get("groups") or {}).items():
        for name, found in of["groups"].items():
            yield found, metric, f"{column}: {name}", ""
        if of["gap"]:
            low, high = of["gap"]["between"]
            yield of["gap"], f"largest gap of {metric}", f"{column}: {high}", low


def cells(rows: Iterable[dict[str, Any]]) -> list[list[Any]]:
    """Rows as cells under ``HEADER``, the values of a row beneath each other."""
    out = []
    for row in rows:
        scale, unit = scale_and_unit(row["metric"])
        for found, metric, group, less in _lines(row):
            form = "+.2f" if less else ".2f"
            value, low, high = (format(scale * v, form) for v in (found["value"], *found["interval"]))
            units = found.get("units", FEWEST)
            interval = f"{low} .. {high}" + (f" ({units} {found['resampled']} alone)" if units < FEWEST else "")
            if less:  # of percentages it is in points, not in percent
                metric += f", less {less}" + " in points" * (scale == 100)
            counts = found.get("counts", {})
            count = found.get("count", counts.get("test", counts.get("pairs", "")))
            task = f"{row['task']}, {group}" if group else row["task"]
            named = [row["model"], row["model_step"], task, row["feature"], row["solver"]]
            out.append([*named, metric, value if less else value + unit, interval, count])
    return out


def text(rows: Sequence[dict[str, Any]], *, header: bool = True) -> str:
    """Text table of rows, the values of a row beneath each other, and what their groups leave out."""
    lines = [_line(HEADER)] * header
    for row in rows:
        lines += [*map(_line, cells([row])), *_unscored(row)]
    return "\n".join(lines)


def _line(cells: Sequence[Any]) -> str:
    model, _, task, feature, solver, metric, value, interval, count = cells
    named = f"{_cut(model, 27):<28}{_cut(task, 27):<28}{feature:<12}{solver:<12}"
    return f"{named} {value:>8}   {interval:<18}{count:>9}  {metric}"


def _cut(name: str, width: int) -> str:
    return name if len(name) <= width else ".." + name[2 - width :]


def _unscored(row: dict[str, Any]) -> Iterator[str]:
    """A line for each column of groups on what it leaves out."""
    for column, of in (row.get("groups") or {}).items():
        few = some([f"{name} ({count})" for name, count in of["too_few"].items()], 10)
        lacking = ", ".join(of["labels_left_out"])
        parts = (
            f"fewer than {LEAST} rows, or one person, not scored: {few}" if few else "",
            f"of no group: {of['without']}" if of["without"] else "",
            f"{row['metric']} without {lacking}, which not every group shows" if lacking else "",
        )
        if any(parts):
            yield f"{'':28}{column}: {'; '.join(filter(None, parts))}"
