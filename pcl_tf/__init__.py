"""Pose-disentangled contrastive learning of face representations, in TensorFlow.

Three lines use a trained encoder; TensorFlow is imported by the first of them:

>>> import numpy as np, pcl_tf
>>> encoder = pcl_tf.load("pixels")  # or a workdir, an export, a .keras, .onnx or .tflite file
>>> encoder.embed(np.zeros([2, 64, 64, 3], np.uint8)).features["face_aware"].shape
(2, 1024)

The rooms, in the direction the data flows: ``recipe`` and ``data`` ->
``views`` -> ``networks`` -> ``losses`` -> ``methods`` -> ``training`` ->
``serving`` (the export) -> ``evaluation``, ``faces`` (this interface).
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pcl_tf.errors import Refused
    from pcl_tf.faces.features import FaceFeatures
    from pcl_tf.faces.model import FaceModel, load
    from pcl_tf.faces.table import Table

__version__ = "0.2.0"
__all__ = ["FaceFeatures", "FaceModel", "Refused", "Table", "load"]
_PLACES = {
    "FaceFeatures": "faces.features",
    "FaceModel": "faces.model",
    "Refused": "errors",
    "Table": "faces.table",
    "load": "faces.model",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'pcl_tf' has no attribute {name!r}")
    return getattr(importlib.import_module(f"pcl_tf.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
