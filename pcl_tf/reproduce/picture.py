"""A filled table as a picture: our numbers with their intervals, the paper's in panels beside them."""

import pathlib
from typing import TYPE_CHECKING, Any

from pcl_tf.drawing import plain, save_figure
from pcl_tf.evaluation.kinds import percent

if TYPE_CHECKING:
    from pcl_tf.reproduce.paper import Table


def draw(number: int, table: "Table", rows: list[dict[str, Any]], *, path: pathlib.Path) -> None:
    """Draws a panel for each task, and one for each column that the paper prints; rows as in the table.

    Args:
      number: of the table.
      table: what was filled.
      rows: of ``tables.fill``.
      path: of the PNG.
    """
    from matplotlib.figure import Figure

    ours = list(dict.fromkeys(name for row in rows for name in row["ours"]))
    theirs = list(dict.fromkeys(column for row in rows for column in row["paper"]))
    places = range(len(rows), 0, -1)  # the first row on top
    figure = Figure(figsize=(2.4 + 2.1 * len([*ours, *theirs]), 1.4 + 0.28 * len(rows)), layout="constrained")
    panels = figure.subplots(1, len([*ours, *theirs]), sharey=True, squeeze=False)[0]
    for axes, name in zip(panels, ours, strict=False):
        for place, row in zip(places, rows, strict=True):
            if name in row["ours"]:
                found = row["ours"][name]
                scale = 100 if percent(found["metric"]) else 1
                mean, (low, high) = scale * found["mean"], (scale * v for v in found["interval"])
                bars = [[max(0, mean - low)], [max(0, high - mean)]]
                axes.errorbar(mean, place, xerr=bars, fmt="o", capsize=3, color="C0")
                axes.set_xlabel(found["metric"] + (" in %" if scale == 100 else ""))
        axes.set_title(",\n".join(map(plain, name.split(", "))), fontsize=10)  # a task, and how it was scored
    for axes, column in zip(panels[len(ours) :], theirs, strict=True):
        values = [row["paper"].get(column) for row in rows]
        axes.plot(values, list(places), "D", color="C1", fillstyle="none")
        axes.set_title(f"the paper's {column}", fontsize=10)
    for axes in panels:
        axes.grid(alpha=0.3)
        axes.set_ylim(0.4, len(rows) + 0.6)
    panels[0].set_yticks(list(places), [row["label"] for row in rows])
    figure.suptitle(f"Table {number}. {table.title}", fontsize=11)
    save_figure(figure, path, dpi=110)
