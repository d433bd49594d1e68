"""The benchmark's references compute what the project computes."""

import numpy as np
import tensorflow as tf

from pcl_tf.benchmark import contrast
from pcl_tf.losses.face_contrast import face_logits
from pcl_tf.losses.negatives import mixing_draw


def test_materialised_negatives_are_those_of_the_gram_matrix():
    z = tf.random.stateless_normal([12, 16], [3, 4])
    mix, permutation = mixing_draw(12, 10, tf.constant([5, 6]))
    slow, fast = (
        contrast._materialised(z, mix, permutation),
        face_logits(z, temperature=0.07, mix=mix, permutation=permutation),
    )
    np.testing.assert_allclose(slow, fast, atol=1e-4)
