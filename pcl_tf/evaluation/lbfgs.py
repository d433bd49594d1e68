"""The same convex problem solved to convergence: L-BFGS of tensorflow-probability with a sweep of L2."""

import functools
from collections.abc import Callable, Iterable
from typing import Any, cast

import numpy as np
import tensorflow as tf

from pcl_tf.evaluation.kinds import Kind
from pcl_tf.evaluation.linear_model import Linear, unscaled

PENALTIES = 10.0 ** np.arange(-5.0, 1.0)
_ITERATIONS = 300
_MATRIX, _VECTOR = tf.TensorSpec([None, None]), tf.TensorSpec([None])


def _layer(flat: tf.Tensor, z: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    cut = tf.shape(z)[1] * tf.shape(y)[1]
    return tf.reshape(flat[:cut], (tf.shape(z)[1], tf.shape(y)[1])), flat[cut:]


@functools.cache
def _compiled(kind: Kind) -> tuple[Callable[..., tuple[tf.Tensor, tf.Tensor]], Callable[..., tf.Tensor]]:
    """(minimise, error) of a kind of task, traced once for data of every shape: tracing costs more than solving."""

    @tf.function(input_signature=[_VECTOR, _MATRIX, _MATRIX])
    def error(flat: tf.Tensor, z: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        weights, bias = _layer(flat, z, y)
        return tf.reduce_mean(kind.loss(y, z @ weights + bias, smooth=True))

    @tf.function(input_signature=[_VECTOR, _MATRIX, _MATRIX, tf.TensorSpec([])])
    def minimise(start: tf.Tensor, z: tf.Tensor, y: tf.Tensor, penalty: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        import tensorflow_probability as tfp

        def value(flat: tf.Tensor) -> tf.Tensor:
            weights, _ = _layer(flat, z, y)
            return error(flat, z, y) + 0.5 * penalty * tf.reduce_sum(tf.square(weights))

        result = tfp.optimizer.lbfgs_minimize(
            lambda flat: tfp.math.value_and_gradient(value, flat),
            start,
            num_correction_pairs=10,
            tolerance=1e-5,
            f_relative_tolerance=1e-7,
            max_iterations=_ITERATIONS,
        )
        return result.position, result.converged

    return minimise, error


def _swept(
    kind: Kind, train: tuple[np.ndarray, np.ndarray], held: tuple[np.ndarray, np.ndarray], *, penalties: Iterable[float]
) -> tuple[float | None, tf.Tensor]:
    """The penalty that does best on held-out rows, and the solution for it.

    From strong to weak, each solution started from the one before. The loss falls and then rises, so the first penalty
    that does worse ends the sweep; a kind whose ``error`` is another, which may rise and fall again, tries all.

    Args:
      train, held: (features, targets).
      penalties: to choose from.

    Returns:
      (penalty, W and bias in one vector).
    """
    minimise, loss = _compiled(kind)
    z, y = (tf.constant(a) for a in train)
    flat = tf.zeros([z.shape[1] * y.shape[1] + y.shape[1]])
    best: tuple[float, float | None, tf.Tensor] = (np.inf, None, flat)
    for penalty in sorted(penalties, reverse=True):
        flat, _ = minimise(flat, z, y, tf.constant(penalty, tf.float32))
        weights, bias = (v.numpy() for v in _layer(flat, *held))
        error = kind.error(held[1], held[0] @ weights + bias)
        found = float(loss(flat, *held)) if error is None else error
        if found < best[0]:
            best = (found, float(penalty), flat)
        elif error is None:
            break
    return best[1:]


def held_out(count: int, *, subjects: np.ndarray | None, seed: int, classes: np.ndarray | None = None) -> np.ndarray:
    """The fifth of the training rows on which the penalty is chosen.

    Args:
      count: N.
      subjects: [N] or None; of five and more, whole subjects are held out.
      seed: of the choice.
      classes: int [N] of a classification: a training row of each class remains, with all rows of its subject. If nothing
        would be held out then, subjects are split; if each class has one row, classes are left out.

    Returns:
      bool [N].
    """
    known = subjects is not None and len(np.unique(subjects)) >= 5
    for units in ([cast(np.ndarray, subjects)] if known else []) + [np.arange(count)]:
        each = np.random.RandomState(seed).permutation(np.unique(units))
        drawn = out = np.isin(units, each[: max(1, len(each) // 5)])
        for k in () if classes is None else np.unique(classes):
            if out[classes == k].all():
                out = out & (units != units[classes == k][0])
        if out.any():
            return out
    return drawn


def solve(
    kind: Kind,
    x: np.ndarray,
    y: np.ndarray,
    *,
    seed: int = 0,
    subjects: np.ndarray | None = None,
    classes: np.ndarray | None = None,
    penalties: Iterable[float] = PENALTIES,
) -> tuple[Linear, dict[str, Any]]:
    """Solves; see ``pcl_tf.evaluation.linear.fit``.

    Features, and targets that are numbers, are standardised on the training rows; the layer returned takes raw ones.
    """
    mean, std = x.mean(0), x.std(0)
    std = np.where(std > 1e-6 * max(1e-12, float(std.max())), std, 1.0)  # constant features stay where they are
    z = (x - mean) / std
    low, span = kind.scale(y)
    target = ((y - low) / span).astype(np.float32)
    out = held_out(len(x), subjects=subjects, seed=seed, classes=classes)
    best, start = _swept(kind, (z[~out], target[~out]), (z[out], target[out]), penalties=penalties)
    minimise, _ = _compiled(kind)
    flat, converged = minimise(start, z, target, tf.constant(best, tf.float32))
    weights, bias = (v.numpy() for v in _layer(flat, z, target))
    protocol = {
        "solver": "lbfgs",
        "l2": best,
        "held_out": int(out.sum()),
        "converged": bool(converged.numpy()),
        "seed": seed,
    }
    return unscaled(weights, bias, mean=mean, std=std, low=low, span=span), protocol
