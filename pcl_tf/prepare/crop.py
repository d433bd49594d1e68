"""Which square of a picture is the face."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from pcl_tf.choices import MARGIN
from pcl_tf.data.images import centre
from pcl_tf.prepare import detector


def around(image: np.ndarray, box: Sequence[float], margin: float = MARGIN) -> np.ndarray:
    """The square around a face's box, as of ``Face``: uint8 [H, W, 3] -> uint8 [S, S, 3].

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
    # Of a face seen from the side the line between the eyes is short and its direction noisy: then the mouth decides.
    direction = across + np.array([down[1], -down[0]])
    size = max(2.0 * np.hypot(*across), 1.8 * np.hypot(*down)) * margin / MARGIN
    return eyes + 0.1 * down, direction / max(np.hypot(*direction), 1e-9) * size


def turn(landmarks: np.ndarray) -> float:
    """Degrees by which ``upright_square`` stands clockwise in the picture: landmarks [5, 2] as in ``Face``."""
    _, (x, y) = upright_square(landmarks)
    return float(np.degrees(np.arctan2(y, x)))


def aligned(image: np.ndarray, face: detector.Face, margin: float = MARGIN) -> np.ndarray:
    """The face with level eyes, cut by its landmarks, beyond the edges mirrored: uint8 [H, W, 3] -> uint8 [S, S, 3]."""
    middle, half = upright_square(face.landmarks, margin)
    side = max(1, round(2 * np.hypot(*half)))
    step = half / (side / 2)  # from a pixel to its neighbour on the right, x and y
    turn = np.array([[step[0], step[1]], [-step[1], step[0]]])  # of (row, column)
    start = middle[::-1] - turn @ np.full(2, (side - 1) / 2) - 0.5  # landmarks count from the corner of a pixel
    how = {"offset": start, "output_shape": (side, side), "order": 1, "mode": "mirror"}
    return np.stack([ndimage.affine_transform(image[..., k], turn, **how) for k in range(3)], axis=-1)


def square(image: np.ndarray, share: float = 1.0, margin: float = 0.0, *, align: bool = False) -> np.ndarray | None:
    """The face of a picture: uint8 [H, W, 3] -> uint8 [S, S, 3], or None where none is found. Raises as ``detector.detect``.

    Args:
      image: the picture.
      share: of its shorter side, that the central square takes.
      margin: detect the face, with this margin; 0 takes the centre.
      align: turn the face upright by its landmarks.
    """
    if not margin:
        return centre(image, share)
    face = detector.largest(image)
    if face is None:
        return None
    return aligned(image, face, margin) if align else around(image, face.box, margin)
