"""The fused BatchNorm is Keras' own: values, gradients, moving statistics."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pcl_tf.networks.batch_norm import BatchNorm


@pytest.mark.parametrize("shape", [(4, 3, 5, 6), (2, 1, 1, 3), (7, 6)])
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_it_computes_what_keras_does(shape, dtype):
    r = np.random.RandomState(0)
    x = tf.cast(r.normal(3, 2, shape), tf.float32 if dtype == "float32" else tf.bfloat16)
    weigh = tf.constant(r.normal(size=shape), tf.float32)
    weights = [r.uniform(0.5, 2, shape[-1]), r.normal(size=shape[-1]), r.normal(size=shape[-1]), np.ones(shape[-1])]
    found = []
    for kind in (BatchNorm, keras.layers.BatchNormalization):
        layer = kind(momentum=0.9, epsilon=1e-5, dtype=dtype)
        layer.build((None, *shape[1:]))
        layer.set_weights(weights)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            loss = tf.reduce_sum(weigh * tf.cast(y, tf.float32) ** 2)
        gradients = tape.gradient(loss, [x, *(v.value for v in layer.trainable_variables)])
        assert y.dtype == x.dtype
        found.append([y, *gradients, *layer.get_weights(), layer(x, training=False)])
    tolerance = 2e-4 if dtype == "float32" else 0.03
    for a, b in zip(*found, strict=True):
        a, b = (np.asarray(tf.cast(v, tf.float32)) for v in (a, b))
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * max(1.0, np.abs(b).max()))


def test_a_frozen_layer_keeps_its_statistics():
    layer = BatchNorm(momentum=0.9, epsilon=1e-5)
    layer.build((None, 2, 2, 3))
    layer.trainable = False
    before = layer.get_weights()
    layer(tf.random.stateless_normal([4, 2, 2, 3], [0, 1]), training=True)
    for a, b in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
