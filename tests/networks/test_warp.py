"""The sampler, and the decoder of flows."""

import numpy as np
import pytest
import tensorflow as tf

from pcl_tf.networks.decoder import flow_decoder
from pcl_tf.warp import warp

IMAGES = np.random.RandomState(0).rand(2, 5, 7, 3).astype(np.float32)


def slow(images, flow):
    """Definition, pixel by pixel: the identity grid plus the flow, clamped to [-1, 1], corners aligned."""
    n, height, width, _ = images.shape
    _, rows, columns, _ = flow.shape
    out = np.zeros((n, rows, columns, images.shape[3]))
    for i, r, c in np.ndindex(n, rows, columns):
        x = np.clip(-1 + 2 * c / (columns - 1) + flow[i, r, c, 0], -1, 1) * (width - 1) / 2 + (width - 1) / 2
        y = np.clip(-1 + 2 * r / (rows - 1) + flow[i, r, c, 1], -1, 1) * (height - 1) / 2 + (height - 1) / 2
        for yy in {int(y), min(int(y) + 1, height - 1)}:
            for xx in {int(x), min(int(x) + 1, width - 1)}:
                out[i, r, c] += max(0, 1 - abs(y - yy)) * max(0, 1 - abs(x - xx)) * images[i, yy, xx]
    return out


@pytest.mark.parametrize("rows, columns", [(5, 7), (9, 4)])
def test_the_sampler_equals_a_loop(rows, columns):
    flow = np.random.RandomState(1).normal(0, 0.6, (2, rows, columns, 2)).astype(np.float32)
    np.testing.assert_allclose(warp(IMAGES, flow), slow(IMAGES, flow), atol=1e-5)


def test_no_flow_is_the_image_and_a_known_shift_is_undone():
    assert np.array_equal(warp(IMAGES, tf.zeros([2, 5, 7, 2])), IMAGES)
    flow = np.zeros((2, 5, 7, 2), np.float32)
    flow[..., 0], flow[..., 1] = 2 * 2 / 6, -1 * 2 / 4  # two pixels to the right, one up
    moved = np.roll(IMAGES, (1, -2), axis=(1, 2))
    np.testing.assert_allclose(warp(IMAGES, flow)[:, 1:, :-2], moved[:, 1:, :-2], atol=1e-6)
    np.testing.assert_allclose(warp(moved, -flow)[:, :-1, 2:], IMAGES[:, :-1, 2:], atol=1e-6)


def test_gradients_reach_flow_and_pixels():
    flow = tf.constant(np.random.RandomState(1).uniform(-0.2, 0.2, (2, 5, 7, 2)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(flow)
        total = tf.reduce_sum(warp(IMAGES, flow) ** 2)
    aside = tf.constant(np.random.RandomState(2).normal(size=flow.shape), tf.float32)
    up, down = (tf.reduce_sum(tf.cast(warp(IMAGES, flow + e * aside), tf.float64) ** 2) for e in (1e-3, -1e-3))
    slope = tf.reduce_sum(tape.gradient(total, flow) * aside)
    np.testing.assert_allclose(slope, (up - down) / 2e-3, rtol=0.02)
    with tf.GradientTape() as tape:
        images = tf.constant(IMAGES)
        tape.watch(images)
        total = tf.reduce_sum(warp(images, flow))
    np.testing.assert_allclose(tf.reduce_sum(tape.gradient(total, images)), 2 * 5 * 7 * 3, rtol=1e-5)


def test_a_flow_of_nan_is_seen_and_ends_nothing():
    flow = np.zeros((2, 5, 7, 2), np.float32)
    flow[0, 1, 2] = np.nan
    assert np.argwhere(np.isnan(warp(IMAGES, flow)).any(-1)).tolist() == [[0, 1, 2]]


def test_the_decoder_of_flows():
    net = flow_decoder(24, 16, outputs=3, width=0.25)
    assert net.output.shape == (None, 16, 16, 3) and not [v for v in net.layers if "dense" in v.name]
    channels = [layer.filters for layer in net.layers if layer.name.startswith("conv")]
    assert channels == [64, 64, 32, 3] and len([v for v in net.layers if v.name.startswith("norm")]) == 3
    assert np.abs(net(tf.fill([1, 24], 1e6))).max() <= 1.0
