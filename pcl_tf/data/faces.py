"""Where a run's faces are read from, whatever the source: ``len``, ``size``, ``rows``, ``fetch``, ``head``."""

import pathlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from ml_collections import ConfigDict

from pcl_tf.data.cache import decoded_faces
from pcl_tf.data.clips import ClipFaces, find_clips
from pcl_tf.data.order import Order
from pcl_tf.data.sources import open_source


class ArrayFaces:
    """Decoded faces, each drawn once an epoch.

    Args:
      array: uint8 [N, S, S, 3], often a memmap.
    """

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.size = array, array.shape[1]

    def __len__(self) -> int:
        return len(self.array)

    def rows(self, batch: int, seed: int) -> Callable[[int], np.ndarray]:
        """``rows(step)``: int64 [batch], the faces of a step."""
        return Order(len(self), batch, seed).rows

    def fetch(self, rows: tf.Tensor) -> tf.Tensor:
        """int64 [n] -> uint8 [n, S, S, 3]; a graph function for tf.data."""
        return tf.numpy_function(self._read, [rows], tf.uint8, stateful=False)

    def _read(self, rows: np.ndarray) -> np.ndarray:
        # Sorted reads are kinder to the disk when the array does not fit into memory.
        ranks = np.argsort(rows)
        out = np.empty((len(rows), *self.array.shape[1:]), np.uint8)
        out[ranks] = self.array[rows[ranks]]
        return out

    def head(self, count: int) -> np.ndarray:
        """uint8 [count, S, S, 3]: the first faces."""
        return np.array(self.array[:count])


def open_faces(data: ConfigDict, size: int, cache: str | pathlib.Path) -> ArrayFaces | ClipFaces:
    """The faces that a recipe asks for.

    Args:
      data: ConfigDict ``data`` of a recipe.
      size: side of the faces in pixels.
      cache: folder for decoded faces.

    Returns:
      ClipFaces for a dataset of pcl_tf.prepare, ArrayFaces for any other source.

    Raises:
      Refused: nothing there, or too much of it broken.
    """
    prepared = find_clips(data.source)
    if prepared:
        return ClipFaces(prepared, size, data.sampling)
    source = open_source(data.source, data.generated_images, size)
    return ArrayFaces(decoded_faces(source, size, cache_dir=cache, max_bad_share=data.max_bad_share))
