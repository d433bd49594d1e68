"""Pictures of results, by matplotlib; ``Kind.picture`` names the one of each kind of task."""

import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import confusion_matrix, roc_curve

from pcl_tf.drawing import plain, save_figure
from pcl_tf.evaluation.evaluate import Result
from pcl_tf.evaluation.kinds import KINDS, scale_and_unit
from pcl_tf.evaluation.task import Task
from pcl_tf.evaluation.verification import WHITENED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WRITTEN, _NAMED = 12, 40  # classes up to which every cell of a confusion matrix has its number, each class its name
_PANELS = 12  # targets that are drawn, the first ones


def save(stem: str | pathlib.Path, task: Task, result: Result, *, row: dict[str, Any]) -> dict[str, str]:
    """Writes the picture of a result, whose row names model and feature, as STEM-NAME.png; returns {NAME: path}."""
    name = KINDS[task.kind].picture
    figure = _PICTURES[name](task, result)
    model = pathlib.PurePath(row["model"]).name or row["model"]
    scale, unit = scale_and_unit(result.metric)
    value, low, high = (f"{scale * v:.1f}" for v in (result.value, *result.interval))
    text = f"{result.metric} {value}{unit} (95 %: {low} to {high})"
    figure.suptitle(f"{plain(row['task'])}, {row['feature']} of {plain(model)}\n{text}", size=10)
    save_figure(figure, path := f"{stem}-{name}.png")
    return {name: path}


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _confusion(task: Task, result: Result) -> "Figure":
    count = len(task.names)
    counts: Any = confusion_matrix(result.scored.labels, result.scored.predicted, labels=range(count))
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = min(12, 2.5 + 0.5 * count)
    figure = _figure(side + 1, side)
    axes = figure.add_subplot(xlabel="predicted", ylabel="true")
    shown = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.ndindex(counts.shape) if count <= _WRITTEN else ():
        axes.text(j, i, counts[i, j], ha="center", va="center", color="w" if shares[i, j] > 0.5 else "k", size=8)
    names = [plain(name) for name in task.names] if count <= _NAMED else []
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    figure.colorbar(shown, label="share of the true class")
    return figure


def _roc(task: Task, result: Result) -> "Figure":
    rates = (result.roc or {})["TAR@FAR"]
    least = min(map(float, rates), default=0.1)
    figure = _figure(5.5, 4.5)
    axes = figure.add_subplot(xscale="log", xlim=(least / 2, 1), ylim=(0, 1.02))
    axes.set(xlabel="false accept rate", ylabel="true accept rate")
    for called, one in (("raw cosine", result), (WHITENED, result.learnt)):
        if one and one.roc:
            far, tar, _ = roc_curve(one.scored.labels, one.scored.scores, drop_intermediate=False)
            rate = one.roc["EER"]
            axes.plot(far, tar, label=f"{called}, EER {100 * rate:.1f} %")
            axes.plot(rate, 1 - rate, "ko", ms=3)
    for limit, share in rates.items():
        at, beside = (float(limit), share), (4, -11 if share > 0.1 else 5)
        axes.plot(*at, "k+")
        axes.annotate(f"{100 * share:.1f} %", at, xytext=beside, textcoords="offset points", size=8)
    axes.grid(alpha=0.3)
    axes.plot(chance := np.geomspace(least / 2, 1, 50), chance, "k:", lw=1, label="chance")
    axes.plot([], [], "ko", ms=3, ls="", label="EER")
    axes.plot([], [], "k+", ls="", label="TAR at FAR, raw cosine")
    axes.legend(loc="upper left")
    return figure


def _f1(task: Task, result: Result) -> "Figure":
    names = list(result.detail)
    values = 100 * np.array([result.detail[n] for n in names])
    low, high = 100 * np.array([result.detail_intervals[n] for n in names]).T
    figure = _figure(min(24, max(4.5, 1.5 + 0.6 * len(names))), 4)
    axes = figure.add_subplot(ylabel="F1 in %, 95 % intervals", ylim=(0, 100))
    reach = [np.maximum(values - low, 0), np.maximum(high - values, 0)]
    axes.bar(range(len(names)), values, yerr=reach, capsize=3, color="tab:blue", alpha=0.8)
    axes.axhline(100 * result.value, color="k", ls="--", lw=1, label="mean")
    axes.set_xticks(range(len(names)), [plain(n) for n in names], rotation=45 if len(names) > 8 else 0)
    axes.legend()
    return figure


def _against(task: Task, result: Result) -> "Figure":
    names = task.names[:_PANELS]
    across = min(3, len(names))
    down = -(-len(names) // across)
    figure = _figure(1 + 3.2 * across, 1 + 3.2 * down)
    for k, name in enumerate(names):
        title = f"{plain(name)}: MAE {result.detail[name]:.2f}"
        axes: Axes = figure.add_subplot(down, across, k + 1, xlabel="true", ylabel="predicted", title=title)
        true, predicted = result.scored.labels[:, k], result.scored.predicted[:, k]
        ends = min(true.min(), predicted.min()), max(true.max(), predicted.max())
        axes.plot(ends, ends, "k--", lw=1)
        axes.scatter(true, predicted, s=6, alpha=0.4, rasterized=True)
        axes.set_aspect("equal", adjustable="datalim")
    return figure


_PICTURES: dict[str, Callable[[Task, Result], "Figure"]] = {
    "confusion": _confusion,
    "roc": _roc,
    "f1": _f1,
    "predicted-true": _against,
}
