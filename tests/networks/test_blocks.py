"""Blocks against what they are defined as, written plainly."""

import keras
import numpy as np
import tensorflow as tf

from pcl_tf.networks.blocks import SLOPE, channel_attention, leaky_sum


def plain_attention(x, weights):
    """Attention between channels by its definition, over images as they are: two axes at once, no rows."""
    g, theta, phi = (
        tf.einsum("nhwi,io->nhwo", x, weights[f"a_{k}"][0][0, 0]) + weights[f"a_{k}"][1] for k in ("g", "theta", "phi")
    )
    theta = tf.exp(theta) / tf.reduce_sum(tf.exp(theta), axis=(1, 2), keepdims=True)
    g = tf.exp(g) / tf.reduce_sum(tf.exp(g), axis=3, keepdims=True)
    similarity = tf.einsum("nhwc,nhwd->ncd", phi, theta)
    total = x + tf.einsum("ncd,nhwd->nhwc", similarity, g)
    return tf.where(total > 0, total, SLOPE * total)


def test_attention_and_its_gradient():
    r = np.random.RandomState(0)
    image = keras.Input((None, None, 6))
    model = keras.Model(image, channel_attention(image, "float32", "a"))
    for layer in model.layers:
        layer.set_weights([r.normal(0, 0.5, w.shape) for w in layer.get_weights()])
    x, weigh = (tf.constant(r.normal(size=(2, 3, 5, 6)), tf.float32) for _ in range(2))
    weights = {layer.name: [v.value for v in layer.weights] for layer in model.layers if layer.weights}
    of = [x, *(w for name in sorted(weights) for w in weights[name])]
    found = []
    for call in (model, lambda x: plain_attention(x, weights)):
        with tf.GradientTape() as tape:
            tape.watch(of)
            y = call(x)
            loss = tf.reduce_sum(weigh * y)
        found.append([y, *tape.gradient(loss, of)])
    assert len(found[0]) == 8
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_the_sums_leaky_relu():
    a, b = keras.Input((1,)), keras.Input((1,))
    model = keras.Model([a, b], leaky_sum(a, b, dtype="float32", name="s"))
    x = np.array([[-2.0], [0.0], [3.0]], np.float32)
    np.testing.assert_allclose(model([x, x]), [[-0.4], [0.0], [6.0]], rtol=1e-6)
