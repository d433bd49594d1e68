"""Curves of the answers over time, some of the faces below them."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pcl_tf.choices import ANGLES
from pcl_tf.drawing import plain, save_figure
from pcl_tf.faces.cut import Cut

_FACES = 12  # drawn below the curves


class Curves:
    """Collects the answers for the largest face of each picture; memory is one number a curve and picture.

    Args:
      panels: of ``Answers``, one a head.
    """

    def __init__(self, panels: Sequence[tuple[str, Mapping[str, str]]]) -> None:
        self.panels = panels
        self._values: dict[str, list[float]] = {name: [] for _, panel in panels for name in panel}
        self._time: list[float | None] = []
        self._faces: dict[int, np.ndarray] = {}
        self._step = 1

    def add(self, one: Cut, rows: list[dict[str, Any]]) -> None:
        """Adds a picture: its ``Cut`` and its rows."""
        place = len(self._time)
        self._time.append(one.picture.time)
        for name, values in self._values.items():
            values.append(np.nan if rows[0][name] is None else rows[0][name])
        if one.boxes and place % self._step == 0:
            self._faces[place] = one.faces[max(one.faces)][0]
            if len(self._faces) > 2 * _FACES:  # keeps every second: an even choice, however many come
                self._step *= 2
                self._faces = {i: face for i, face in self._faces.items() if i % self._step == 0}

    def draw(self, path: str | pathlib.Path) -> None:
        """Writes the PNG; a gap in a curve is where there is no face."""
        from matplotlib.figure import Figure

        clock = [t for t in self._time if t is not None]
        timed = len(clock) == len(self._time) and all(b > a for a, b in zip(clock, clock[1:], strict=False))
        x = np.array(clock) if timed else np.arange(len(self._time))
        chosen = sorted(self._faces)
        chosen = [chosen[i] for i in np.unique(np.linspace(0, len(chosen) - 1, _FACES).astype(int))] if chosen else []
        figure = Figure(figsize=(10, 2.6 * len(self.panels) + 1.2), layout="constrained")
        grid = figure.add_gridspec(len(self.panels) + 1, _FACES, height_ratios=[3] * len(self.panels) + [1])
        for i, (title, names) in enumerate(self.panels):
            axes = figure.add_subplot(grid[i, :])
            for name, label in names.items():
                axes.plot(x, self._values[name], label=plain(label), lw=1, marker="." * (len(x) < 50))
            shares = all(name.startswith("p_") for name in names)
            axes.set(ylabel="probability" if shares else "degrees" if {*names.values()} & {*ANGLES} else "value")
            axes.set_title(plain(title, 80), size=9)
            axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8)
            axes.grid(alpha=0.3)
            axes.set_xlim(x[0], max(x[-1], x[0] + 1e-3))
        axes.set_xlabel("seconds" if timed else "number of the picture")
        for i, place in enumerate(chosen):
            below = figure.add_subplot(grid[-1, i])
            below.imshow(self._faces[place])
            below.set_title(f"{x[place]:.1f} s" if timed else str(place), size=8)
            below.set_axis_off()
        save_figure(figure, path)
