"""What self-supervised methods share: the step, its seed, differentiation part by part, the optimiser."""

import keras
import numpy as np
import tensorflow as tf

from pcl_tf.losses.gather import mean_over_replicas
from pcl_tf.seeds import replica_draws
from pcl_tf.strategy import spans_machines


class Method(keras.Model):
    """A method that pre-trains an encoder. Subclasses give ``update(images, draws) -> logs``.

    Args:
      encoder: keras.Model of ``pcl_tf.networks.encoder``.
      face_head: projection head on ``face``.
      method: ConfigDict ``method`` of a recipe; its fields are explained in ``recipes/common.py``.
      batch_size: images of the global batch.
      replicas: number of replicas that share a batch.
      seed: of every random draw of training.
      coupled_decay: L2 coefficient whose gradient is added to the loss's (torch Adam's weight_decay).
      precision: dtype policy.

    Attributes:
      decoder: keras.Model or None, for reconstruction sheets.
    """

    decoder = None
    asked_to_stop = None  # () -> bool, on this machine; over several machines logs['stop'] says whether any was asked

    def __init__(self, encoder, face_head, method, batch_size, replicas, seed, coupled_decay, precision, name):
        super().__init__(name=name, dtype=precision)
        self.encoder, self.face_head, self.method = encoder, face_head, method
        self.batch_size, self.replicas, self.seed, self.coupled_decay = batch_size, replicas, seed, coupled_decay
        self.step = self.state("step", (), "int64")

    def state(self, name, shape, dtype="float32", initializer="zeros"):
        """A weight that no gradient reaches: the same on every replica, saved like any other."""
        return self.add_weight(
            name=name,
            shape=shape,
            dtype=dtype,
            initializer=initializer,
            trainable=False,
            aggregation="only_first_replica",
            autocast=False,
        )

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Nothing: a method is built. Keras would take a mean of a batch over the machines, and images have no mean."""

    def call(self, images, training=False):
        """float [N, S, S, 3] in [0, 1] -> dict of 'face_aware', 'face', 'pose'."""
        return self.encoder(images, training=training)

    def train_step(self, images):
        """One step.

        Args:
          images: uint8 [n, S, S, 3], this replica's.

        Returns:
          dict of float32 scalars, the same on every replica.
        """
        mine = self.images_a_step() // self.replicas  # a data set spread over machines forgets it
        images = tf.ensure_shape(images, [mine, *images.shape[1:]])
        images = tf.cast(images, tf.float32) / 255.0
        logs = self.update(images, replica_draws(self.seed, self.step.value))
        logs = {k: mean_over_replicas(tf.cast(v, tf.float32)) for k, v in logs.items()}
        self.after(logs)
        self.step.assign(self.step.value + 1)
        logs["learning_rate"] = tf.cast(tf.convert_to_tensor(self.optimizer.learning_rate), tf.float32)
        if spans_machines():
            if self.asked_to_stop:
                asked = tf.numpy_function(lambda: np.float32(self.asked_to_stop()), [], tf.float32)
                logs["stop"] = mean_over_replicas(tf.ensure_shape(asked, []))
            logs = {k: v[None] for k, v in logs.items()}  # Keras averages over machines along an axis
        return logs

    def images_a_step(self):
        """Images of the global batch that one step consumes."""
        return self.batch_size

    def update(self, images, draws):
        """Updates the weights: float32 images [n, S, S, 3] in [0, 1], ``Draws`` -> dict of scalars."""
        raise NotImplementedError(f"{type(self).__name__} must define update.")

    def after(self, logs):
        """What a method does with the step's logs (means over replicas)."""

    def apply_parts(self, *parts):
        """One optimiser step on the sum of parts, each ``() -> (loss, logs)``; returns logs, loss and gradient norm.

        Parts share weights and no activations. So each is differentiated by itself and waits for the one before: a
        step needs the memory of its largest part, not of all.
        """
        if self.coupled_decay:
            parts = (*parts, self._decay)
        variables = self.trainable_variables
        sums, done, total, logs = [None] * len(variables), [], 0.0, {}
        for part in parts:
            with tf.control_dependencies(done):
                with tf.GradientTape() as tape:
                    loss, more = part()
                    # Gradients are summed over replicas, so each gives its share of the mean.
                    target = self.optimizer.scale_loss(loss / self.replicas)
                gradients = tape.gradient(target, [v.value for v in variables])
                sums = [s if g is None else g if s is None else s + g for s, g in zip(sums, gradients, strict=True)]
            done = [g for g in sums if g is not None]
            if part != self._decay:
                total, logs = total + loss, {**logs, **more}
        pairs = [(g, v) for g, v in zip(sums, variables, strict=True) if g is not None]
        gradients = self._over_replicas([g for g, _ in pairs])
        norm = self._gradient_norm(gradients)
        self.optimizer.apply(gradients, [v for _, v in pairs])
        return {**logs, "loss": total, "gradient_norm": norm}

    def _decay(self):
        """The released code's Adam adds decay * w to the gradient of every parameter."""
        squares = tf.add_n([tf.reduce_sum(tf.square(v)) for v in self.trainable_variables])
        return 0.5 * self.coupled_decay * squares, {}

    def _over_replicas(self, gradients):
        """Sums over replicas, once: logged norm, clipping, loss scale and update all see the same gradients."""
        if self.replicas == 1:
            return gradients
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradients)

    def _gradient_norm(self, gradients):
        norm = tf.linalg.global_norm([tf.cast(g, tf.float32) for g in gradients])
        scale = getattr(self.optimizer, "dynamic_scale", None)
        return norm if scale is None else norm / tf.cast(tf.convert_to_tensor(scale), tf.float32)
