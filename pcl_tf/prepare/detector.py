"""Where faces are in a picture, by MTCNN (Zhang et al., 2016), turned and tilted ones too, and the squares cut out around them."""

import dataclasses
import functools
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image
from scipy import ndimage

from pcl_tf.choices import MARGIN
from pcl_tf.data.images import centre

# The detector finds faces of 20 pixels and more. It sees every picture at this shorter side: it finds those that take a
# tenth of it or more, as faces worth training on do, and a picture of any size costs the same.
_SHORTER = 224
_LONGER = 5 * _SHORTER  # of panoramas, whose shorter side is less then
_LEAST = 40  # pixels; in a picture with a shorter side than that no face is looked for
_LOCK = threading.Lock()


@dataclasses.dataclass(frozen=True)
class Face:
    """A face in pixels of its picture."""

    box: tuple[float, ...]  # (left, top, width, height)
    # float64 [5, 2], x and y of the left eye, the right eye, the nose, the left and the right corner of the mouth, as
    # one looks at an upright face
    landmarks: np.ndarray


def largest(image: np.ndarray) -> Face | None:
    """The face with the largest box in uint8 [H, W, 3], or None. Raises as ``detect``."""
    return max(detect(image), key=lambda face: face.box[2] * face.box[3], default=None)


def detect(image: np.ndarray) -> list[Face]:
    """All faces of a picture, uint8 [H, W, 3]. Raises ImportError: mtcnn is not installed."""
    height, width = image.shape[:2]
    scale = min(_SHORTER / min(height, width), _LONGER / max(height, width))
    if scale * min(height, width) < _LEAST:
        return []
    seen = (max(1, round(scale * width)), max(1, round(scale * height)))
    small = np.asarray(Image.fromarray(image).resize(seen, Image.Resampling.BILINEAR, reducing_gap=2.0))
    with _LOCK:
        mtcnn = _mtcnn()
    rows = mtcnn.detect_faces(small, output_type="numpy", box_format="xywh")
    ratio = np.array([width / seen[0], height / seen[1]])  # rounding makes them differ a little
    return [
        Face(tuple((row[1:5].reshape(2, 2) * ratio).ravel().tolist()), row[6:16].reshape(2, 5).T * ratio)
        for row in np.asarray(rows, np.float64)
    ]


@functools.cache
def _mtcnn() -> Any:
    from mtcnn import MTCNN
    from mtcnn.stages import StageONet, StagePNet, StageRNet

    def traced(kind: Any) -> Any:
        """A stage whose network is a graph: four times as fast as layer by layer."""

        class Traced(kind):
            _model: Any

            def __init__(self) -> None:
                super().__init__()
                spec = tf.TensorSpec([None, None, None, 3], tf.float32)
                self._model = tf.function(self._model, input_signature=[spec])

        return Traced()

    return MTCNN([traced(kind) for kind in (StagePNet, StageRNet, StageONet)])


def around(image: np.ndarray, box: Sequence[float], margin: float = MARGIN) -> np.ndarray:
    """The square around the box of a ``Face``: uint8 [H, W, 3] -> uint8 [S, S, 3].

    margin: its side, in longer sides of the box; it is moved, and if need be made smaller, to lie inside the picture.
    """
    left, top, width, height = box
    side = max(1, min(round(margin * max(width, height)), *image.shape[:2]))
    row, column = top + height / 2 - side / 2, left + width / 2 - side / 2
    y, x = (int(np.clip(round(at), 0, most - side)) for at, most in zip((row, column), image.shape[:2], strict=True))
    return image[y : y + side, x : x + side]


def upright_square(landmarks: np.ndarray, margin: float = MARGIN) -> tuple[np.ndarray, np.ndarray]:
    """The square in which eyes and mouth stand upright and have one size, as FFHQ's (Karras et al., 2019, their code).

    From landmarks [5, 2] as in ``Face``; MARGIN is FFHQ's side.

    Returns:
      (centre float64 [2], half of the upper side as a vector float64 [2], both x and y).
    """
    left_eye, right_eye, _, left_mouth, right_mouth = np.asarray(landmarks, np.float64)
    eyes, mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
    across, down = right_eye - left_eye, mouth - eyes
    # Seen from the side the line between the eyes is short and its direction noisy: then the mouth decides.
    direction = across + np.array([down[1], -down[0]])
    size = max(2.0 * np.hypot(*across), 1.8 * np.hypot(*down)) * margin / MARGIN
    return eyes + 0.1 * down, direction / max(np.hypot(*direction), 1e-9) * size


def turn(landmarks: np.ndarray) -> float:
    """Degrees by which ``upright_square`` stands clockwise in the picture: landmarks [5, 2] as in ``Face``."""
    _, (x, y) = upright_square(landmarks)
    return float(np.degrees(np.arctan2(y, x)))


def aligned(image: np.ndarray, face: Face, margin: float = MARGIN) -> np.ndarray:
    """The face with level eyes, cut by its landmarks, mirrored beyond the edges: uint8 [H, W, 3] -> uint8 [S, S, 3]."""
    middle, half = upright_square(face.landmarks, margin)
    side = max(1, round(2 * np.hypot(*half)))
    step = half / (side / 2)  # from a pixel to its neighbour on the right, x and y
    turn = np.array([[step[0], step[1]], [-step[1], step[0]]])  # of (row, column)
    start = middle[::-1] - turn @ np.full(2, (side - 1) / 2) - 0.5  # landmarks count from the corner of a pixel
    how = {"offset": start, "output_shape": (side, side), "order": 1, "mode": "mirror"}
    return np.stack([ndimage.affine_transform(image[..., k], turn, **how) for k in range(3)], axis=-1)


def square(image: np.ndarray, share: float = 1.0, margin: float = 0.0, *, align: bool = False) -> np.ndarray | None:
    """The face of a picture: uint8 [H, W, 3] -> uint8 [S, S, 3], or None if none is found. Raises as ``detect``.

    Args:
      image: the picture.
      share: of its shorter side, that the central square takes.
      margin: of the square around the largest face that is found; 0 takes the centre.
      align: turn the face upright by its landmarks.
    """
    if not margin:
        return centre(image, share)
    face = largest(image)
    if face is None:
        return None
    return aligned(image, face, margin) if align else around(image, face.box, margin)
