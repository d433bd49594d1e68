"""Where faces are in a picture, by MTCNN (Zhang et al., 2016): boxes and five landmarks, of faces turned and tilted."""

import dataclasses
import functools
import threading
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

# The detector finds faces from 20 pixels on, and sees every picture at this shorter side: faces worth training on are
# found there, one in ten of it or larger, and a picture of any size costs the same.
_SHORTER = 224
_LONGER = 5 * _SHORTER  # of panoramas; the shorter side is less then
_LEAST = 40  # pixels of the shorter side below which there is nothing to find
_LOCK = threading.Lock()


@dataclasses.dataclass(frozen=True)
class Face:
    """A face in pixels of its picture."""

    box: tuple[float, ...]  # (left, top, width, height)
    # float64 [5, 2], x and y of the eye on the left, the eye on the right, the nose, the corners of the mouth on the
    # left and on the right, as one looks at an upright face
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


def check_installed() -> None:
    """Raises ImportError where mtcnn is not installed."""
    with _LOCK:
        _mtcnn()
