"""The probe on frozen features: one linear layer, by the paper's training or solved to convergence, or neighbours."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from pcl_tf.evaluation.linear_model import Linear, unscaled

if TYPE_CHECKING:
    from pcl_tf.evaluation.knn import Nearest

__all__ = ["LABELS", "Linear", "fit", "unscaled"]

LABELS = {"classification": "softmax", "multilabel": "sigmoid", "regression": "linear"}


def fit(
    kind: str,
    x: np.ndarray,
    y: np.ndarray,
    *,
    solver: str = "lbfgs",
    seed: int = 0,
    subjects: np.ndarray | None = None,
    classes: int | None = None,
    **options: Any,
) -> tuple["Linear | Nearest", dict[str, Any]]:
    """Fits the probe on training rows alone.

    Args:
      kind: 'classification', 'multilabel' or 'regression'.
      x: float [N, D].
      y: int [N], or float [N, K].
      solver: 'adam', the paper's 300 epochs; 'lbfgs', to convergence with an L2 sweep; 'knn', the vote or mean of the 20
        nearest training rows.
      seed: of initialisation and order (adam) and of the held-out rows (lbfgs).
      subjects: [N] who is on each image: the sweep holds out whole subjects.
      classes: number of classes, where y may lack some.
      options: of the solver: 'epochs' of adam, 'penalties' of lbfgs.

    Returns:
      (Linear, or of 'knn' ``pcl_tf.evaluation.knn.Nearest``, dict that describes the protocol).

    Raises:
      ValueError: unknown kind or solver.
    """
    from pcl_tf.evaluation import adam, knn, lbfgs  # here: two of them need TensorFlow

    solvers: dict[str, Callable[..., tuple[Linear | Nearest, dict[str, Any]]]] = {
        "adam": adam.solve,
        "lbfgs": lbfgs.solve,
        "knn": knn.solve,
    }
    if kind not in LABELS or solver not in solvers:
        raise ValueError(f"kind {kind} of {', '.join(LABELS)}; solver {solver} of {', '.join(solvers)}.")
    if kind == "classification":
        y = np.eye(classes or int(np.max(y)) + 1, dtype=np.float32)[y]
    x, y = np.asarray(x, np.float32), np.asarray(y, np.float32)
    return solvers[solver](kind, x, y, seed=seed, subjects=subjects, **options)
