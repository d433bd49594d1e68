"""Initial weights of the released code: He fan-out convolutions, torch-default rest."""

import math

import keras


@keras.saving.register_keras_serializable("pcl_tf")
class TorchUniform(keras.initializers.Initializer):
    """U(-b, b) with b = 1/sqrt(fan_in), torch's default for weights and biases.

    Args:
      fan_in: inputs of one output unit. It is given rather than read off the
        shape because a bias does not know it.
    """

    def __init__(self, fan_in: int) -> None:
        self.fan_in = int(fan_in)

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> keras.KerasTensor:
        bound = 1.0 / math.sqrt(self.fan_in)
        return keras.random.uniform(shape, -bound, bound, dtype=dtype or "float32")

    def get_config(self) -> dict[str, int]:
        return {"fan_in": self.fan_in}


def he_fan_out() -> keras.initializers.Initializer:
    """Untruncated normal with std sqrt(2 / (k * k * out)): backbone and subnets."""
    return keras.initializers.VarianceScaling(2.0, mode="fan_out", distribution="untruncated_normal")
