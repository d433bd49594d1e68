"""The probe on frozen features: one linear layer, by the paper's training or solved to convergence, or neighbours."""

import pkgutil
from typing import TYPE_CHECKING, Any

import numpy as np

from pcl_tf.evaluation.kinds import KINDS
from pcl_tf.evaluation.linear_model import Linear, unscaled

if TYPE_CHECKING:
    from pcl_tf.evaluation.knn import Nearest

__all__ = ["Linear", "fit", "unscaled"]


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
      kind: of ``KINDS`` whose images have labels.
      x: float [N, D].
      y: labels: int [N], or float [N, K].
      solver: of ``pcl_tf.choices.SOLVERS``: 'adam', the paper's 300 epochs; 'lbfgs', to convergence with an L2 sweep;
        'knn', the vote or mean of the 20 nearest training rows.
      seed: of initialisation and order (adam) and of the held-out rows (lbfgs).
      subjects: [N] who is on each image: the sweep holds out whole subjects.
      classes: number of classes, where y may lack some.
      options: of the solver: 'epochs' of adam, 'penalties' of lbfgs.

    Returns:
      (Linear, or of 'knn' ``pcl_tf.evaluation.knn.Nearest``, dict that describes the protocol).
    """
    solve = pkgutil.resolve_name(f"pcl_tf.evaluation.{solver}:solve")  # here: two of them need TensorFlow
    of, count = KINDS[kind], classes or int(np.max(y)) + 1
    rows = {"subjects": subjects, "classes": of.classes(y)}
    return solve(of, np.asarray(x, np.float32), of.targets(y, count), seed=seed, **rows, **options)
