"""A linear layer on raw features, which the solvers of the linear probe return."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Linear:
    """A linear layer on raw features.

    Attributes:
      weights: float32 [D, K].
      bias: float64 [K]: targets may be as large as a time in seconds.
    """

    weights: np.ndarray
    bias: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """float [N, D] -> float64 [N, K] scores, logits or targets."""
        return np.asarray(x, np.float32) @ self.weights + np.asarray(self.bias, np.float64)


def unscaled(
    weights: np.ndarray,
    bias: np.ndarray,
    *,
    mean: np.ndarray,
    std: np.ndarray,
    low: float | np.ndarray = 0.0,
    span: float | np.ndarray = 1.0,
) -> Linear:
    """The layer on raw features that equals ``low + span * (((x - mean) / std) @ weights + bias)``."""
    w = np.asarray(weights, np.float64) / np.asarray(std, np.float64)[:, None]
    b = np.asarray(bias, np.float64) - np.asarray(mean, np.float64) @ w
    return Linear((w * span).astype(np.float32), b * span + low)
