"""The one place where losses meet the distribution strategy."""

import tensorflow as tf


def gather_rows(x):
    """Rows of every replica, in replica order; x itself with one replica.

    Differentiable: each replica's gradient of the gathered tensor comes back
    summed over replicas.

    Args:
      x: [n, ...] on this replica.

    Returns:
      [replicas * n, ...].
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return x
    return tf.ensure_shape(context.all_gather(x, axis=0), [None, *x.shape[1:]])  # the gather forgets the rank


def mean_over_replicas(x):
    """Mean of a scalar (or equal-shaped tensor) over replicas, without gradient."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return x
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, tf.stop_gradient(x))
