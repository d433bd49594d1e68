"""Verification by a linear layer learnt on pairs: the paper's Table 2 compares features after one, not raw cosines.

The layer is PCA followed by within-class whitening (Hatch et al., 2006): what differs between pictures of one person is
scaled down. It is learnt on the pairs of the other folds alone, in closed form: the same numbers on every machine, in
seconds where 30 epochs of a cosine loss for each of ten folds take minutes. Its strength and its threshold are chosen
on those pairs too, each scored by a layer that has not seen it.
"""

import dataclasses
from typing import Any

import numpy as np

from pcl_tf.evaluation.verification import best_threshold, similarities

LEAST = 20  # pairs of one person among the training pairs
_PARTS = 4  # of the training pairs, each scored by a layer of the others
# (directions kept, share of all images' covariance in that of one person's): the less is known, the more is mixed in.
_CHOICES = ((32, 0.5), (64, 0.1), (128, 0.1))
_PASSES = 3  # of the subspace iteration; more change no digit that is printed


@dataclasses.dataclass(frozen=True)
class Learnt:
    """What a layer learnt on pairs makes of them.

    Attributes:
      right: float [P], whether each pair is classified rightly.
      values: float [P], similarity of each pair by the layer of the other folds.
      protocol: dict, how.
    """

    right: np.ndarray
    values: np.ndarray
    protocol: dict[str, Any]


def verify(x: np.ndarray, pairs: np.ndarray, same: np.ndarray, *, folds: np.ndarray) -> Learnt | None:
    """Scores every pair by a layer and a threshold of the other folds.

    Args:
      x: float [N, D] features.
      pairs: int [P, 2] rows of x.
      same: 0/1 [P].
      folds: int [P], at least two.

    Returns:
      Learnt, or None where some fold leaves fewer than LEAST pairs of one person, or of two, to learn from.
    """
    right, values, thresholds, chosen = np.zeros(len(pairs)), np.zeros(len(pairs)), {}, {}
    for fold in np.unique(folds):
        here = folds == fold
        if min(np.bincount(same[~here], minlength=2)) < LEAST:
            return None
        z = _reduced(x, pairs, ~here)
        parts = _parts(folds[~here])
        best: tuple[Any, ...] = (-1,)
        for width, share in _CHOICES:
            unseen = _unseen(z[:, :width], pairs[~here], same[~here], parts=parts, share=share)
            threshold = best_threshold(unseen, same[~here])
            accuracy = float(((unseen > threshold) == (same[~here] == 1)).mean())
            if accuracy > best[0]:
                best = (accuracy, width, share, threshold)
        _, width, share, threshold = best
        layer = _whitening(z[:, :width], pairs[~here], same[~here], share=share)
        values[here] = similarities(z[:, :width] @ layer, pairs[here])
        right[here] = (values[here] > threshold) == (same[here] == 1)
        thresholds[int(fold)], chosen[int(fold)] = threshold, [min(width, z.shape[1]), share]
    return Learnt(
        right,
        values,
        {
            "similarity": "cosine after PCA and within-class whitening, learnt on the pairs of the other folds",
            "threshold": "best on the pairs of the other folds, each scored by a layer that has not seen it",
            "thresholds": thresholds,
            "width_and_share": chosen,
        },
    )


def _reduced(x: np.ndarray, pairs: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Principal components of all images, found on those of the training pairs: float64 [N, at most 128]."""
    images = np.unique(pairs[train])
    fit = np.asarray(x[images], np.float32)
    mean = fit.mean(0)
    fit = fit - mean
    width = min(max(_CHOICES)[0], *fit.shape)
    # Subspace iteration, with a few directions to spare: the whole decomposition of 8192 features takes minutes.
    basis = np.random.RandomState(0).normal(size=(fit.shape[1], min(width + 32, *fit.shape))).astype(np.float32)
    for _ in range(_PASSES):
        basis, _ = np.linalg.qr(fit.T @ (fit @ basis))
    small = fit @ basis
    values, vectors = np.linalg.eigh(small.T @ small)
    keep = np.flatnonzero(values > 1e-6 * max(values.max(), 1e-30))[::-1][:width]
    basis = basis @ vectors[:, keep]
    out = np.zeros((len(x), max(1, basis.shape[1])))
    used = np.unique(pairs)
    out[used, : basis.shape[1]] = (np.asarray(x[used], np.float32) - mean) @ basis
    return out


def _parts(folds: np.ndarray) -> np.ndarray:
    """Which part each training pair is of: whole folds, since these share nobody; of a single fold, every fourth."""
    number = np.unique(folds, return_inverse=True)[1]
    return (number if number.max() else np.arange(len(folds))) % _PARTS


def _whitening(z: np.ndarray, pairs: np.ndarray, same: np.ndarray, *, share: float) -> np.ndarray:
    """The matrix that makes one person's differences alike in all directions: float64 [D, D]."""
    alike = pairs[same == 1]
    differ = z[alike[:, 0]] - z[alike[:, 1]]
    within = differ.T @ differ
    images = z[np.unique(pairs)]
    spread = images.T @ images
    mixed = (1 - share) * within / max(np.trace(within), 1e-12) + share * spread / max(np.trace(spread), 1e-12)
    values, vectors = np.linalg.eigh(mixed)
    return vectors / np.sqrt(np.maximum(values, 1e-12))


def _unseen(z: np.ndarray, pairs: np.ndarray, same: np.ndarray, *, parts: np.ndarray, share: float) -> np.ndarray:
    """Similarity of each pair after a layer learnt on the other parts: float64 [P]."""
    out = np.zeros(len(pairs))
    for part in np.unique(parts):
        held = parts == part
        layer = _whitening(z, pairs[~held], same[~held], share=share)
        out[held] = similarities(z @ layer, pairs[held])
    return out
