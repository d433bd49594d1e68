"""The fused layer against the two layers it stands for."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from pcl_tf.networks.upsampled_conv import UpsampledConv


def both(shape, filters, dtype="float32"):
    fused = UpsampledConv(filters, "glorot_uniform", "glorot_uniform", dtype=dtype)
    plain = layers.Conv2D(filters, 3, padding="same", dtype=dtype)
    fused.build((None, *shape))
    plain.build((None, 2 * shape[0], 2 * shape[1], shape[2]))
    plain.set_weights(fused.get_weights())
    up = layers.UpSampling2D(2, interpolation="bilinear", dtype=dtype)
    return fused, plain, lambda x: plain(up(x))


def image(shape, count=2):
    return tf.constant(np.random.RandomState(0).normal(size=(count, *shape)), tf.float32)


@pytest.mark.parametrize("shape, filters", [((1, 1, 5), 4), ((2, 3, 4), 1), ((5, 4, 3), 6), ((8, 8, 2), 3)])
def test_values_and_gradients_are_those_of_two_layers(shape, filters):
    fused, plain, two = both(shape, filters)
    x = image(shape)
    weigh = tf.constant(np.random.RandomState(1).normal(size=(2, 2 * shape[0], 2 * shape[1], filters)), tf.float32)
    found = []
    for layer, call in ((fused, fused), (plain, two)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = call(x)
            loss = tf.reduce_sum(weigh * y * y)
        gradients = tape.gradient(loss, [x, *(v.value for v in layer.trainable_variables)])
        found.append([y, *gradients])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-4 * np.abs(b).max())


def test_half_precision_is_as_near_to_float32_as_two_layers_are():
    exact, x = both((8, 8, 64), 32), image((8, 8, 64))
    half = both((8, 8, 64), 32, "mixed_bfloat16")
    for layer in half[:2]:
        layer.set_weights(exact[0].get_weights())
    errors = []
    for call in half[0], half[2]:
        y = call(x)
        assert y.dtype == tf.bfloat16
        errors.append(np.abs(tf.cast(y, tf.float32) - exact[2](x)).mean())
    assert errors[0] < 1.5 * errors[1]


def test_saved_and_loaded(tmp_path):
    code = keras.Input((4, 4, 3))
    model = keras.Model(code, UpsampledConv(5, name="up")(code))
    assert model.output_shape == (None, 8, 8, 5)
    model.save(tmp_path / "m.keras")
    x = image((4, 4, 3))
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "m.keras")(x), model(x))
