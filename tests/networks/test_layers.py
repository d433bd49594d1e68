"""Layers against the plainer ones that they stand for: values, gradients, moving statistics."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from pcl_tf.networks.batch_norm import BatchNorm
from pcl_tf.networks.blocks import SLOPE, channel_attention, leaky_sum
from pcl_tf.networks.upsampled_conv import UpsampledConv


def normal(*shape, seed=0):
    return tf.constant(np.random.RandomState(seed).normal(size=shape), tf.float32)


def outcome(call, x, variables):
    """What a call makes of x, and the gradients of x and of some variables of a weighted sum of its squares."""
    of = [x, *(v.value if isinstance(v, keras.Variable) else v for v in variables)]
    with tf.GradientTape() as tape:
        tape.watch(of)
        y = call(x)
        loss = tf.reduce_sum(normal(*y.shape, seed=1) * tf.cast(y, tf.float32) ** 2)
    return [y, *tape.gradient(loss, of)]


def assert_alike(found, wanted, rtol, atol):
    for a, b in zip(found, wanted, strict=True):
        a, b = (np.asarray(tf.cast(v, tf.float32)) for v in (a, b))
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol * max(1.0, np.abs(b).max()))


@pytest.mark.parametrize("shape", [(4, 3, 5, 6), (2, 1, 1, 3), (7, 6)])
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_the_fused_batch_norm_computes_what_kerass_does(shape, dtype):
    r, found = np.random.RandomState(0), []
    x = tf.cast(r.normal(3, 2, shape), tf.float32 if dtype == "float32" else tf.bfloat16)
    weights = [r.uniform(0.5, 2, shape[-1]), r.normal(size=shape[-1]), r.normal(size=shape[-1]), np.ones(shape[-1])]
    for kind in (BatchNorm, layers.BatchNormalization):
        layer = kind(momentum=0.9, epsilon=1e-5, dtype=dtype)
        layer.build((None, *shape[1:]))
        layer.set_weights(weights)
        out = outcome(lambda x, layer=layer: layer(x, training=True), x, layer.trainable_variables)
        assert out[0].dtype == x.dtype
        found.append([*out, *layer.get_weights(), layer(x, training=False)])
    assert_alike(*found, *((2e-4, 2e-4) if dtype == "float32" else (0.03, 0.03)))


def test_a_frozen_batch_norm_keeps_its_statistics():
    layer = BatchNorm(momentum=0.9, epsilon=1e-5)
    layer.build((None, 2, 2, 3))
    layer.trainable = False
    before = layer.get_weights()
    layer(normal(4, 2, 2, 3), training=True)
    for a, b in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


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


def test_attention_between_channels():
    r, image = np.random.RandomState(0), keras.Input((None, None, 6))
    model = keras.Model(image, channel_attention(image, "float32", "a"))
    for layer in model.layers:
        layer.set_weights([r.normal(0, 0.5, w.shape) for w in layer.get_weights()])
    weights = {layer.name: [v.value for v in layer.weights] for layer in model.layers if layer.weights}
    of = [w for each in weights.values() for w in each]
    found, wanted = (outcome(f, normal(2, 3, 5, 6), of) for f in (model, lambda x: plain_attention(x, weights)))
    assert len(found) == 8
    assert_alike(found, wanted, 1e-4, 1e-5)


def test_the_sums_leaky_relu():
    a, b = keras.Input((1,)), keras.Input((1,))
    model = keras.Model([a, b], leaky_sum(a, b, dtype="float32", name="s"))
    x = np.array([[-2.0], [0.0], [3.0]], np.float32)
    np.testing.assert_allclose(model([x, x]), [[-0.4], [0.0], [6.0]], rtol=1e-6)


def upsampled(shape, filters, dtype="float32"):
    """The fused layer, and the convolution that follows ``up`` in the two layers that it stands for, of one kernel."""
    fused = UpsampledConv(filters, "glorot_uniform", "glorot_uniform", dtype=dtype)
    plain = layers.Conv2D(filters, 3, padding="same", dtype=dtype)
    fused.build((None, *shape))
    plain.build((None, 2 * shape[0], 2 * shape[1], shape[2]))
    plain.set_weights(fused.get_weights())
    up = layers.UpSampling2D(2, interpolation="bilinear", dtype=dtype)
    return fused, plain, lambda x: plain(up(x))


@pytest.mark.parametrize("shape, filters", [((1, 1, 5), 4), ((2, 3, 4), 1), ((5, 4, 3), 6), ((8, 8, 2), 3)])
def test_an_upsampled_convolution_is_two_layers(shape, filters):
    fused, plain, two = upsampled(shape, filters)
    x = normal(2, *shape)
    found, wanted = outcome(fused, x, fused.trainable_variables), outcome(two, x, plain.trainable_variables)
    assert_alike(found, wanted, 1e-5, 3e-5)


def test_half_precision_is_as_near_to_float32_as_two_layers_are():
    exact, x = upsampled((8, 8, 64), 32), normal(2, 8, 8, 64)
    half = upsampled((8, 8, 64), 32, "mixed_bfloat16")
    for layer in half[:2]:
        layer.set_weights(exact[0].get_weights())
    fused, two = half[0](x), half[2](x)
    assert fused.dtype == two.dtype == tf.bfloat16
    error, usual = (np.abs(tf.cast(y, tf.float32) - exact[2](x)).mean() for y in (fused, two))
    assert error < 1.5 * usual


def test_an_upsampled_convolution_is_saved_and_loaded(tmp_path):
    code = keras.Input((4, 4, 3))
    model = keras.Model(code, UpsampledConv(5, name="up")(code))
    assert model.output_shape == (None, 8, 8, 5)
    model.save(tmp_path / "m.keras")
    x = normal(2, 4, 4, 3)
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "m.keras")(x), model(x))
