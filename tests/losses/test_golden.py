"""Losses and gradients against the outputs of the authors' code."""

import numpy as np
import pytest
import tensorflow as tf

from pcl_tf.losses.dwa import dwa_weights
from pcl_tf.losses.face_contrast import face_logits
from pcl_tf.losses.info_nce import cross_entropy
from pcl_tf.losses.orthogonality import centred_unit, cross_correlation
from pcl_tf.losses.pose_contrast import pose_logits
from tests.golden import NUMBERS as G

CLOSE = dict(rtol=1e-4, atol=1e-5)


def value_and_grads(loss, *inputs):
    inputs = [tf.constant(x) for x in inputs]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = loss(*inputs)
    return value, tape.gradient(value, inputs)


def test_face_plain():
    value, (grad,) = value_and_grads(lambda z: cross_entropy(face_logits(z)), G["face_z"])
    np.testing.assert_allclose(value, G["face_infonce_plain"], **CLOSE)
    np.testing.assert_allclose(grad, G["face_infonce_plain_grad"], **CLOSE)


def test_face_mixed():
    mix, permutation = G["face_mix_beta"], G["face_mix_perm"].astype("int32")
    logits = lambda z: face_logits(z, mix=mix, permutation=permutation)  # noqa: E731
    np.testing.assert_allclose(logits(G["face_z"]), G["face_infonce_mixed_logits"], **CLOSE)
    value, (grad,) = value_and_grads(lambda z: cross_entropy(logits(z)), G["face_z"])
    np.testing.assert_allclose(value, G["face_infonce_mixed"], **CLOSE)
    np.testing.assert_allclose(grad, G["face_infonce_mixed_grad"], **CLOSE)


def test_pose_mixed():
    mix, permutation = G["pose_mix_beta"], G["pose_mix_perm"].astype("int32")
    value, grads = value_and_grads(
        lambda z, n: cross_entropy(pose_logits(z, n, mix=mix, permutation=permutation)), G["pose_z"], G["pose_neg"]
    )
    np.testing.assert_allclose(value, G["pose_infonce_mixed"], **CLOSE)
    np.testing.assert_allclose(grads[0], G["pose_infonce_mixed_grad_z"], **CLOSE)
    np.testing.assert_allclose(grads[1], G["pose_infonce_mixed_grad_neg"], **CLOSE)


def test_orthogonality():
    a, b = tf.constant(G["orth_a"]), tf.constant(G["orth_b"])
    np.testing.assert_allclose(cross_correlation(a, b), G["orth_cross_correlation"], rtol=1e-4)
    # The fixture centres before it takes the squared dot; ours, after the paper, does not centre.
    dots = tf.reduce_sum(centred_unit(a) * centred_unit(b), axis=-1)
    np.testing.assert_allclose(tf.reduce_mean(dots**2), G["orth_per_sample"], rtol=1e-4)


def test_dwa_keeps_the_sign_of_a_loss():
    """Of losses below 0 the weights mean nothing, which is why recipes refuse them: nothing hides it here."""
    expected = 2 * np.exp([-0.5, 0.5]) / np.exp([-0.5, 0.5]).sum()
    np.testing.assert_allclose(dwa_weights([-1.0, 1.0], [1.0, 1.0]), expected, rtol=1e-5)
    np.testing.assert_allclose(dwa_weights([1.0, 1.0], [-2.0, 1.0]), [2.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(dwa_weights([0.0, 0.0], [0.0, 0.0]), [1.0, 1.0])


@pytest.mark.parametrize("epoch", [3, 4, 5])
def test_dwa(epoch):
    history = G["dwa_history"]
    weights = dwa_weights(history[epoch - 2], history[epoch - 3])
    np.testing.assert_allclose(weights, G["dwa_weights"][epoch - 3], rtol=1e-5)
