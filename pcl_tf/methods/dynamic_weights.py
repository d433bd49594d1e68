"""State of Dynamic Weight Average: epoch means of the losses, kept with the model."""

import keras
import tensorflow as tf

from pcl_tf.losses.dwa import dwa_weights


class DynamicWeights(keras.layers.Layer):
    """Weights of (L_face, L_pose) that follow their relative descent (Eq. 7, [37]).

    The first two epochs weigh 1; from the third on ``dwa_weights`` of the means
    of the UNWEIGHTED losses over the last two. All state is float32 weights, so
    it is saved and restored like any other.

    Args:
      epoch_steps: steps of one epoch.
      enabled: if False the weights stay 1.
    """

    def __init__(self, epoch_steps, enabled=True, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.epoch_steps, self.enabled = epoch_steps, enabled

        def state(name, shape):
            return self.add_weight(
                name=name, shape=shape, initializer="zeros", trainable=False, aggregation="only_first_replica"
            )

        self.total = state("total", (2,))  # sum over the steps of this epoch
        self.history = state("history", (2, 2))  # [previous epoch, the one before] x [face, pose]
        self.steps = state("steps", ())
        self.epochs = state("epochs", ())
        self.built = True

    def weights_now(self):
        """float32 [2]: (alpha_face, alpha_pose) for this step."""
        if not self.enabled:
            return tf.ones(2)
        history = tf.convert_to_tensor(self.history)
        balanced = dwa_weights(history[0], history[1])
        return tf.where(tf.convert_to_tensor(self.epochs) >= 2.0, balanced, tf.ones(2))

    def update(self, face, pose):
        """Counts one step's unweighted losses (scalars, means over replicas)."""
        total = tf.convert_to_tensor(self.total) + tf.stack([face, pose])
        steps = tf.convert_to_tensor(self.steps) + 1.0
        history = tf.convert_to_tensor(self.history)
        ends = steps >= float(self.epoch_steps)
        self.history.assign(tf.where(ends, tf.stack([total / steps, history[0]]), history))
        self.epochs.assign(tf.convert_to_tensor(self.epochs) + tf.cast(ends, tf.float32))
        self.total.assign(tf.where(ends, tf.zeros(2), total))
        self.steps.assign(tf.where(ends, 0.0, steps))
