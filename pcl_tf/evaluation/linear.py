"""The probe on frozen features: one linear layer, by the paper's training or solved to convergence, or neighbours.

The paper's training is 300 epochs of Adam, last epoch reported; ``Kind.adam`` has the settings. Classification has those
that the released code has for RAF-DB: Linear N(0, .01), Adam 1e-2, cosine, batch 256, no decay. Regression has those of its
300W-LP: BatchNorm and Linear, AdamW at a constant 1e-3 (its schedule is never stepped), L1, batch 128; its bias begins near
0, so targets far from 0 are for L-BFGS. Multilabel has the probe of the same group for DISFA: BatchNorm and Linear, Adam at
1e-3, decay 1e-4 that is part of the gradient, binary cross-entropy, to which we give 300W-LP's batch. Both linear layers
with a BatchNorm begin as PyTorch's do.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
from sklearn import config_context
from sklearn.linear_model import RidgeCV
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm.keras import TqdmCallback

from pcl_tf.evaluation.kind import Kind
from pcl_tf.evaluation.kinds import KINDS
from pcl_tf.networks.initializers import TorchUniform

EPOCHS = 300  # of Adam
PENALTIES = 10.0 ** np.arange(-5.0, 1.0)  # of L-BFGS
RIDGES = 10.0 ** np.arange(-4, 5)  # beside a mean of squared errors
K = 20  # neighbours
_ITERATIONS = 300  # of L-BFGS
_MEMORY = 64  # MiB that scikit-learn takes for the cosines of some rows with all training rows
_MATRIX, _VECTOR = tf.TensorSpec([None, None]), tf.TensorSpec([None])


@dataclasses.dataclass(frozen=True)
class Linear:
    """A linear layer on raw features."""

    logits: ClassVar[bool] = True  # of classes and labels, as ``Kind.answers`` takes it

    weights: np.ndarray  # float32 [D, K]
    bias: np.ndarray  # float64 [K]: targets may be as large as a time in seconds

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """float [N, D] -> float64 [N, K] scores, logits or targets."""
        return np.asarray(x, np.float32) @ self.weights + np.asarray(self.bias, np.float64)


def unscaled(
    weights: np.ndarray, bias: np.ndarray, mean: np.ndarray, std: np.ndarray, *, low: Any = 0.0, span: Any = 1.0
) -> Linear:
    """The layer on raw features that equals ``low + span * (((x - mean) / std) @ weights + bias)``."""
    w = np.asarray(weights, np.float64) / np.asarray(std, np.float64)[:, None]
    b = np.asarray(bias, np.float64) - np.asarray(mean, np.float64) @ w
    return Linear((w * span).astype(np.float32), b * span + low)


class Nearest:
    """Mean of the labels of the nearest training rows, by cosine; nothing is trained, and nothing random.

    Args:
      x: float [N, D] of the training rows.
      y: float [N, K], one-hot, 0/1 or targets.
      k: neighbours, at most N.
    """

    logits = False

    def __init__(self, x: np.ndarray, y: np.ndarray, k: int = K) -> None:
        self.k, self.y = min(k, len(x)), np.asarray(y, np.float64)
        self.rows = NearestNeighbors(n_neighbors=self.k, metric="cosine").fit(x)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Shares of votes or mean targets: float [M, D] -> float64 [M, K]."""
        with config_context(working_memory=_MEMORY):
            return self.rows.kneighbors_graph(x) @ self.y / self.k


def ridge(train: tuple[np.ndarray, np.ndarray], test: np.ndarray) -> np.ndarray:
    """Ridge regression in closed form: features [N, D] and targets [N, K], features [n, D] -> float64 [n, K].

    On standardised features in float64, nothing random. Each target gets the penalty of its least leave-one-out error; all
    share one decomposition of the features, which takes most of the time.
    """
    x, y = (np.asarray(a, np.float64) for a in train)
    # RidgeCV multiplies what it leaves of the mean of large targets, as times in seconds, by 1 / penalty.
    low = y.mean(0)
    model = make_pipeline(StandardScaler(), RidgeCV(RIDGES * len(x), alpha_per_target=True)).fit(x, y - low)
    return low + model.predict(np.asarray(test, np.float64)).reshape(len(test), -1)


def fit(
    kind: str,
    x: np.ndarray,
    y: np.ndarray,
    *,
    solver: str = "lbfgs",
    seed: int = 0,
    subjects: np.ndarray | None = None,
    classes: int | None = None,
) -> tuple[Linear | Nearest, dict[str, Any]]:
    """Fits the probe on training rows alone.

    Args:
      kind: of ``KINDS`` whose images have labels.
      x: float [N, D].
      y: labels: int [N], or float [N, K].
      solver: 'adam', the paper's 300 epochs; 'lbfgs', to convergence with an L2 sweep; 'knn', the vote or mean of the K
        nearest training rows.
      seed: of initialisation and order (adam) and of the held-out rows (lbfgs).
      subjects: [N] who is on each image: the sweep holds out whole subjects.
      classes: number of classes, where y may lack some.

    Returns:
      (Linear, or of 'knn' Nearest, dict that describes the protocol).
    """
    of, x = KINDS[kind], np.asarray(x, np.float32)
    targets = of.targets(y, classes or int(np.max(y)) + 1)
    if solver == "knn":
        layer = Nearest(x, targets)
        return layer, {"solver": solver, "k": layer.k, "similarity": "cosine", "vote": "each neighbour alike"}
    if solver == "adam":
        return _adam(of, x, targets, seed)
    return _lbfgs(of, x, targets, held_out(len(x), subjects=subjects, seed=seed, classes=of.classes(y)), seed=seed)


def _adam(kind: Kind, x: np.ndarray, y: np.ndarray, seed: int) -> tuple[Linear, dict[str, Any]]:
    """The paper's training. No row is held out, since nothing is chosen."""
    keras.utils.set_random_seed(seed)
    how, steps = kind.adam, -(-len(x) // kind.adam.batch)
    decay = keras.regularizers.L2(how.coupled / 2) if how.coupled else None
    begin = TorchUniform(x.shape[1]) if how.batch_norm else keras.initializers.RandomNormal(0.0, 0.01)
    layer = keras.layers.Dense(
        y.shape[1],
        kernel_initializer=begin,
        bias_initializer=begin if how.batch_norm else "zeros",
        kernel_regularizer=decay,
        bias_regularizer=decay,
        dtype="float32",
    )
    norm = keras.layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5, gamma_regularizer=decay, beta_regularizer=decay, dtype="float32"
    )
    model = keras.Sequential([norm, layer] if how.batch_norm else [layer])
    rate: Any = how.learning_rate
    if how.cosine:
        rate = keras.optimizers.schedules.CosineDecay(rate, EPOCHS * steps)
    optimizer = keras.optimizers.Adam(rate, weight_decay=how.decoupled or None)
    # Python between steps costs more than the steps.
    model.compile(optimizer, kind.loss, steps_per_execution=min(50, steps), jit_compile=False)
    bar = TqdmCallback(verbose=0, desc="linear probe", mininterval=1.0)
    model.fit(x, y.astype(np.float32), how.batch, EPOCHS, shuffle=True, verbose=0, callbacks=[bar])
    protocol = {"solver": "adam", "epochs": EPOCHS, "seed": seed, "reported": "last epoch", **dataclasses.asdict(how)}
    weights, bias = (v.numpy() for v in (layer.kernel, layer.bias))
    if not how.batch_norm:
        return Linear(weights, bias), protocol
    gamma, beta, mean, var = (v.numpy() for v in (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance))
    return unscaled(weights, beta @ weights + bias, mean, (var + 1e-5) ** 0.5 / gamma), protocol


def held_out(count: int, *, subjects: np.ndarray | None, seed: int, classes: np.ndarray | None = None) -> np.ndarray:
    """The fifth of count training rows on which the penalty is chosen: bool [N].

    Args:
      count, seed: N, and of the choice.
      subjects: [N] or None; of five and more, whole subjects are held out.
      classes: int [N] of a classification: a training row of each class remains, with all rows of its subject. If nothing
        would be held out then, subjects are split; if each class has one row, classes are left out.
    """
    for units in ([subjects] if subjects is not None and len(np.unique(subjects)) >= 5 else []) + [np.arange(count)]:
        each = np.random.RandomState(seed).permutation(np.unique(units))
        drawn = out = np.isin(units, each[: max(1, len(each) // 5)])
        for k in () if classes is None else np.unique(classes):
            if out[classes == k].all():
                out = out & (units != units[classes == k][0])
        if out.any():
            return out
    return drawn


def _lbfgs(kind: Kind, x: np.ndarray, y: np.ndarray, out: np.ndarray, *, seed: int) -> tuple[Linear, dict[str, Any]]:
    """The convex problem solved to convergence; out: bool [N], rows on which the penalty is chosen.

    Features, and targets that are numbers, are standardised on the training rows; the layer returned takes raw ones.
    Penalties are tried from strong to weak, each solution started from the one before. The loss falls and then rises, so
    the first penalty that does worse ends the sweep; a kind whose ``error`` is another, which may rise and fall again,
    tries all.
    """
    mean, std = x.mean(0), x.std(0)
    std = np.where(std > 1e-6 * max(1e-12, float(std.max())), std, 1.0)  # constant features stay where they are
    low, span = kind.scale(y)
    z, target = (x - mean) / std, ((y - low) / span).astype(np.float32)
    minimise, loss = _compiled(kind)
    train, held = (tf.constant(z[~out]), tf.constant(target[~out])), (z[out], target[out])
    flat = tf.zeros([z.shape[1] * y.shape[1] + y.shape[1]])
    least, best, start = np.inf, 0.0, flat
    for penalty in sorted(PENALTIES, reverse=True):
        flat, _ = minimise(flat, *train, tf.constant(penalty, tf.float32))
        weights, bias = (v.numpy() for v in _layer(flat, *held))
        error = kind.error(held[1], held[0] @ weights + bias)
        found = float(loss(flat, *held)) if error is None else error
        if found < least:
            least, best, start = found, float(penalty), flat
        elif error is None:
            break
    flat, converged = minimise(start, z, target, tf.constant(best, tf.float32))
    weights, bias = (v.numpy() for v in _layer(flat, z, target))
    protocol = {"solver": "lbfgs", "l2": best, "held_out": int(out.sum()), "converged": bool(converged), "seed": seed}
    return unscaled(weights, bias, mean, std, low=low, span=span), protocol


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
        import tensorflow_probability as tfp  # seconds, which neighbours need not wait

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
