"""MoCo (He, Fan, Wu, Xie, Girshick, CVPR 2020), a baseline of Tables 1 to 4: a queue of keys, a momentum encoder."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from ml_collections import ConfigDict

from pcl_tf.losses import accuracy, info_nce, spread
from pcl_tf.losses.cosine import unit
from pcl_tf.losses.gather import gather_rows
from pcl_tf.methods.base import Method
from pcl_tf.methods.objective import Part, Scalars
from pcl_tf.methods.simclr import FACE_LOGS
from pcl_tf.seeds import Rng


class MoCo(Method):
    """Momentum contrast on ``face``, with the views, networks and optimiser of the other methods. Args: see ``Method``.

    The queue starts as random unit vectors. The released MoCo shuffles BatchNorm between devices, so that a query
    and its key are normalised apart; here they pass the heads in calls of their own, and the backbone has none.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.key_encoder, self.key_head = (keras.models.clone_model(m) for m in (self.encoder, self.face_head))
        self.key_encoder.set_weights(self.encoder.get_weights())
        self.key_head.set_weights(self.face_head.get_weights())
        shape = (self.method.queue, self.face_head.output_shape[-1])
        self.queue = self.state("queue", shape, initializer="random_normal")
        self.queue.assign(unit(tf.convert_to_tensor(self.queue)))

    @classmethod
    def objective(cls, recipe: ConfigDict) -> tuple[Part, ...]:
        """InfoNCE of each query against the keys of the queue."""
        passes = 4 if recipe.method.both_directions else 2
        losses = {"face": "InfoNCE of a face's two views against the queue. Falls from the logarithm of its length."}
        return (Part(run=cls.face, losses=losses, logs=FACE_LOGS, images="batch_size", passes=passes),)

    def total(self, loss: Mapping[str, tf.Tensor], alpha: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """L = InfoNCE. See ``Method``."""
        return loss["face"]

    @classmethod
    def follows(cls, recipe: ConfigDict) -> dict[str, float]:
        """See ``Method``. A momentum of .999 would leave a short run much of the key encoder's first weights."""
        return {"momentum": recipe.method.momentum or (0.99 if recipe.total_steps < 10_000 else 0.999)}

    @classmethod
    def problems(cls, recipe: ConfigDict) -> list[str]:
        """See ``Method``."""
        queue, batch, found = recipe.method.queue, recipe.batch_size, super().problems(recipe)
        if queue % batch:
            found.append(f"--recipe.method.queue={queue} must be a multiple of --recipe.batch_size={batch}.")
        return found

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """The query's. The key's follow them, but must count as trainable: BatchNorm else ignores the batch."""
        return [*self.encoder.trainable_variables, *self.face_head.trainable_variables]

    def face(self, images: tf.Tensor, rng: Rng) -> tuple[Scalars, Scalars]:
        """InfoNCE of queries against the queue, with the keys of the same images; 'keys' among the logs, [n, D]."""
        views = self.face_pair(images, rng)
        # (view of the query, view of its key); images stand in the queue once, by the key of their second view.
        directions = ((0, 1), (1, 0)) if self.method.both_directions else ((0, 1),)
        keys = {k: self._key(views[k]) for _, k in directions}
        queue, rows = tf.convert_to_tensor(self.queue), []
        for q, k in directions:
            query = self.face_head(self.encoder(views[q], training=True)["face"], training=True)
            loss, logits = info_nce(query, keys[k], queue, temperature=self.method.temperature)
            rows.append((loss, accuracy(logits), spread(query)))
        loss, right, evenness = (tf.add_n(column) / len(rows) for column in zip(*rows, strict=True))
        return {"face": loss}, {"face_accuracy": right, "face_spread": evenness, "keys": keys[1]}

    def after(self, logs: Scalars) -> None:
        """After the query's update the newest keys enter the queue and the key encoder follows."""
        newest = gather_rows(logs.pop("keys"))  # every replica's
        older = tf.convert_to_tensor(self.queue)[: self.method.queue - self.recipe.batch_size]
        self.queue.assign(tf.concat([newest, older], axis=0))
        tf.distribute.get_replica_context().merge_call(self._follow)

    def _key(self, view: tf.Tensor) -> tf.Tensor:
        """Unit keys of a view, float32 [n, D], that no gradient reaches."""
        key = self.key_head(self.key_encoder(view, training=True)["face"], training=True)
        return unit(tf.stop_gradient(tf.cast(key, tf.float32)))

    def _follow(self, strategy: tf.distribute.Strategy) -> None:
        """The key's weights move towards the query's: k = m * k + (1 - m) * q."""
        rest = 1.0 - self.method.momentum
        pairs = ((self.key_encoder, self.encoder), (self.key_head, self.face_head))
        for key, query in pairs:
            for k, q in zip(key.trainable_variables, query.trainable_variables, strict=True):
                strategy.extended.update(k.value, lambda k, q: k.assign_add(rest * (q - k)), args=(q.value,))
