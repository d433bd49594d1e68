"""Batches of faces whose order is a pure function of (seed, step): resuming needs no iterator state."""

import os

import tensorflow as tf


def batches(faces, batch, seed, first_step, total_steps, part=(0, 1)):
    """Batches of steps first_step .. total_steps - 1.

    Args:
      faces: ``ArrayFaces`` or ``ClipFaces``.
      batch: images a step, over all replicas of all machines.
      seed: of the order.
      first_step, total_steps: which steps.
      part: (i, n), the i-th of n equal parts of every batch, in order: what one of n machines reads.

    Returns:
      tf.data.Dataset of uint8 [batch / n, S, S, 3].
    """
    index, parts = part
    mine = batch // parts
    rows = faces.rows(batch, seed)
    rank = rows(first_step).ndim

    def element(step):
        chosen = tf.numpy_function(
            lambda s: rows(s)[index * mine : (index + 1) * mine], [step], tf.int64, stateful=False
        )
        chosen.set_shape([mine, 2][:rank])
        images = faces.fetch(chosen)
        return tf.ensure_shape(images, [mine, faces.size, faces.size, 3])

    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    options.deterministic = True
    dataset = tf.data.Dataset.range(first_step, total_steps).map(element, num_parallel_calls=max(2, os.cpu_count()))
    return dataset.prefetch(4).with_options(options)
