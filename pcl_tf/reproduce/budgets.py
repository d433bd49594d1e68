"""Score against encoder passes: PCL and SimCLR at several budgets, and the power law that goes through them."""

import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from pcl_tf.evaluation.metrics import percent
from pcl_tf.reproduce.paper import Row, Table

TRAINED = {"": "PCL", "simclr": "SimCLR"}
FIXED = {"hog": "HoG", "untrained": "untrained backbone"}
FURTHER = (10, 100)  # times the largest budget, for which the law is asked
_DRAWS = 4000


def table(roles: Iterable[str]) -> Table:
    """The rows that are evaluated at every budget: PCL, SimCLR, and what no budget changes."""
    rows = tuple(Row(label, {}, model) for model, label in (FIXED | TRAINED).items())
    return Table("Score against encoder passes", tuple(roles), rows)


def power_law(
    passes: Sequence[float] | np.ndarray,
    values: Sequence[float],
    intervals: Sequence[tuple[float, float]],
    *,
    at: Sequence[float] | np.ndarray,
    seed: int = 0,
) -> dict[str, Any]:
    """Fits ``y = a * passes ** -b`` to what is wrong: least squares on logarithms.

    Every draw of the interval moves each value by a normal error as wide as its own interval, and fits again. All values
    are evaluated on the same images, so the draws, which are independent, say too much of the slope and too little of the level.
    A level that no budget passes is not part of the law: a few points cannot tell it from a smaller exponent, so what is said
    far beyond them is the better end.

    Args:
      passes: of the encoder, N positive numbers, two at least that differ.
      values: what is wrong at each, N positive numbers: the share of errors, or degrees.
      intervals: (low, high), 95 %, of each.
      at: numbers of passes at which the law is asked.
      seed: of the draws.

    Returns:
      {'exponent': (b, low, high), 'at': [(value, low, high) of each of ``at``]}, 95 %.
    """
    x, y = np.log(np.asarray(passes, np.float64)), np.asarray(values, np.float64)
    low, high = np.asarray(intervals, np.float64).T
    errors = np.random.default_rng(seed).normal(size=(_DRAWS, len(y))) * (high - low) / (2 * 1.96)
    drawn = np.log(np.maximum(np.concatenate([y[None], y + errors]), 1e-6))
    slope = (drawn - drawn.mean(1, keepdims=True)) @ (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    level = drawn.mean(1) - slope * x.mean()
    said = np.exp(level[:, None] + slope[:, None] * np.log(np.asarray(at, np.float64)))

    def with_interval(found: np.ndarray) -> tuple[float, ...]:
        return (float(found[0]), *map(float, np.quantile(found[1:], [0.025, 0.975])))

    return {"exponent": with_interval(-slope), "at": [with_interval(column) for column in said.T]}


def curves(filled: Mapping[int, list[dict[str, Any]]]) -> dict[str, dict[str, dict[str, Any]]]:
    """What every task says of every model over the budgets.

    Args:
      filled: {encoder passes: rows of ``tables.fill`` for ``table``}, two budgets at least.

    Returns:
      {task: {label: {'metric', 'passes', 'mean', 'std', 'interval', and of what is trained 'exponent', 'predicted': {times
      the largest budget: (value, low, high)}}}}, in the metric's own units.
    """
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for passes, rows in sorted(filled.items()):
        for row in rows:
            for task, ours in row["ours"].items():
                line = found.setdefault(task, {}).setdefault(row["label"], {"metric": ours["metric"], "passes": []})
                line["passes"].append(passes)
                for key in ("mean", "std", "interval"):
                    line.setdefault(key, []).append(ours[key])
    for lines in found.values():
        for label in TRAINED.values():
            line = lines[label]
            law = power_law(line["passes"], *_wrong(line), at=[max(line["passes"]) * times for times in FURTHER])
            line["exponent"] = law["exponent"]
            line["predicted"] = {t: _right(line, v) for t, v in zip(FURTHER, law["at"], strict=True)}
    return found


def _wrong(line: dict[str, Any]) -> tuple[list[float], list[tuple[float, float]]]:
    """Values and intervals as something that falls to 0: of a share of right answers, the share of wrong ones."""
    if percent(line["metric"]):
        return [1 - v for v in line["mean"]], [(1 - high, 1 - low) for low, high in line["interval"]]
    return line["mean"], line["interval"]


def _right(line: dict[str, Any], value: tuple[float, float, float]) -> tuple[float, float, float]:
    middle, low, high = value
    return (1 - middle, 1 - high, 1 - low) if percent(line["metric"]) else (middle, low, high)


def markdown(found: dict[str, dict[str, dict[str, Any]]]) -> str:
    """The curves as Markdown, a table for each task."""
    parts = []
    for task, lines in found.items():
        passes = lines[TRAINED[""]]["passes"]
        header = ["encoder passes", *(f"{p:,}" for p in passes), "exponent", *(f"x {t}, predicted" for t in FURTHER)]
        rows = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
        for label, line in lines.items():
            scale = 100 if percent(line["metric"]) else 1

            def said(value: tuple[float, float, float], scale: int = scale) -> str:
                return f"{scale * value[0]:.2f} [{scale * value[1]:.1f}, {scale * value[2]:.1f}]"

            cells = [said((m, *i)) for m, i in zip(line["mean"], line["interval"], strict=True)]
            law = ["", *("" for _ in FURTHER)]
            if "exponent" in line:
                law = ["{:.3f} [{:.3f}, {:.3f}]".format(*line["exponent"]), *map(said, line["predicted"].values())]
            rows.append(f"| {' | '.join([label, *cells, *law])} |")
        parts.append(f"**{task}**, {lines[TRAINED['']]['metric']}\n\n" + "\n".join(rows))
    return "\n\n".join(parts) + "\n"


def picture(found: dict[str, dict[str, dict[str, Any]]], path: str | pathlib.Path) -> None:
    """Draws score against encoder passes, a panel for each task: what was measured, with 95 % intervals, and the power laws.

    Args:
      found: of ``curves``.
      path: of the PNG.

    Raises:
      ImportError: matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    from pcl_tf.evaluation.pictures import plain
    from pcl_tf.files import atomic_path

    drawn = Figure(figsize=(4.4 * len(found), 4), layout="constrained")
    for axes, (task, lines) in zip(drawn.subplots(1, len(found), squeeze=False)[0], found.items(), strict=True):
        scale = 100 if percent(lines[TRAINED[""]]["metric"]) else 1
        for label, colour in zip(TRAINED.values(), ("C0", "C1"), strict=True):
            _draw(axes, lines[label], label, colour=colour, scale=scale)
        for label, style in zip(FIXED.values(), ("--", ":"), strict=True):
            axes.axhline(scale * lines[label]["mean"][0], color="grey", linestyle=style, label=label)
        metric = lines[TRAINED[""]]["metric"]
        axes.set(xscale="log", title=plain(task), ylabel=metric + (" in %" if scale == 100 else ""))
        axes.set_xlabel("encoder passes\nbars and bands: 95 %, test images resampled")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    with atomic_path(path) as aside:
        drawn.savefig(aside, dpi=120, format="png", metadata={"Software": None})


def _draw(axes: Any, line: dict[str, Any], label: str, *, colour: str, scale: int) -> None:
    passes, mean = np.array(line["passes"]), scale * np.array(line["mean"])
    low, high = scale * np.array(line["interval"]).T
    bars = np.maximum(0, [mean - low, high - mean])  # a mean may lie a little outside of what was resampled
    axes.errorbar(passes, mean, bars, fmt="o", capsize=3, color=colour, label=label)
    asked = np.geomspace(passes.min(), passes.max() * FURTHER[0], 40)
    law = power_law(passes, *_wrong(line), at=asked)
    middle, low, high = scale * np.array([_right(line, value) for value in law["at"]]).T
    axes.plot(asked, middle, color=colour, linewidth=1)
    axes.fill_between(asked, low, high, color=colour, alpha=0.12, linewidth=0)
