"""State of Dynamic Weight Average: epoch means of the losses, saved with the model."""

from typing import Any

import keras
import tensorflow as tf

from pcl_tf.losses.dwa import dwa_weights


class DynamicWeights(keras.layers.Layer):
    """Weights of losses that follow their relative descent, the alphas of Eq. 7 [37].

    The first two epochs weigh 1; from the third on ``dwa_weights`` of the means
    of the UNWEIGHTED losses over the last two. All state is float32 weights, so
    it is saved and restored like any other.

    Args:
      epoch_steps: steps of one epoch.
      count: K, how many losses are balanced.
      enabled: if False the weights stay 1.
    """

    def __init__(self, epoch_steps: int, *, count: int = 2, enabled: bool = True, **kwargs: Any) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.epoch_steps, self.enabled = epoch_steps, enabled

        def state(name: str, shape: tuple[int, ...]) -> keras.Variable:
            return self.add_weight(
                name=name, shape=shape, initializer="zeros", trainable=False, aggregation="only_first_replica"
            )

        self.total = state("total", (count,))  # sum over the steps of this epoch
        self.history = state("history", (2, count))  # [previous epoch, the one before] x losses
        self.steps = state("steps", ())
        self.epochs = state("epochs", ())
        self.built = True

    def weights_now(self) -> tf.Tensor:
        """float32 [K]: the alphas of this step."""
        history = tf.convert_to_tensor(self.history)
        ones = tf.ones_like(history[0])
        if not self.enabled:
            return ones
        return tf.where(tf.convert_to_tensor(self.epochs) >= 2.0, dwa_weights(history[0], history[1]), ones)

    def update(self, *losses: tf.Tensor) -> None:
        """Counts one step's unweighted losses (K scalars, means over replicas)."""
        total = tf.convert_to_tensor(self.total) + tf.stack(losses)
        steps = tf.convert_to_tensor(self.steps) + 1.0
        history = tf.convert_to_tensor(self.history)
        ends = steps >= float(self.epoch_steps)
        self.history.assign(tf.where(ends, tf.stack([total / steps, history[0]]), history))
        self.epochs.assign(tf.convert_to_tensor(self.epochs) + tf.cast(ends, tf.float32))
        self.total.assign(tf.where(ends, tf.zeros_like(total), total))
        self.steps.assign(tf.where(ends, 0.0, steps))
