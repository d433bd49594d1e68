"""Pictures of what a probe found, by matplotlib: each kind of task has its own."""

import io
import pathlib
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pcl_tf.evaluation import curves
from pcl_tf.evaluation.metrics import percent
from pcl_tf.evaluation.scored import Scored
from pcl_tf.evaluation.task import Task
from pcl_tf.store import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI = 120
_WRITTEN = 12  # classes up to which every cell of a confusion matrix has its number
_LABELLED = 40  # and up to which each has its name
_PANELS = 12  # targets that are drawn, the first ones
_LONGEST = 28  # letters of a name


def draw(task: Task, scored: Scored, row: dict[str, Any]) -> dict[str, bytes]:
    """The pictures of a result.

    Args:
      task: what was tested.
      scored: of its result.
      row: of ``result.json``: names, values and intervals.

    Returns:
      {name of the picture: its PNG, bytes}; of verification none where pairs of one person, or of two, are lacking.

    Raises:
      ImportError: matplotlib is not installed.
    """
    name, painter = _PICTURES[task.kind]
    figure = painter(task, scored, row)
    if figure is None:
        return {}
    model = pathlib.PurePath(row["model"]).name or row["model"]
    figure.suptitle(f"{plain(row['task'])}, {row['feature']} of {plain(model)}", size=10)
    buffer = io.BytesIO()
    with warnings.catch_warnings():  # of letters that its font does not have
        warnings.simplefilter("ignore")
        # No version in it: the same result is the same file.
        figure.savefig(buffer, dpi=_DPI, format="png", metadata={"Software": None})
    return {name: buffer.getvalue()}


def save(stem: str | pathlib.Path, drawn: Mapping[str, bytes]) -> dict[str, str]:
    """Writes pictures as STEM-NAME.png, each whole or not at all: {name: path as str}."""
    paths = {name: f"{stem}-{name}.png" for name in drawn}
    for name, data in drawn.items():
        write_atomically(paths[name], data)
    return paths


def _figure(width: float, height: float) -> tuple["Figure", "Axes"]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """How often each class is taken for each: int [N], int [N] -> int [K, K], rows what is true."""
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def _confusion(task: Task, scored: Scored, row: dict[str, Any]) -> "Figure":
    names = [str(name) for name in task.names]
    counts: Any = confusion_matrix(scored.labels, scored.predicted, len(names))
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = min(12, 2.5 + 0.5 * len(names))
    figure, axes = _figure(side + 1, side)
    shown = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(names) <= _WRITTEN:
        for i, j in np.ndindex(counts.shape):
            axes.text(j, i, counts[i, j], ha="center", va="center", color="w" if shares[i, j] > 0.5 else "k", size=8)
    ticks = range(len(names)) if len(names) <= _LABELLED else []
    axes.set_xticks(ticks, [plain(names[i]) for i in ticks], rotation=45, ha="right")
    axes.set_yticks(ticks, [plain(names[i]) for i in ticks])
    axes.set(xlabel="predicted", ylabel="true", title=_said(row))
    figure.colorbar(shown, label="share of the true class")
    return figure


def _roc(task: Task, scored: Scored, row: dict[str, Any]) -> "Figure | None":
    if row["roc"] is None:
        return None
    figure, axes = _figure(5.5, 4.5)
    for column, called in enumerate(("cosine", "layer learnt on pairs")[: scored.scores.shape[1]]):
        far, tar = curves.roc(scored.scores[:, column], scored.labels)
        rate = curves.equal_error_rate(far, tar)
        axes.plot(far, tar, label=f"{called}, EER {100 * rate:.1f} %")
        axes.plot(rate, 1 - rate, "ko", ms=3)
    for limit, share in row["roc"]["TAR@FAR"].items():
        axes.plot(float(limit), share, "k+")
        axes.annotate(
            f"{100 * share:.1f} %",
            (float(limit), share),
            xytext=(4, -11 if share > 0.1 else 5),
            textcoords="offset points",
            size=8,
        )
    least = min(map(float, row["roc"]["TAR@FAR"]), default=0.1)
    axes.set(xscale="log", xlim=(least / 2, 1), ylim=(0, 1.02), title=_said(row))
    axes.set(xlabel="false accept rate", ylabel="true accept rate")
    axes.grid(alpha=0.3)
    axes.plot(chance := np.geomspace(least / 2, 1, 50), chance, "k:", lw=1, label="chance")
    axes.plot([], [], "ko", ms=3, ls="", label="EER")
    axes.plot([], [], "k+", ls="", label="TAR at FAR, cosine")
    axes.legend(loc="upper left")
    return figure


def _f1(task: Task, scored: Scored, row: dict[str, Any]) -> "Figure":
    names = list(row["detail"])
    values = 100 * np.array([row["detail"][n] for n in names])
    low, high = 100 * np.array([row["detail_intervals"][n] for n in names]).T
    figure, axes = _figure(min(24, max(4.5, 1.5 + 0.6 * len(names))), 4)
    reach = [np.maximum(values - low, 0), np.maximum(high - values, 0)]
    axes.bar(range(len(names)), values, yerr=reach, capsize=3, color="tab:blue", alpha=0.8)
    axes.axhline(100 * row["value"], color="k", ls="--", lw=1, label="mean")
    axes.set_xticks(range(len(names)), [plain(n) for n in names], rotation=45 if len(names) > 8 else 0)
    axes.set(ylabel="F1 in %, 95 % intervals", ylim=(0, 100), title=_said(row))
    axes.legend()
    return figure


def _against(task: Task, scored: Scored, row: dict[str, Any]) -> "Figure":
    from matplotlib.figure import Figure

    names = [str(name) for name in task.names[:_PANELS]]
    across = min(3, len(names))
    down = -(-len(names) // across)
    figure = Figure(figsize=(1 + 3.2 * across, 1 + 3.2 * down), layout="constrained")
    for k, name in enumerate(names):
        axes = figure.add_subplot(down, across, k + 1)
        true, said = scored.labels[:, k], scored.predicted[:, k]
        ends = min(true.min(), said.min()), max(true.max(), said.max())
        axes.plot(ends, ends, "k--", lw=1)
        axes.scatter(true, said, s=6, alpha=0.4, rasterized=True)
        axes.set(xlabel="true", ylabel="predicted", title=f"{plain(name)}: MAE {row['detail'][name]:.2f}")
        axes.set_aspect("equal", adjustable="datalim")
    figure.suptitle(_said(row))
    return figure


def _said(row: dict[str, Any]) -> str:
    scale = 100 if percent(row["metric"]) else 1
    low, high = (scale * v for v in row["interval"])
    unit = " %" if scale == 100 else ""
    return f"{row['metric']} {scale * row['value']:.1f}{unit} (95 %: {low:.1f} to {high:.1f})"


def plain(text: str) -> str:
    """A name as it stands, cut where it is long: matplotlib takes what is between two dollars for a formula."""
    text = str(text)
    return (text if len(text) <= _LONGEST else f"{text[: _LONGEST - 2]}..").replace("$", r"\$")


# kind of task -> (name of the picture, what draws it)
_PICTURES: dict[str, tuple[str, Callable[[Task, Scored, dict[str, Any]], "Figure | None"]]] = {
    "classification": ("confusion", _confusion),
    "verification": ("roc", _roc),
    "multilabel": ("f1", _f1),
    "regression": ("predicted-true", _against),
}
