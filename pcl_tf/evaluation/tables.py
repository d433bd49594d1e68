"""The results of a folder as cells of a table."""

from collections.abc import Iterable
from typing import Any

from pcl_tf.evaluation.metrics import percent

HEADER = ("model", "step", "task", "feature", "solver", "metric", "value", "95 % interval", "tested on")


def result_cells(rows: Iterable[dict[str, Any]]) -> list[list[Any]]:
    """Rows of ``result.json`` as cells under ``HEADER``; those of groups, and of a layer learnt on pairs, beneath each."""
    cells = []
    for row in rows:
        scale, unit = (100, " %") if percent(row["metric"]) else (1, "")
        counts = row.get("counts") or {}
        scored = counts.get("test", counts.get("pairs", ""))
        told = [("", row["metric"], row, scored, unit)]
        less = row.get("difference") or {}
        points = " in points" if unit else ""  # of percentages, not percent
        apart = f"less {less.get('to', '')}{points}"
        if less:
            told.append(("", f"{row['metric']} {apart}", less, "", ""))
        if row.get("learnt"):
            told.append(("", f"{row['metric']}, layer learnt on pairs", row["learnt"], scored, unit))
        if less.get("learnt"):
            told.append(("", f"{row['metric']}, layer learnt on pairs, {apart}", less["learnt"], "", ""))
        for column, of in (row.get("groups") or {}).items():
            told += [(f", {column}: {name}", row["metric"], g, g["count"], unit) for name, g in of["groups"].items()]
            if of["gap"]:
                low, high = of["gap"]["between"]
                gap = f"largest gap of {row['metric']}{points}"
                told.append((f", {column}: {low} to {high}", gap, of["gap"], "", ""))
        for part, metric, found, count, of_value in told:
            interval = " .. ".join(f"{scale * v:.2f}" for v in found["interval"]) if found.get("interval") else ""
            named = [row.get("model", ""), row.get("model_step", ""), f"{row['task']}{part}", row["feature"]]
            value = f"{scale * found['value']:.2f}{of_value}"
            cells.append([*named, row.get("solver", ""), metric, value, interval, count])
    return cells
