"""Negative interpolation [66]: harder negatives by mixing each with another.

A mixed negative m * z_a + (1 - m) * z_b is normalised before it meets its
anchor. Its cosine with the anchor needs three dot products only, so nothing
of shape [anchors, negatives, D] is ever made.
"""

import math
from collections.abc import Sequence

import tensorflow as tf

BETA = 1.6  # both parameters of the Beta distribution in the released code


def mixing_draw(anchors: int | tf.Tensor, negatives: int | tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws what one step of negative interpolation needs.

    Args:
      anchors, negatives: ints or int tensors, the counts.
      seed: int32 [2].

    Returns:
      (mix: float32 [anchors, negatives] ~ Beta(1.6, 1.6);
       permutation: int32 [negatives], shared by all anchors).
    """
    seeds = tf.random.split(seed, 2)
    order = tf.random.stateless_uniform([negatives], seed=seeds[1])
    return symmetric_beta(BETA, [anchors, negatives], seeds[0]), tf.argsort(order, stable=True)


def symmetric_beta(a: float, shape: Sequence[int | tf.Tensor], seed: tf.Tensor) -> tf.Tensor:
    """Draws from Beta(a, a) for a > 1/2, float32 of this shape in [0, 1].

    Two uniform numbers make one, exactly: Ulrich, "Computer generation of distributions on the m-sphere", Applied
    Statistics 33 (1984). Gamma variates are drawn by rejection, in a loop that a GPU runs only with its host's help.
    """
    u, v = tf.unstack(tf.random.stateless_uniform([2, *shape], seed=seed))
    return 0.5 + 0.5 * tf.sqrt(1.0 - u ** (2.0 / (2.0 * a - 1.0))) * tf.cos(2.0 * math.pi * v)


def mixed_cosine(
    mix: tf.Tensor,
    *,
    dot_a: tf.Tensor,
    dot_b: tf.Tensor,
    square_a: tf.Tensor,
    square_b: tf.Tensor,
    cross: tf.Tensor,
) -> tf.Tensor:
    """Cosine of unit anchors with m * z_a + (1 - m) * z_b.

    Args:
      mix: m.
      dot_a, dot_b: anchor . z_a and anchor . z_b.
      square_a, square_b: |z_a|^2 and |z_b|^2.
      cross: z_a . z_b.
      All broadcast to one shape, float32.

    Returns:
      float32 of that shape, in [-1, 1] up to rounding.
    """
    rest = 1.0 - mix
    square = mix * mix * square_a + rest * rest * square_b + 2.0 * mix * rest * cross
    # Two opposite negatives may cancel: then the norm is bounded below instead of dividing by 0.
    return (mix * dot_a + rest * dot_b) * tf.math.rsqrt(tf.maximum(square, 1e-6 * (square_a + square_b) + 1e-12))
