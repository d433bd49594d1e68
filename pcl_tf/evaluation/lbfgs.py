"""The same convex problem solved to convergence: L-BFGS of tensorflow-probability with a sweep of L2."""

import functools
from collections.abc import Callable, Iterable
from typing import Any, cast

import numpy as np
import tensorflow as tf

from pcl_tf.evaluation.kinds import KINDS
from pcl_tf.evaluation.linear_model import Linear, unscaled

PENALTIES = 10.0 ** np.arange(-5.0, 1.0)
_ITERATIONS = 300


def _loss(kind: str) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    def classification(y: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax_cross_entropy_with_logits(y, scores)

    def multilabel(y: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(y, scores), axis=1)

    def regression(y: tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
        # L1 with a rounded tip: L-BFGS needs a gradient everywhere
        return tf.reduce_mean(tf.sqrt(tf.square(scores - y) + 1e-2) - 0.1, axis=1)

    return {"classification": classification, "multilabel": multilabel, "regression": regression}[kind]


_MATRIX, _VECTOR = tf.TensorSpec([None, None]), tf.TensorSpec([None])


def _layer(flat: tf.Tensor, z: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    cut = tf.shape(z)[1] * tf.shape(y)[1]
    return tf.reshape(flat[:cut], (tf.shape(z)[1], tf.shape(y)[1])), flat[cut:]


@functools.cache
def _compiled(kind: str) -> tuple[Callable[..., tuple[tf.Tensor, tf.Tensor]], Callable[..., tf.Tensor]]:
    """(minimise, error) of a kind of task, traced once for data of every shape: tracing costs more than solving."""
    loss = _loss(kind)

    @tf.function(input_signature=[_VECTOR, _MATRIX, _MATRIX])
    def error(flat: tf.Tensor, z: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        weights, bias = _layer(flat, z, y)
        return tf.reduce_mean(loss(y, z @ weights + bias))

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
    kind: str, train: tuple[np.ndarray, np.ndarray], held: tuple[np.ndarray, np.ndarray], *, penalties: Iterable[float]
) -> tuple[float | None, tf.Tensor]:
    """The penalty that does best on held-out rows, and the solution for it.

    From strong to weak, each solution started from the one before. The loss falls and then rises, so the first penalty
    that does worse ends the sweep. Action units are chosen by the F1 they are scored by: with rare labels the loss is
    often least where nothing is found at all, and F1 does not rise and fall once.

    Args:
      train, held: (features, targets).
      penalties: to choose from.

    Returns:
      (penalty, W and bias in one vector).
    """
    minimise, error = _compiled(kind)
    z, y = (tf.constant(a) for a in train)
    flat = tf.zeros([z.shape[1] * y.shape[1] + y.shape[1]])
    best: tuple[float, float | None, tf.Tensor] = (np.inf, None, flat)
    for penalty in sorted(penalties, reverse=True):
        flat, _ = minimise(flat, z, y, tf.constant(penalty, tf.float32))
        weights, bias = (v.numpy() for v in _layer(flat, *held))
        scored = KINDS[kind].error(held[1], held[0] @ weights + bias)
        found = float(error(flat, *held)) if scored is None else scored
        if found < best[0]:
            best = (found, float(penalty), flat)
        elif scored is None:
            break
    return best[1:]


def held_out(count: int, *, subjects: np.ndarray | None, seed: int, classes: np.ndarray | None = None) -> np.ndarray:
    """The fifth of the training rows on which the penalty is chosen.

    Args:
      count: N.
      subjects: [N] or None; of five and more, whole subjects are held out.
      seed: of the choice.
      classes: int [N] of a classification: each keeps a row that teaches, with all of its subject, as long as anything
        is held out then; else subjects are not asked, and where there is one row of each class, classes neither.

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
    kind: str,
    x: np.ndarray,
    y: np.ndarray,
    *,
    seed: int = 0,
    subjects: np.ndarray | None = None,
    penalties: Iterable[float] = PENALTIES,
) -> tuple[Linear, dict[str, Any]]:
    """Solves; see ``pcl_tf.evaluation.linear.fit``. y: float32 [N, K], one-hot for classification.

    Features, and targets of a regression, are standardised on the training rows; the layer returned takes raw ones.
    """
    mean, std = x.mean(0), x.std(0)
    std = np.where(std > 1e-6 * max(1e-12, float(std.max())), std, 1.0)  # constant features stay where they are
    z = (x - mean) / std
    low, span = (y.mean(0), np.maximum(y.std(0), 1e-6)) if kind == "regression" else (0.0, 1.0)
    target = ((y - low) / span).astype(np.float32)
    out = held_out(len(x), subjects=subjects, seed=seed, classes=y.argmax(1) if kind == "classification" else None)
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
