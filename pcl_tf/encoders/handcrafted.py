"""Baselines that learn nothing: raw pixels, local binary patterns, histograms of oriented gradients."""

from collections.abc import Callable

import numpy as np

VERSION = 1  # of these definitions; names the cached features
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def _gray(faces: np.ndarray) -> np.ndarray:
    return faces.astype(np.float32) @ _LUMA  # [N, S, S] in [0, 255]


def pixels(faces: np.ndarray) -> np.ndarray:
    """Gray pixels at 32 x 32: uint8 [N, S, S, 3] -> float32 [N, 1024] in [0, 1]."""
    import tensorflow as tf

    small = tf.image.resize(_gray(faces)[..., None], [32, 32], antialias=True)
    return small.numpy().reshape(len(faces), -1) / 255.0


def lbp(faces: np.ndarray, cells: int = 7) -> np.ndarray:
    """Histograms of the 59 uniform patterns (8 neighbours, radius 1) in a grid: float32 [N, cells^2 * 59]."""
    from skimage.feature import local_binary_pattern

    side, out = faces.shape[1], []
    place = np.searchsorted(np.linspace(0, side, cells + 1).astype(int), np.arange(side), side="right") - 1
    cell = place[:, None] * cells + place
    for face in _gray(faces):
        codes = local_binary_pattern(np.round(face).astype(np.uint8), 8, 1, method="nri_uniform").astype(np.int64)
        counts = np.bincount((cell * 59 + codes).ravel(), minlength=cells**2 * 59).reshape(-1, 59)
        out.append((counts / counts.sum(1, keepdims=True)).ravel())
    return np.array(out, np.float32)


def hog(faces: np.ndarray) -> np.ndarray:
    """Nine orientations, cells an eighth of the face, blocks of 2 x 2 cells: float32 [N, 1764]."""
    from skimage.feature import hog as one

    cell = faces.shape[1] // 8
    options = dict(orientations=9, pixels_per_cell=(cell, cell), cells_per_block=(2, 2))
    side = 8 * cell
    return np.array([one(face[:side, :side], **options) for face in _gray(faces)], np.float32)


EXTRACTORS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"pixels": pixels, "lbp": lbp, "hog": hog}
