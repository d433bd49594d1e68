"""InfoNCE, the one cross-entropy behind Eq. 5, Eq. 6 and MoCo."""

import tensorflow as tf

from pcl_tf.losses.cosine import unit
from pcl_tf.losses.shapes import agree


def cross_entropy(logits: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of class 0: float32 [A, K], the positive first -> scalar >= 0, the mean over the A anchors."""
    return tf.reduce_mean(tf.reduce_logsumexp(logits, axis=1) - logits[:, 0])


def accuracy(logits: tf.Tensor) -> tf.Tensor:
    """Share of anchors whose positive is strictly the most similar: float32 [A, K], the positive first -> scalar."""
    return tf.reduce_mean(tf.cast(logits[:, 0] > tf.reduce_max(logits[:, 1:], axis=1), tf.float32))


def info_nce(
    query: tf.Tensor, positive: tf.Tensor, negatives: tf.Tensor, *, temperature: float = 0.07
) -> tuple[tf.Tensor, tf.Tensor]:
    """InfoNCE of queries against their own positives and any negatives.

    L = mean over a of -log(exp(cos(q_a, p_a) / tau) / (exp(cos(q_a, p_a) / tau) + sum_k exp(cos(q_a, n_k) / tau)))

    Gradients reach all three; MoCo stops those of its keys. Rows of other replicas are not among them unless they are gathered first.

    Args:
      query: [A, D], any float dtype; computed in float32.
      positive: [A, D], row a is that of query a.
      negatives: [K, D], shared by all queries, or [A, K, D], each query's own.
      temperature: tau, above 0.

    Returns:
      (float32 scalar >= 0, log(1 + K) where all similarities are equal;
       logits, float32 [A, 1 + K], the similarity over tau of each query with its positive, then with its negatives).

    Example:
      >>> q = tf.eye(3)
      >>> round(float(info_nce(q, q, -q, temperature=0.5)[0]), 4)
      0.2539

    Reference:
      van den Oord, Li, Vinyals, arXiv:1807.03748, Eq. 4; He et al., CVPR 2020 (MoCo), Eq. 1.

    Differs from the paper in:
      nothing; van den Oord et al. score pairs by a bilinear form, MoCo and PCL by cosines, as here.

    Raises:
      ValueError: shapes that do not agree.
    """
    own = len(negatives.shape) == 3
    agree(query=(query, "AD"), positive=(positive, "AD"), negatives=(negatives, "AKD" if own else "KD"))
    query, negatives = unit(query), unit(negatives)
    positives = tf.reduce_sum(query * unit(positive), axis=1, keepdims=True)
    pairs = tf.einsum("ad,akd->ak" if own else "ad,kd->ak", query, negatives)
    logits = tf.concat([positives, pairs], axis=1) / temperature
    return cross_entropy(logits), logits
