"""The benchmark's references compute what the project computes."""

import numpy as np
import tensorflow as tf

from pcl_tf import recipe as recipes
from pcl_tf.losses.face_contrast import face_logits
from pcl_tf.losses.negatives import mixing_draw
from pcl_tf.training import measure
from recipes import vox64


def test_materialised_negatives_are_those_of_the_gram_matrix():
    z = tf.random.stateless_normal([12, 16], [3, 4])
    mix, permutation = mixing_draw(12, 10, tf.constant([5, 6]))
    slow, fast = measure._materialised(z, mix, permutation), face_logits(z, 0.07, mix, permutation)
    np.testing.assert_allclose(slow, fast, atol=1e-4)


def test_pipeline_rates_are_measured():
    recipe = recipes.resolve(vox64.get_config("smoke"))
    rates = measure.pipeline(recipe, seconds=0.2)
    assert set(rates) == {"first_epoch_images_per_second", "pipeline_images_per_second", "memory_growth_mb"}
    assert all(rate > 0 for rate in rates.values())
