"""The paper's linear evaluation: 300 epochs of Adam on the frozen features, last epoch reported.

``Kind.adam`` has the settings. Classification has those that the released code has for RAF-DB: Linear N(0, .01), Adam 1e-2,
cosine, batch 256, no decay. Regression has those of its 300W-LP: BatchNorm and Linear, AdamW at a constant 1e-3 (its
schedule is never stepped), L1, batch 128; its bias begins near 0, so targets far from 0 are for L-BFGS. Multilabel has the
probe of the same group for DISFA: BatchNorm and Linear, Adam at 1e-3, decay 1e-4 that is part of the gradient, binary
cross-entropy, to which we give 300W-LP's batch. Both linear layers with a BatchNorm begin as PyTorch's do.
"""

import sys
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from pcl_tf.evaluation.kinds import Kind
from pcl_tf.evaluation.linear_model import Linear, unscaled
from pcl_tf.networks.initializers import TorchUniform

EPOCHS = 300


class _Bar(keras.callbacks.Callback):
    def __init__(self, epochs: int) -> None:
        super().__init__()
        self.bar = tqdm(total=epochs, desc="linear probe", unit="epoch", file=sys.stderr, mininterval=1.0)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.bar.set_postfix(loss=f"{logs['loss']:.4f}", refresh=False)
        self.bar.update()

    def on_train_end(self, logs: Any = None) -> None:
        self.bar.close()


def solve(
    kind: Kind, x: np.ndarray, y: np.ndarray, *, seed: int = 0, epochs: int = EPOCHS, **unused: Any
) -> tuple[Linear, dict[str, Any]]:
    """Trains the layer; see ``pcl_tf.evaluation.linear.fit``. No row is held out, since nothing is chosen."""
    keras.utils.set_random_seed(seed)
    how = kind.adam
    steps = -(-len(x) // how.batch)
    decay = keras.regularizers.L2(how.coupled / 2) if how.coupled else None
    begin = TorchUniform(x.shape[1]) if how.normalised else keras.initializers.RandomNormal(0.0, 0.01)
    layer = keras.layers.Dense(
        y.shape[1],
        kernel_initializer=begin,
        bias_initializer=begin if how.normalised else "zeros",
        kernel_regularizer=decay,
        bias_regularizer=decay,
        dtype="float32",
    )
    norm = keras.layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5, gamma_regularizer=decay, beta_regularizer=decay, dtype="float32"
    )
    model = keras.Sequential([norm, layer] if how.normalised else [layer])
    rate = (
        keras.optimizers.schedules.CosineDecay(how.learning_rate, epochs * steps) if how.cosine else how.learning_rate
    )
    if how.decoupled:
        optimizer = keras.optimizers.AdamW(rate, weight_decay=how.decoupled)
    else:
        optimizer = keras.optimizers.Adam(rate)
    # Python between steps costs more than the steps.
    model.compile(optimizer, kind.loss, steps_per_execution=min(50, steps), jit_compile=False)
    model.fit(x, y.astype(np.float32), how.batch, epochs, shuffle=True, verbose=0, callbacks=[_Bar(epochs)])
    protocol: dict[str, Any] = {
        "solver": "adam",
        "epochs": epochs,
        "batch": how.batch,
        "seed": seed,
        "reported": "last epoch",
        "learning_rate": how.learning_rate,
        "cosine": how.cosine,
        "batch_norm": how.normalised,
        "decay": how.coupled or how.decoupled,
        "decay_kind": "coupled" if how.coupled else "decoupled",
    }
    weights, bias = (v.numpy() for v in (layer.kernel, layer.bias))
    if not how.normalised:
        return Linear(weights, bias), protocol
    gamma, beta, mean, var = (v.numpy() for v in (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance))
    std = (var + 1e-5) ** 0.5 / gamma
    return unscaled(weights, beta @ weights + bias, mean=mean, std=std), protocol
