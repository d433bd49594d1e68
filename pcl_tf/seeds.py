"""The one place random numbers of training come from.

Everything random in a step is a pure function of (recipe seed, step, name), so
that a resumed run repeats what a run that never stopped would have drawn.
Per-image draws are made for the GLOBAL batch and each replica takes its rows:
two replicas see exactly the numbers one replica would.
"""

import zlib

import keras
import tensorflow as tf


def seed_everything(seed, deterministic=False):
    """Seeds Python, numpy and the initialisers; with deterministic, operations also repeat bit for bit."""
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
        # keras-cv's base layers ask for it, and with determinism TensorFlow makes none by itself.
        tf.random.set_global_generator(tf.random.Generator.from_seed(seed))


class Rng:
    """A stream of per-image random numbers for one replica's part of a batch.

    Args:
      seed: int32 [2].
      replica: index of this replica (int or scalar tensor).
      replicas: how many share the batch.
      pair: a stream that two views of one image have in common, or None.
    """

    def __init__(self, seed, replica=0, replicas=1, pair=None):
        self.seed = seed
        self.replica = replica
        self.replicas = replicas
        self.pair = pair
        self._count = 0

    @classmethod
    def fresh(cls):
        """A stream that differs at every call, eagerly and in every element of a tf.data map."""
        return cls(tf.random.uniform([2], maxval=2**31 - 1, dtype=tf.int32))

    def named(self, name):
        """An independent stream for one purpose."""
        seed = tf.random.experimental.stateless_fold_in(self.seed, zlib.crc32(name.encode()) & 0x7FFFFFFF)
        return Rng(seed, self.replica, self.replicas, self.pair)

    def paired(self, pair):
        """This stream, with ``pair`` as what it has in common with another."""
        return Rng(self.seed, self.replica, self.replicas, pair)

    def next_seed(self):
        """int32 [2], another one at every call, the same on every replica."""
        self._count += 1
        return tf.random.experimental.stateless_fold_in(self.seed, self._count)

    def uniform(self, rows, low=0.0, high=1.0, shape=()):
        """float32 [rows, *shape] from U(low, high)."""
        x = tf.random.stateless_uniform([rows * self.replicas, *shape], self.next_seed(), low, high)
        return self.mine(x, rows)

    def normal(self, rows, stddev, shape=()):
        """float32 [rows, *shape] from N(0, stddev^2)."""
        x = tf.random.stateless_normal([rows * self.replicas, *shape], self.next_seed(), stddev=stddev)
        return self.mine(x, rows)

    def mine(self, x, rows):
        """This replica's rows of a tensor drawn for all."""
        return x if self.replicas == 1 else x[self.replica * rows : (self.replica + 1) * rows]


def replica_rng(seed, step):
    """The stream of this step on this replica.

    Args:
      seed: int of the recipe.
      step: scalar int tensor.
    """
    context = tf.distribute.get_replica_context()
    stream = tf.random.experimental.stateless_fold_in(tf.constant([seed, 7919], tf.int32), tf.cast(step, tf.int32))
    return Rng(stream, context.replica_id_in_sync_group, context.num_replicas_in_sync)
