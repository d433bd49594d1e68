"""Batches of faces whose order is a pure function of (seed, step): resuming needs no iterator state."""

import functools

import numpy as np
import tensorflow as tf


class Order:
    """Which faces step t sees: epochs of shuffled indices, each face once an epoch.

    Args:
      count: number of faces.
      batch: images a step.
      seed: of the permutations.
    """

    def __init__(self, count, batch, seed):
        self.count, self.batch, self.seed = count, batch, seed
        # Batches are loaded by several threads, around an epoch's end for two epochs at once.
        self._permutation = functools.lru_cache(maxsize=2)(self._shuffle)

    def _shuffle(self, epoch):
        return np.random.Generator(np.random.Philox(key=[self.seed, epoch])).permutation(self.count)

    def rows(self, step):
        """int64 [batch]: the faces of this step. Batches run across epoch ends, so none is short."""
        position, out = int(step) * self.batch, []
        missing = self.batch
        while missing:
            epoch, at = divmod(position, self.count)
            part = self._permutation(epoch)[at : at + missing]
            out.append(part)
            position, missing = position + len(part), missing - len(part)
        return np.concatenate(out)


def batches(faces, batch, seed, first_step, total_steps):
    """Batches of steps first_step .. total_steps - 1.

    Args:
      faces: uint8 [N, S, S, 3] array or memmap.
      batch: images a step, over all replicas.
      seed: of the order.
      first_step, total_steps: which steps.

    Returns:
      tf.data.Dataset of uint8 [batch, S, S, 3].
    """
    order = Order(len(faces), batch, seed)
    shape = (batch, *faces.shape[1:])

    def load(step):
        # Sorted reads are kinder to the disk when the array does not fit into memory.
        rows = order.rows(step)
        ranks = np.argsort(rows)
        out = np.empty(shape, np.uint8)
        out[ranks] = faces[rows[ranks]]
        return out

    def element(step):
        images = tf.numpy_function(load, [step], tf.uint8, stateful=False)
        images.set_shape(shape)
        return images

    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    options.deterministic = True
    dataset = tf.data.Dataset.range(first_step, total_steps).map(element, num_parallel_calls=2)
    return dataset.prefetch(4).with_options(options)
