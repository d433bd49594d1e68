"""The encoder: backbone B and the two subnets g_f and g_p that split its feature."""

from typing import Any

import keras

from pcl_tf.networks.backbones import backbone as build_backbone
from pcl_tf.networks.blocks import conv, flatten_channels_first


def _subnet(x: Any, filters: int, dtype: str, *, name: str) -> Any:
    x = conv(x, filters, 3, dtype=dtype, name=f"{name}_conv1")
    return conv(x, filters, 3, dtype=dtype, name=f"{name}_conv2")


def encoder(
    image_size: int | None = 64,
    *,
    backbone: str = "cnn16",
    width: float = 1.0,
    dtype: str = "float32",
    name: str = "encoder",
    synchronized: bool = False,
    portable: bool = False,
) -> keras.Model:
    """Builds B, g_f and g_p of section 3.1 in one model.

    Args:
      image_size: side of the images, or None for any side; the weights do not depend on it (but for
        vit_tiny's position embedding), so they carry over to an encoder of another size.
      backbone: see ``pcl_tf.networks.backbones.backbone``.
      width: multiplies every channel count.
      dtype: Keras dtype or policy.
      name: of the model.
      synchronized, portable: see ``pcl_tf.networks.backbones.backbone``.

    Returns:
      keras.Model: float [N, S, S, 3] in [0, 1] -> dict of [N, D] vectors in the compute
      dtype, flattened channels first:
        'face_aware' F_s, the backbone's output;
        'face' F_f, pose-unrelated; 'pose' F_p, pose-related.
      The backbone is its layer named 'backbone'.
    """
    trunk = build_backbone(
        backbone, width=width, dtype=dtype, image_size=image_size, synchronized=synchronized, portable=portable
    )
    image = keras.Input((image_size, image_size, 3), name="image")
    f_s = trunk(image)
    filters = f_s.shape[-1]
    f_f = _subnet(f_s, filters, dtype, name="face")
    f_p = _subnet(f_s, filters, dtype, name="pose")
    outputs = {
        key: flatten_channels_first(x, dtype, f"{key}_vector")
        for key, x in {"face_aware": f_s, "face": f_f, "pose": f_p}.items()
    }
    return keras.Model(image, outputs, name=name)
