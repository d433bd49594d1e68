"""Eq. 1 to 3: closed-form values, what the released code's form of L_orth sees, and its gradient."""

import numpy as np
import tensorflow as tf

from pcl_tf.losses.orthogonality import cross_correlation, orthogonality
from pcl_tf.losses.reconstruction import combine, reconstruction


def pair(n=64, dim=256, seed=0):
    r = np.random.RandomState(seed)
    return r.randn(n, dim).astype("float32"), r.randn(n, dim).astype("float32")


def test_identical_and_orthogonal_features():
    a, _ = pair()
    np.testing.assert_allclose(orthogonality(a, 3 * a), 1.0, rtol=1e-5)
    np.testing.assert_allclose(orthogonality(tf.eye(4), tf.eye(4)[::-1]), 0.0, atol=1e-7)
    np.testing.assert_allclose(orthogonality(*pair(4096, 128)), 1 / 128, rtol=0.1)  # independent features


def test_no_gradient_of_cross_correlation_reaches_the_lengths():
    a, b = (x.astype("float64") for x in pair(5, 3))
    lengths = [np.linalg.norm(x - x.mean(0), axis=1, keepdims=True) + 1e-6 for x in (a, b)]

    def slow(a):  # as in the released code, where no gradient reaches the lengths
        return np.square(((a - a.mean(0)) / lengths[0]).T @ ((b - b.mean(0)) / lengths[1])).mean()

    x = tf.constant(a, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = cross_correlation(x, tf.constant(b, tf.float32))
    numeric = np.zeros_like(a)
    for i in np.ndindex(a.shape):
        step = np.zeros_like(a)
        step[i] = 1e-5
        numeric[i] = (slow(a + step) - slow(a - step)) / 2e-5
    np.testing.assert_allclose(tape.gradient(value, x), numeric, rtol=1e-3, atol=1e-4)


def test_cross_correlation_is_almost_blind():
    a, b = pair(256, 2048)  # FIDELITY row 13: 6.1e-5 and 6.9e-5
    np.testing.assert_allclose(cross_correlation(a, b), 6.1e-5, rtol=0.05)
    np.testing.assert_allclose(cross_correlation(a, a), 6.9e-5, rtol=0.05)


def test_eq2_is_four_means():
    r = np.random.RandomState(0)
    decoded, image, mirror = (r.rand(n, 4, 4, 3).astype("float32") for n in (8, 2, 2))
    slow = sum(np.abs(decoded[2 * i : 2 * i + 2] - t).mean() for i, t in enumerate([image, mirror, image, mirror]))
    np.testing.assert_allclose(reconstruction(decoded, image, mirror), slow, rtol=1e-6)


def test_combinations_follow_eq1():
    f, p, mf, mp = (np.full((2, 3), v, "float32") for v in (1, 10, 2, 20))
    assert combine(f, p, augmented_face=mf, augmented_pose=mp).numpy()[::2, 0].tolist() == [11, 21, 12, 22]
