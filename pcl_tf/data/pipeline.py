"""Batches of faces whose order is a pure function of (seed, step): resuming needs no iterator state."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from pcl_tf.data.faces import Faces


def share(rows: np.ndarray, parts: Sequence[int], *, replica: int, replicas: int) -> np.ndarray:
    """A replica's share of every part of a step: rows [sum(parts), ..] -> [sum(parts) / replicas, ..]."""
    ends = np.cumsum(parts)
    pieces = (
        rows[end - part + replica * part // replicas : end - part + (replica + 1) * part // replicas]
        for part, end in zip(parts, ends, strict=True)
    )
    return np.concatenate(list(pieces))


def batches(
    faces: "Faces",
    parts: Sequence[int],
    *,
    seed: int,
    first_step: int,
    total_steps: int,
    replicas: int = 1,
    mine: Sequence[int] = (0,),
) -> tf.data.Dataset:
    """Batches of steps first_step .. total_steps - 1.

    Args:
      faces: what is drawn from.
      parts: images of a step that are used together, over all replicas: one number, or one for each update of a step.
      seed: of the order.
      first_step, total_steps: which steps.
      replicas: how many share a step; each gets its share of every part.
      mine: indices of the replicas whose images are read here; other machines read the others'.

    Returns:
      tf.data.Dataset of uint8 [sum(parts) / replicas * len(mine), *faces.shape], replica after replica.
    """
    rows = faces.rows(sum(parts), seed)
    count, drawn_as = sum(parts) // replicas * len(mine), rows(first_step).shape[1:]

    def chosen(step: int) -> np.ndarray:
        drawn = rows(step)
        return np.concatenate([share(drawn, parts, replica=r, replicas=replicas) for r in mine])

    def element(step: tf.Tensor) -> tf.Tensor:
        which = tf.numpy_function(chosen, [step], tf.int64, stateful=False)
        which.set_shape([count, *drawn_as])
        return tf.ensure_shape(faces.fetch(which), [count, *faces.shape])

    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    options.deterministic = True
    dataset = tf.data.Dataset.range(first_step, total_steps).map(
        element, num_parallel_calls=max(2, cast(int, os.cpu_count()))
    )
    return dataset.prefetch(4).with_options(options)
