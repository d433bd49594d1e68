"""The paper's linear evaluation: 300 epochs of Adam on the frozen features, last epoch reported.

RAF-DB's settings of the released code (Linear N(0, .01), Adam 1e-2, cosine, batch 256, no decay) serve all
classification and multilabel tasks; regression has those of 300W-LP (BatchNorm, Linear, AdamW 1e-3, L1, batch 128).
"""

import sys

import keras
from tqdm import tqdm

from pcl_tf.evaluation.linear import Linear, unscaled

EPOCHS = 300


class _Bar(keras.callbacks.Callback):
    def __init__(self, epochs):
        super().__init__()
        self.bar = tqdm(total=epochs, desc="linear probe", unit="epoch", file=sys.stderr, mininterval=1.0)

    def on_epoch_end(self, epoch, logs=None):
        self.bar.set_postfix(loss=f"{logs['loss']:.4f}", refresh=False)
        self.bar.update()

    def on_train_end(self, logs=None):
        self.bar.close()


def solve(kind, x, y, seed=0, subjects=None):
    """Trains the layer; see ``pcl_tf.evaluation.linear.fit``. y: float32 [N, K], one-hot for classification."""
    del subjects  # nothing is chosen, so nothing is held out
    keras.utils.set_random_seed(seed)
    epochs = EPOCHS
    batch = 128 if kind == "regression" else 256
    steps = epochs * -(-len(x) // batch)
    layer = keras.layers.Dense(
        y.shape[1], kernel_initializer=keras.initializers.RandomNormal(0.0, 0.01), dtype="float32"
    )
    norm = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, dtype="float32")
    model = keras.Sequential([norm, layer] if kind == "regression" else [layer])
    if kind == "regression":
        optimizer = keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(1e-3, steps), weight_decay=1e-2)
        loss = "mean_absolute_error"
    else:
        optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-2, steps))
        losses = {"classification": keras.losses.CategoricalCrossentropy, "multilabel": keras.losses.BinaryCrossentropy}
        loss = losses[kind](from_logits=True)
    # Python between steps costs more than the steps.
    model.compile(optimizer, loss, steps_per_execution=min(50, -(-len(x) // batch)), jit_compile=False)
    model.fit(x, y, batch, epochs, shuffle=True, verbose=0, callbacks=[_Bar(epochs)])
    protocol = {"solver": "adam", "epochs": epochs, "batch": batch, "seed": seed, "reported": "last epoch"}
    weights, bias = (v.numpy() for v in (layer.kernel, layer.bias))
    if kind != "regression":
        return Linear(weights, bias), protocol
    gamma, beta, mean, var = (v.numpy() for v in (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance))
    return unscaled(weights, beta @ weights + bias, mean, (var + 1e-5) ** 0.5 / gamma), protocol
