"""MoCo (He, Fan, Wu, Xie, Girshick, CVPR 2020), a baseline of Tables 1 to 4: a queue of keys, a momentum encoder."""

import keras
import tensorflow as tf

from pcl_tf.losses.cosine import unit
from pcl_tf.losses.gather import gather_rows
from pcl_tf.methods.base import Method
from pcl_tf.methods.terms import spread
from pcl_tf.views import chains


def queue_loss(query, key, queue, temperature):
    """InfoNCE against a queue: the key of the same image among all keys of the queue.

    Args:
      query, key: float32 [n, D] of two views of the same images.
      queue: float32 [K, D], unit rows.
      temperature: tau.

    Returns:
      (mean loss, share of queries whose own key is the most similar), scalars.
    """
    query, key = unit(query), unit(tf.stop_gradient(key))
    logits = tf.concat([tf.reduce_sum(query * key, axis=1, keepdims=True), query @ tf.transpose(queue)], axis=1)
    logits /= temperature
    losses = -tf.nn.log_softmax(logits)[:, 0]
    right = tf.argmax(logits, axis=1) == 0
    return tf.reduce_mean(losses), tf.reduce_mean(tf.cast(right, tf.float32))


class MoCo(Method):
    """Momentum contrast on ``face``, with the views, networks and optimiser of the other methods.

    The queue starts as random unit vectors. The released MoCo shuffles BatchNorm between devices, so that a query
    and its key are normalised apart; here they pass the heads in calls of their own, and the backbone has none.

    Args:
      encoder, face_head, method, batch_size, replicas, seed, coupled_decay, precision: see ``Method``.
      image_size: side of the images in pixels.
    """

    def __init__(self, encoder, face_head, method, image_size, batch_size, replicas, seed, coupled_decay, precision):
        super().__init__(encoder, face_head, method, batch_size, replicas, seed, coupled_decay, precision, name="moco")
        self.views = chains.face_views(image_size, method.crop, method.flip_views, method.photometric)
        self.key_encoder, self.key_head = (keras.models.clone_model(m) for m in (encoder, face_head))
        self.key_encoder.set_weights(encoder.get_weights())
        self.key_head.set_weights(face_head.get_weights())
        self.queue = self.state("queue", (method.queue, face_head.output_shape[-1]), initializer="random_normal")
        self.queue.assign(unit(tf.convert_to_tensor(self.queue)))
        self.built = True

    @property
    def trainable_variables(self):
        """The query's. The key's follow them, but must count as trainable: BatchNorm else ignores the batch."""
        return [*self.encoder.trainable_variables, *self.face_head.trainable_variables]

    def update(self, images, draws):
        """One update of the query, then of the key encoder and the queue."""
        m = self.method
        pair = draws.named("pair")
        views = [v(images, draws=draws.named(f"view{i}").paired(pair)) for i, v in enumerate(self.views)]
        # (view of the query, view of its key); images stand in the queue once, by the key of their second view.
        directions = ((0, 1), (1, 0)) if m.both_directions else ((0, 1),)
        keys = {k: self._key(views[k]) for _, k in directions}
        queue = tf.convert_to_tensor(self.queue)

        def contrast():
            rows = []
            for q, k in directions:
                query = self.face_head(self.encoder(views[q], training=True)["face"], training=True)
                query = tf.cast(query, tf.float32)
                rows.append([*queue_loss(query, keys[k], queue, m.temperature), spread(query)])
            loss, accuracy, evenness = (tf.add_n(column) / len(rows) for column in zip(*rows, strict=True))
            return loss, {"loss_face": loss, "face_accuracy": accuracy, "face_spread": evenness}

        logs = self.apply_parts(contrast)
        newest = gather_rows(keys[1])  # every replica's
        self.queue.assign(tf.concat([newest, queue[: m.queue - self.batch_size]], axis=0))
        tf.distribute.get_replica_context().merge_call(self._follow)
        return logs

    def _key(self, view):
        """Unit keys of a view, float32 [n, D], that no gradient reaches."""
        key = self.key_head(self.key_encoder(view, training=True)["face"], training=True)
        return unit(tf.stop_gradient(tf.cast(key, tf.float32)))

    def _follow(self, strategy):
        """The key's weights move towards the query's: k = m * k + (1 - m) * q."""
        rest = 1.0 - self.method.momentum
        pairs = ((self.key_encoder, self.encoder), (self.key_head, self.face_head))
        for key, query in pairs:
            for k, q in zip(key.trainable_variables, query.trainable_variables, strict=True):
                strategy.extended.update(k.value, lambda k, q: k.assign_add(rest * (q - k)), args=(q.value,))
