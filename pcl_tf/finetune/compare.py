"""Probe, fine-tuning and the same network from scratch on shares of the labels: what pre-training is worth."""

import pathlib
from typing import Any

import numpy as np

from pcl_tf.drawing import plain, save_figure
from pcl_tf.evaluation.kinds import percent

SHARES = (0.01, 0.1, 1.0)
WAYS = {"probe": "linear probe", "finetune": "fine-tuned", "scratch": "from scratch"}
SCRATCH_RATE = 1e-3  # as the paper trains the layers that it draws; those that are pre-trained move slower


def figure(rows: list[dict[str, Any]], path: str | pathlib.Path) -> None:
    """Draws the metric over the number of labelled images, a line a way, with 95 % intervals.

    The intervals resample the test; the training labels were drawn once.

    Args:
      rows: of ``result.json``, of one task and feature; their solvers begin with one of ``WAYS``.
      path: of the PNG.
    """
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(6, 4), layout="constrained")
    axes = drawn.add_subplot(xscale="log")
    scale = 100 if percent(rows[0]["metric"]) else 1
    for (name, words), marker, aside in zip(WAYS.items(), "osD", (0.95, 1.0, 1.05), strict=True):
        mine = sorted((r for r in rows if r["solver"].split("-")[0] == name), key=lambda r: r["counts"]["train"])
        x = np.array([r["counts"]["train"] / r["counts"]["folds"] for r in mine])
        y = scale * np.array([r["value"] for r in mine])
        low, high = scale * np.array([r["interval"] for r in mine]).T
        axes.errorbar(
            aside * x, y, [np.maximum(y - low, 0), np.maximum(high - y, 0)], marker=marker, capsize=3, label=words
        )
    numbers = sorted({round(r["counts"]["train"] / r["counts"]["folds"]) for r in rows})
    axes.set_xticks(numbers, [f"{n:,}" for n in numbers])
    axes.set_xlim(0.7 * numbers[0], 1.4 * numbers[-1])
    axes.minorticks_off()
    axes.set(
        xlabel="labelled images: all teach the probe, the others hold a fifth out\n"
        f"bars: 95 %, {rows[0]['resampled']} of the test resampled, labels drawn once",
        ylabel=rows[0]["metric"] + (" in %" if scale == 100 else ""),
        title=f"{plain(rows[0]['task'])}, {plain(rows[0]['feature'])}",
    )
    axes.grid(alpha=0.3)
    axes.legend()
    save_figure(drawn, path, dpi=150)
