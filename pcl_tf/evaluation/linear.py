"""The linear probe: one layer on frozen features, by the paper's training or solved to convergence."""

import dataclasses

import numpy as np

LABELS = {"classification": "softmax", "multilabel": "sigmoid", "regression": "linear"}


@dataclasses.dataclass(frozen=True)
class Linear:
    """A linear layer on raw features.

    Attributes:
      weights: float32 [D, K].
      bias: float32 [K].
    """

    weights: np.ndarray
    bias: np.ndarray

    def __call__(self, x):
        """float [N, D] -> float32 [N, K] scores, logits or targets."""
        return np.asarray(x, np.float32) @ self.weights + self.bias


def unscaled(weights, bias, mean, std, low=0.0, span=1.0):
    """The layer on raw features that equals ``low + span * (((x - mean) / std) @ weights + bias)``."""
    w = np.asarray(weights, np.float64) / np.asarray(std, np.float64)[:, None]
    b = np.asarray(bias, np.float64) - np.asarray(mean, np.float64) @ w
    return Linear((w * span).astype(np.float32), (b * span + low).astype(np.float32))


def fit(kind, x, y, solver="lbfgs", seed=0, subjects=None, classes=None):
    """Fits the probe on training rows alone.

    Args:
      kind: 'classification', 'multilabel' or 'regression'.
      x: float [N, D].
      y: int [N], or float [N, K].
      solver: 'adam', the paper's 300 epochs, or 'lbfgs', to convergence with an L2 sweep.
      seed: of initialisation and order (adam) and of the held-out rows (lbfgs).
      subjects: [N] who is on each image: the sweep holds out whole subjects.
      classes: number of classes, where y may lack some.

    Returns:
      (Linear, dict that describes the protocol).

    Raises:
      ValueError: unknown kind or solver.
    """
    from pcl_tf.evaluation import adam, lbfgs

    solvers = {"adam": adam.solve, "lbfgs": lbfgs.solve}
    if kind not in LABELS or solver not in solvers:
        raise ValueError(f"kind {kind} of {', '.join(LABELS)}; solver {solver} of {', '.join(solvers)}.")
    if kind == "classification":
        y = np.eye(classes or int(np.max(y)) + 1, dtype=np.float32)[y]
    return solvers[solver](kind, np.asarray(x, np.float32), np.asarray(y, np.float32), seed, subjects)
