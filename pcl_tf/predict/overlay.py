"""A copy of a video with the answers written over it."""

import contextlib
import fractions
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import av
import numpy as np
from PIL import Image, ImageDraw
from scipy.spatial.transform import Rotation

from pcl_tf.choices import ANGLES
from pcl_tf.faces.answers import PLACE
from pcl_tf.faces.cut import Cut
from pcl_tf.store import atomic_path

_CLOCK = 90_000  # ticks a second
_COLOURS = ("red", "lime", "deepskyblue")  # axes of the head: to its side, down, out of its face


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
