"""What networks start from: the released code's initial weights, and the BatchNorm of heads and decoder."""

import math

import numpy as np
import tensorflow as tf

from pcl_tf.networks.decoder import decoder
from pcl_tf.networks.encoder import encoder
from pcl_tf.networks.heads import batch_norm, projection_head


def assert_uniform(weights, fan_in):
    """U(-b, b), b = 1 / sqrt(fan_in): as wide as that, and no wider."""
    values, bound = np.concatenate([np.ravel(w) for w in weights]), 1 / math.sqrt(fan_in)
    assert np.abs(values).max() <= bound and np.abs(values).max() > 0.95 * bound
    np.testing.assert_allclose(values.std(), bound / math.sqrt(3), rtol=0.1)


def test_heads_and_decoder_start_as_torchs_layers():
    head, net = projection_head(128, 96), decoder(128, 16, width=0.25)
    for name in ("hidden", "project"):
        layer = head.get_layer(name)
        assert_uniform([layer.kernel], 128)
        assert_uniform([layer.bias], 128)
    assert_uniform(net.get_layer("dense").weights, 128)
    assert_uniform(net.get_layer("conv1").weights, 9 * 128)
    assert_uniform(net.get_layer("conv2").weights, 9 * 64)


def test_convolutions_start_as_he_fan_out_says():
    net = encoder(16, width=0.5)
    for layer, size, channels in (("stem_conv2", 3, 32), ("stage3_conv1", 3, 128), ("stage1_att_phi", 1, 32)):
        conv = net.get_layer("backbone").get_layer(layer)
        assert conv.kernel.shape[0] == size and conv.kernel.shape[-1] == channels
        np.testing.assert_allclose(np.std(conv.kernel), math.sqrt(2 / (size * size * channels)), rtol=0.1)
        assert np.abs(conv.kernel).max() > 2.5 * np.std(conv.kernel) and not np.any(conv.bias)
    np.testing.assert_allclose(np.std(net.get_layer("face_conv1").kernel), math.sqrt(2 / (9 * 64)), rtol=0.1)


def test_batch_norm_is_torchs():
    norm = batch_norm("float32", "norm")
    x = (3 + 2e-3 * np.random.RandomState(0).randn(256, 2)).astype(np.float32)
    mean, variance = x.mean(0), x.var(0)
    wanted = (x - mean) / np.sqrt(variance + 1e-5)  # the variance is 4e-6: epsilon decides
    np.testing.assert_allclose(norm(tf.constant(x), training=True), wanted, atol=2e-3)
    np.testing.assert_allclose(norm.moving_mean, 0.1 * mean, rtol=1e-4)
    np.testing.assert_allclose(norm.moving_variance, 0.9 + 0.1 * variance, rtol=1e-4)
