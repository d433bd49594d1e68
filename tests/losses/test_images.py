"""Structural similarity, symmetry and Gram matrices against their definitions."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import correlate1d

from pcl_tf.losses.images import asymmetry, gram_difference, ssim

A, B = np.random.RandomState(0).rand(2, 2, 16, 12, 3).astype(np.float32)


def test_structural_similarity():
    window = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    blur = lambda x: correlate1d(  # noqa: E731
        correlate1d(x, window / window.sum(), axis=1, mode="constant"), window / window.sum(), axis=2, mode="constant"
    )
    a, b = np.float64(A), np.float64(B)
    means, covariance = (blur(a), blur(b)), blur(a * b) - blur(a) * blur(b)
    variances = sum(blur(x * x) - blur(x) ** 2 for x in (a, b))
    top = (2 * means[0] * means[1] + 1e-4) * (2 * covariance + 9e-4)
    wanted = np.mean(top / ((means[0] ** 2 + means[1] ** 2 + 1e-4) * (variances + 9e-4)))
    assert float(ssim(A, B)) == pytest.approx(wanted, abs=1e-5)
    assert float(ssim(A, A)) == pytest.approx(1.0, abs=1e-6)


def test_a_face_and_its_mirror_image_are_symmetric():
    assert float(asymmetry(tf.concat([A, A[:, :, ::-1]], axis=2))) == 0.0
    wanted = np.mean([np.abs(A[:, :, i] - A[:, :, 11 - i]).mean() for i in range(6)])
    assert float(asymmetry(A)) == pytest.approx(wanted, rel=1e-5)


def test_gram_matrices():
    def gram(x):
        return np.einsum("nhwc,nhwd->ncd", x, x) / x[0].size

    assert float(gram_difference(A, B)) == pytest.approx(np.mean((gram(A) - gram(B)) ** 2), rel=1e-4)
    assert float(gram_difference(A, A[:, ::-1])) == pytest.approx(0.0, abs=1e-10)
