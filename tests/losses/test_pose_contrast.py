"""Eq. 5 against a slow loop, its layouts, its denominators."""

import numpy as np
import pytest
import tensorflow as tf

from pcl_tf.losses.info_nce import cross_entropy
from pcl_tf.losses.negatives import mixing_draw
from pcl_tf.losses.pose_contrast import POSE_DENOMINATORS, official_layout, pose_logits
from tests.helpers.definitions import pose_info_nce as slow


def loss(z, negatives, temperature=0.07, mix=None, permutation=None):
    return cross_entropy(pose_logits(z, negatives, temperature=temperature, mix=mix, permutation=permutation))


@pytest.mark.parametrize("p, m, dim", [(1, 2, 3), (3, 5, 8), (4, 20, 6)])
@pytest.mark.parametrize("mixed", [False, True])
def test_against_the_definition(p, m, dim, mixed):
    r = np.random.RandomState(p)
    z, negatives = r.randn(2 * p, dim).astype("float32"), r.randn(p * m, dim).astype("float32")
    mix = permutation = None
    if mixed:
        mix, permutation = (x.numpy() for x in mixing_draw(p, m, tf.constant([1, p])))
    args = (z, negatives, 0.2, mix, permutation)
    np.testing.assert_allclose(loss(*args), slow(*args), rtol=2e-5)


def test_own_flips_do_not_touch_other_images():
    r = np.random.RandomState(0)
    z, negatives = r.randn(6, 4).astype("float32"), r.randn(12, 4).astype("float32")
    before = pose_logits(z, negatives).numpy()
    negatives[4:8] += 1.0  # the second image's
    changed = np.abs(pose_logits(z, negatives).numpy() - before).sum(1) > 0
    assert list(changed) == [False, True, False, False, True, False]


def test_official_layout_mixes_images():
    images, m = 10, 100
    owner = np.repeat(np.arange(images), m).astype("float32")[:, None]
    laid = official_layout(tf.constant(owner), images).numpy().reshape(images, m)
    # FIDELITY row 15: 10 of an anchor's 100 negatives are its own image.
    assert [(laid[i] == i).sum() for i in range(images)] == [10] * images


@pytest.mark.parametrize("denominator", POSE_DENOMINATORS)
def test_denominators_and_their_gradients_in_closed_form(denominator):
    logits = tf.constant(np.random.RandomState(0).normal(size=(6, 5)) * 3, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = POSE_DENOMINATORS[denominator](logits)
    counted = np.exp(np.asarray(logits, np.float64))
    if denominator == "negatives":
        counted[:, 0] = 0  # Eq. 5 as printed
    share = counted / counted.sum(1, keepdims=True)
    np.testing.assert_allclose(value, np.mean(np.log(counted.sum(1)) - logits.numpy()[:, 0]), rtol=1e-5)
    wanted = share - np.eye(5)[0]  # softmax over what is counted, minus the positive
    np.testing.assert_allclose(tape.gradient(value, logits), wanted / 6, atol=1e-6)
