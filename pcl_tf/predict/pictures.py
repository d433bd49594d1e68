"""Answers as pictures: curves over time with some of the faces below them, and a copy of a video with answers in it."""

import contextlib
import fractions
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from scipy.spatial.transform import Rotation

from pcl_tf.choices import ANGLES
from pcl_tf.drawing import plain, save_figure
from pcl_tf.faces.answers import PLACE
from pcl_tf.faces.cut import Cut
from pcl_tf.store import atomic_path

_FACES = 12  # drawn below the curves
_CLOCK = 90_000  # ticks a second
_COLOURS = ("red", "lime", "deepskyblue")  # axes of the head: to its side, down, out of its face


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


class Overlay:
    """Writes frames with answers into an .mp4, at the times at which the video has them, without sound.

    Args:
      container: opened for writing.
    """

    def __init__(self, container: Any) -> None:
        self._out, self._last = container, -1
        self._stream: Any = None

    def add(self, one: Cut, rows: list[Mapping[str, Any]]) -> None:
        """Adds a frame: its ``Cut`` with pixels, and its rows. The unreadable end of a video adds none."""
        import av

        image = one.picture.data
        if not isinstance(image, np.ndarray):
            return
        image = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]  # as the codec's colours need
        if self._stream is None:
            self._stream = self._out.add_stream("libx264", rate=30)
            self._stream.height, self._stream.width = image.shape[:2]
            self._stream.pix_fmt, self._stream.options = "yuv420p", {"crf": "20"}
            self._stream.codec_context.time_base = fractions.Fraction(1, _CLOCK)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(drawn(image, rows)), format="rgb24")
        self._last = max(self._last + 1, round((one.picture.time or 0.0) * _CLOCK))
        frame.pts, frame.time_base = self._last, fractions.Fraction(1, _CLOCK)
        self._out.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Writes what the codec holds."""
        if self._stream is not None:
            self._out.mux(self._stream.encode())


@contextlib.contextmanager
def overlay(path: str | pathlib.Path) -> Iterator[Overlay]:
    """Yields an ``Overlay``; the .mp4 has its name when all is written."""
    import av

    with atomic_path(path) as aside, av.open(str(aside), "w", format="mp4") as out:
        writes = Overlay(out)
        yield writes
        writes.close()


def drawn(image: np.ndarray, rows: list[Mapping[str, Any]]) -> np.ndarray:
    """A picture with the box of each face, the axes of its head, and its answers.

    Angles turn as in ``pcl_tf.heads``: positive yaw turns the nose to the picture's right, positive pitch up, positive roll
    the head clockwise.

    Args:
      image: uint8 [H, W, 3].
      rows: of ``Answers``.

    Returns:
      uint8 [H, W, 3].
    """
    picture = Image.fromarray(image)
    pen, width = ImageDraw.Draw(picture), max(2, image.shape[0] // 240)
    for row in rows:
        if not row["face_found"]:
            continue
        x, y, w, h = (row[key] for key in ("x", "y", "w", "h"))
        pen.rectangle((x, y, x + w, y + h), outline="white", width=width)
        if all(row.get(name) is not None for name in ANGLES):
            yaw, pitch, roll = (row[name] for name in ANGLES)
            axes = Rotation.from_euler("ZYX", [roll, yaw, pitch], degrees=True).as_matrix()
            middle = (x + w / 2, y + h / 2)
            for (right, down, _), colour in zip(axes.T, _COLOURS, strict=True):
                end = (middle[0] + right * w / 2, middle[1] + down * w / 2)
                pen.line((*middle, *end), fill=colour, width=2 * width)
        texts = [v for k, v in row.items() if isinstance(v, str) and k not in PLACE]
        words = "\n".join(f"{t} {100 * row[f'p_{t}']:.0f} %" if f"p_{t}" in row else t for t in texts)
        size = max(11, round(h / 8))
        at = (x + 2 * width, min(y + h, image.shape[0] - size * (len(texts) + 1)))
        pen.multiline_text(
            at, words, fill="white", font_size=size, stroke_width=max(1, size // 10), stroke_fill="black"
        )
    return np.asarray(picture)
