"""Heads: a feature's projection to the space in which it is contrasted, and its linear code."""

import keras
from keras import layers

from pcl_tf.networks.batch_norm import BatchNorm
from pcl_tf.networks.initializers import TorchUniform


def dense(units: int, fan_in: int, *, dtype: str, name: str) -> layers.Dense:
    """Dense layer with torch's default initialisation."""
    init = TorchUniform(fan_in)
    return layers.Dense(units, kernel_initializer=init, bias_initializer=init, dtype=dtype, name=name)


def batch_norm(dtype: str, name: str, synchronized: bool = False) -> BatchNorm:
    """BatchNorm with torch's epsilon 1e-5 and momentum 0.1 (0.9 in Keras' sense)."""
    return BatchNorm(momentum=0.9, epsilon=1e-5, synchronized=synchronized, dtype=dtype, name=name)


def projection_head(
    features: int, dim: int = 512, *, dtype: str = "float32", synchronized: bool = False, name: str = "head"
) -> keras.Model:
    """Dense, ReLU, Dense, BatchNorm last; the hidden layer is as wide as the feature.

    Args:
      features: length of the incoming feature vector.
      dim: length of the projection.
      dtype: Keras dtype or policy of the Dense layers; the BatchNorm and its
        output are float32.
      synchronized: whether BatchNorm statistics span all replicas.
      name: of the model.

    Returns:
      keras.Model: [N, features] -> float32 [N, dim].
    """
    feature = keras.Input((features,), name="feature")
    x = dense(features, features, dtype=dtype, name="hidden")(feature)
    x = layers.ReLU(dtype=dtype)(x)
    x = dense(dim, features, dtype=dtype, name="project")(x)
    x = batch_norm("float32", "norm", synchronized)(x)
    return keras.Model(feature, x, name=name)


def code_head(features: int, dim: int = 256, *, dtype: str = "float32", name: str = "code") -> keras.Model:
    """One Dense layer: [N, features] -> [N, dim]. Args: see ``projection_head``."""
    feature = keras.Input((features,), name="feature")
    return keras.Model(feature, dense(dim, features, dtype=dtype, name="dense")(feature), name=name)
