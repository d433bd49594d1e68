"""The one place where losses meet the distribution strategy."""

import tensorflow as tf


def replica_id() -> tf.Tensor | int:
    """Index of this replica; 0 outside of a strategy."""
    context = tf.distribute.get_replica_context()
    return 0 if context is None else context.replica_id_in_sync_group


def replicas() -> int:
    """How many replicas share a batch; 1 outside of a strategy."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def gather_rows(x: tf.Tensor) -> tf.Tensor:
    """Rows of every replica, in replica order; x itself with one replica.

    Differentiable: each replica's gradient of the gathered tensor comes back
    summed over replicas.

    Args:
      x: [n, ...] on this replica.

    Returns:
      [replicas * n, ...].
    """
    if replicas() == 1:
        return x
    context = tf.distribute.get_replica_context()
    return tf.ensure_shape(context.all_gather(x, axis=0), [None, *x.shape[1:]])  # the gather forgets the rank


def own_rows(x: tf.Tensor, rows: int) -> tf.Tensor:
    """This replica's share of rows that stand for every replica: [replicas * rows, ...] -> [rows, ...]."""
    if replicas() == 1:
        return x
    return x[replica_id() * rows : (replica_id() + 1) * rows]


def mean_over_replicas(x: tf.Tensor) -> tf.Tensor:
    """Mean of a scalar (or equal-shaped tensor) over replicas, without gradient."""
    if replicas() == 1:
        return x
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, tf.stop_gradient(x))
