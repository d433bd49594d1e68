"""From pictures to faces, the picture itself or every face that is found in it, and to their features."""

import dataclasses
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from pcl_tf.data.files import in_order
from pcl_tf.data.images import OVERSIZE, centre, decode, resized
from pcl_tf.faces.pictures import Picture

if TYPE_CHECKING:
    from pcl_tf.faces.model import FaceModel

Box = tuple[float, float, float, float]
Crop = tuple[int, float]  # side of a face in pixels; side of the square cut out, in longer sides of the face's box
UNREADABLE = (ValueError, OSError, RuntimeError)  # what decoding raises


@dataclasses.dataclass(frozen=True)
class Cut:
    """A picture and the faces in it, the largest first.

    Attributes:
      picture: ``Picture``, with its pixels if ``cut`` was called with keep, else without data.
      boxes: (left, top, width, height) of each face in pixels of the picture.
      faces: {``Crop``: uint8 [n, side, side, 3]}.
      why: the reason for which it is unreadable, or ''.
      turned: degrees clockwise by which each face is turned in the picture more than in ``faces``.
      looks_whole: whether the picture was taken as a face but does not look like one: far from square, or large.
    """

    picture: Picture
    boxes: tuple[Box, ...]
    faces: dict[Crop, np.ndarray]
    why: str = ""
    turned: tuple[float, ...] = ()
    looks_whole: bool = False


def cut(
    pictures: Iterable[Picture], crops: Iterable[Crop], *, detect: bool = False, align: bool = False, keep: bool = False
) -> Iterator[Cut]:
    """Decodes pictures and cuts out faces, by as many threads as there are cores; few pictures are in memory at once.

    Args:
      pictures: iterable of ``Picture``.
      crops: ways to cut out each face; without ``detect`` all squares are the same.
      detect: find all faces by MTCNN; else each picture is one, its central square.
      align: turn the faces upright by their landmarks.
      keep: leave the decoded pixels in the ``Cut``.

    Yields:
      ``Cut``, in order.

    Raises:
      ImportError: mtcnn, which detects, is not installed.
    """
    crops = sorted({*crops})
    largest = crops[-1][0]
    least = 0 if detect else OVERSIZE * largest
    if detect:
        from pcl_tf.prepare import detector

    def one(picture: Picture) -> Cut:
        try:
            image = _pixels(picture, least)
        except UNREADABLE as error:
            why = str(error).split("\n")[0][:200]
            return Cut(dataclasses.replace(picture, data=b""), (), {c: _resized([], c[0]) for c in crops}, why)
        turned: tuple[float, ...] = (0.0,)
        whole = False
        if detect:
            found = sorted(detector.detect(image), key=lambda face: -face.box[2] * face.box[3])
            boxes = tuple((x, y, w, h) for x, y, w, h in (face.box for face in found))
            turned = tuple(detector.turn(face.landmarks) if align else 0.0 for face in found)
        else:
            width, height = _declared(picture.data, image)
            side = min(width, height)
            boxes = ((float((width - side) // 2), float((height - side) // 2), float(side), float(side)),)
            whole = max(width, height) > 1.5 * side or side > 4 * largest

        def squares(margin: float) -> list[np.ndarray]:
            if not detect:
                return [centre(image)]
            if align:
                return [detector.aligned(image, face, margin) for face in found]
            return [detector.around(image, face.box, margin) for face in found]

        faces = {(side, margin): _resized(squares(margin), side) for side, margin in crops}
        return Cut(
            dataclasses.replace(picture, data=image if keep else b""), boxes, faces, turned=turned, looks_whole=whole
        )

    return in_order(one, pictures, os.cpu_count() or 1)


def crop_of(picture: Picture, side: int, box: Box | np.ndarray | None = None) -> np.ndarray | None:
    """One face of a picture, to be shown: the square around a box that was found in it, or its centre.

    Args:
      picture: ``Picture``.
      side: of the face in pixels.
      box: left, top, width and height, or None.

    Returns:
      uint8 [side, side, 3], or None of an unreadable picture.
    """
    from pcl_tf.prepare import detector

    try:
        image = _pixels(picture, 0 if box is not None else OVERSIZE * side)
    except UNREADABLE:
        return None
    square = centre(image) if box is None else detector.around(image, tuple(map(float, box)))
    return next(resized([square], side))


def _pixels(picture: Picture, least: int) -> np.ndarray:
    """uint8 [H, W, 3]; raises one of UNREADABLE. least: as of ``decode``."""
    if isinstance(picture.data, Exception):
        raise picture.data
    return decode(picture.data, least=least) if isinstance(picture.data, bytes) else picture.data


def _declared(data: bytes | np.ndarray | Exception, image: np.ndarray) -> tuple[int, int]:
    """(width, height) of a picture before a large JPEG was unpacked at a part of its size."""
    height, width = image.shape[:2]
    if isinstance(data, bytes):
        sides = Image.open(io.BytesIO(data)).size
        return (max(sides), min(sides)) if width >= height else (min(sides), max(sides))
    return width, height


def _resized(squares: Sequence[np.ndarray], side: int) -> np.ndarray:
    """uint8 [n, side, side, 3] of n squares."""
    return np.stack([*resized(squares, side)]) if len(squares) else np.zeros((0, side, side, 3), np.uint8)


def grouped(cuts: Iterable[Cut], faces: int = 32, held: int = 2**27) -> Iterator[list[Cut]]:
    """Cuts in lists that go through an encoder together: of so many faces, or so many bytes of kept pictures."""
    some: list[Cut] = []
    for one in cuts:
        some.append(one)
        kept = sum(c.picture.data.nbytes for c in some if isinstance(c.picture.data, np.ndarray))
        if sum(len(c.boxes) for c in some) >= faces or kept >= held or len(some) >= 8 * faces:
            yield some
            some = []
    if some:
        yield some


def encoded(
    cuts: Iterable[Cut], models: Sequence["FaceModel"]
) -> Iterator[tuple[Cut, tuple[dict[str, np.ndarray], ...]]]:
    """What encoders make of faces.

    Args:
      cuts: of ``cut``, with the crops of all models.
      models: that see the faces.

    Yields:
      (``Cut``, of each model {feature: float32 [n, D]} of its n faces, {} where no picture of the group has one).
    """
    for some in grouped(cuts):
        ends = np.cumsum([0, *(len(one.boxes) for one in some)])
        each = [
            model.encoder.embed(np.concatenate([one.faces[model.crop] for one in some])) if ends[-1] else {}
            for model in models
        ]
        for one, start, end in zip(some, ends, ends[1:], strict=False):
            yield one, tuple({key: x[start:end] for key, x in found.items()} for found in each)
