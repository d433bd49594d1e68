"""Faces cut out of frames in their order, without the trembling of a detector that looks at each frame anew."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image
from scipy import ndimage
from tqdm import tqdm

from pcl_tf.data.images import centre, decode_upright
from pcl_tf.data.sources import Items, Source, fingerprint
from pcl_tf.errors import Refused
from pcl_tf.prepare import crop, detector, sheet, work

EVERY = 10  # of a person's frames one in so many is looked at, half a second of DISFA's videos
WINDOW = 5  # of those, the median of so many neighbours counts: one wrong box moves nothing
LEAST = 0.5  # share of the looked-at frames in which a face must be found


def steady(found: np.ndarray) -> np.ndarray:
    """Squares for all frames of a person from those of some.

    Args:
      found: float [N, 3], row, column and side of the face in each frame, NaN where none is known.

    Returns:
      float [N, 3] without NaN: medians of neighbours, and straight lines between them.
    """
    known = np.flatnonzero(np.isfinite(found).all(axis=1))
    smooth = ndimage.median_filter(found[known], size=(WINDOW, 1), mode="nearest")
    return np.stack([np.interp(np.arange(len(found)), known, column) for column in smooth.T], axis=1)


class Faces:
    """The faces of a source of frames.

    Args:
      source: ``Source`` of frames, in the order in which they were filmed.
      people: who is on each, in runs.
      margin: side of the squares, in longer sides of the found box.

    Attributes:
      source: the same frames, cut: uint8 [S, S, 3] each. Frames that are broken stay what they are.

    Raises:
      Refused: a person's face is hardly ever found.
    """

    def __init__(self, source: Source, people: Sequence[Any] | np.ndarray, margin: float) -> None:
        people = np.asarray(people)
        self._missed: list[Image.Image] = []
        self._shown: dict[int, Image.Image] = {}
        self._frames = source
        found = self._found(people)
        self._squares = np.empty_like(found)
        for person in np.unique(people):
            rows = people == person
            self._squares[rows] = steady(found[rows])
        self._squares[:, 2] *= margin
        self._samples = {int(i) for i in np.linspace(0, source.count - 1, sheet.FACES)}
        stamp = fingerprint([(source.fingerprint, "steady", EVERY, WINDOW, margin)])
        self.source = Source(source.name, stamp, source.count, self._cut)

    def _found(self, people: np.ndarray) -> np.ndarray:
        """Row, column and side of the largest face in some of the frames: float [N, 3], NaN elsewhere."""
        found, looked = np.full((len(people), 3), np.nan), np.zeros(len(people), bool)
        number = 0
        items = tqdm(self._frames.items(), "finding faces", len(people), unit="frame", file=sys.stderr, mininterval=1.0)
        for row, (_, data) in enumerate(items):
            number = number + 1 if row and people[row] == people[row - 1] else 0
            image = None if number % EVERY else picture(data)
            if image is None:
                continue
            looked[row], face = True, detector.largest(image)
            if face is not None:
                left, top, width, height = face.box
                found[row] = top + height / 2, left + width / 2, max(width, height)
            elif len(self._missed) < sheet.MISSED:
                self._missed.append(Image.fromarray(centre(image)).resize((work.THUMBNAIL,) * 2))
        there = np.isfinite(found[:, 0])
        for person in np.unique(people):
            of = looked & (people == person)
            if there[of].sum() < LEAST * max(1, of.sum()):
                raise Refused(
                    f"{person}: a face is found in {there[of].sum()} of {of.sum()} frames that were looked at; without"
                    " --detect the centre of the frames is taken."
                )
        print(f"A face is found in {there.sum():,} of {looked.sum():,} frames that were looked at.", flush=True)
        return found

    def _cut(self) -> Items:
        for row, (name, data) in enumerate(self._frames.items()):
            image = picture(data)
            if image is not None:
                *corner, side = self._squares[row]
                data = crop.inside(image, *corner, side=side)
                if row in self._samples:
                    self._shown[row] = Image.fromarray(data).resize((work.THUMBNAIL,) * 2)
            yield name, data

    def sheet(self) -> bytes:
        """PNG bytes of a contact sheet of what was cut until now."""
        return sheet.draw([self._shown[row] for row in sorted(self._shown)], self._missed)


def picture(data: Any) -> np.ndarray | None:
    """uint8 [H, W, 3] of what a source yields, or None where it is broken."""
    if not isinstance(data, bytes):
        return data if isinstance(data, np.ndarray) else None
    try:
        return decode_upright(data).numpy()
    except tf.errors.OpError:
        return None
