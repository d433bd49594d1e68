"""The one place random numbers of training come from.

Everything random in a step is a pure function of (recipe seed, step, name), so
that a resumed run repeats what a run that never stopped would have drawn.
Per-image draws are made for the GLOBAL batch and each replica takes its rows:
two replicas see exactly the numbers one replica would.
"""

import hashlib
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf


def seed_everything(seed: int, deterministic: bool = False) -> None:
    """Seeds Python, numpy and the initialisers; with deterministic, operations also repeat bit for bit."""
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
        # keras-cv's base layers ask for it, and with determinism TensorFlow makes none by itself.
        tf.random.set_global_generator(tf.random.Generator.from_seed(seed))


_END = 2**30  # seeds and offsets are below it, so that their sum is an int32


def _drawn(shape: Sequence[int], seed: tf.Tensor) -> tf.Tensor:
    return tf.random.stateless_uniform(shape, seed, 0, _END, tf.int32)


class Rng:
    """A stream of per-image random numbers for one replica's part of a batch.

    Names and counts are known while a step is traced: they become a constant that is added to the seed, and a draw costs
    the step nothing but the draw.

    Args:
      seed: int32 [2], each in [0, 2^30).
      replica: index of this replica (int or scalar tensor).
      replicas: how many share the batch.
      pair: a stream that two views of one image have in common, or None.
      path: what names this stream among those of its seed.
    """

    def __init__(
        self,
        seed: tf.Tensor,
        *,
        replica: int | tf.Tensor = 0,
        replicas: int = 1,
        pair: "Rng | None" = None,
        path: str = "",
    ) -> None:
        self.seed = seed
        self.replica = replica
        self.replicas = replicas
        self.pair = pair
        self.path = path
        self._count = 0

    @classmethod
    def fresh(cls) -> "Rng":
        """A stream that differs at every call, eagerly and in every element of a tf.data map."""
        return cls(tf.random.uniform([2], maxval=_END, dtype=tf.int32))

    def named(self, name: str) -> "Rng":
        """An independent stream for one purpose."""
        return Rng(self.seed, replica=self.replica, replicas=self.replicas, pair=self.pair, path=f"{self.path}/{name}")

    def paired(self, pair: "Rng | None") -> "Rng":
        """This stream, with ``pair`` as what it has in common with another."""
        return Rng(self.seed, replica=self.replica, replicas=self.replicas, pair=pair, path=self.path)

    def next_seed(self) -> tf.Tensor:
        """int32 [2], another one at every call, the same on every replica."""
        self._count += 1
        offset = hashlib.blake2b(f"{self.path}#{self._count}".encode(), digest_size=8).digest()
        return self.seed + tf.constant(np.frombuffer(offset, "<u4") % _END, tf.int32)

    def drawn_seed(self) -> tf.Tensor:
        """int32 [2], each in [0, 2^30): the seed of another ``Rng``, drawn from this one."""
        return _drawn([2], self.next_seed())

    def seeds(self, rows: int) -> tf.Tensor:
        """int32 [rows, 2], each in [0, 2^30): a seed for each image."""
        return self.mine(_drawn([rows * self.replicas, 2], self.next_seed()), rows)

    def uniform(self, rows: int, low: float = 0.0, high: float = 1.0, *, shape: Sequence[int] = ()) -> tf.Tensor:
        """float32 [rows, *shape] from U(low, high)."""
        x = tf.random.stateless_uniform([rows * self.replicas, *shape], self.next_seed(), low, high)
        return self.mine(x, rows)

    def normal(self, rows: int, stddev: float, shape: Sequence[int] = ()) -> tf.Tensor:
        """float32 [rows, *shape] from N(0, stddev^2)."""
        x = tf.random.stateless_normal([rows * self.replicas, *shape], self.next_seed(), stddev=stddev)
        return self.mine(x, rows)

    def mine(self, x: tf.Tensor, rows: int) -> tf.Tensor:
        """This replica's rows of a tensor drawn for all."""
        return x if self.replicas == 1 else x[self.replica * rows : (self.replica + 1) * rows]


def replica_rng(seed: int, step: tf.Tensor) -> Rng:
    """The stream of this step on this replica.

    Args:
      seed: int of the recipe.
      step: scalar int tensor.
    """
    context = tf.distribute.get_replica_context()
    of_step = tf.random.experimental.stateless_fold_in(tf.constant([seed, 7919], tf.int32), tf.cast(step, tf.int32))
    return Rng(_drawn([2], of_step), replica=context.replica_id_in_sync_group, replicas=context.num_replicas_in_sync)
