"""A small Vision Transformer at stride 16, from Keras' own attention layers.

keras-cv 0.9 ships ViTDet only, in sizes from 86M parameters on; this is the
ViT-Tiny of the literature, at the depth a 64-pixel face needs.
"""

import keras
from keras import layers


def vit(
    image_size: int | None,
    *,
    dim: int = 192,
    depth: int = 6,
    heads: int = 3,
    patch: int = 16,
    dtype: str = "float32",
    portable: bool = False,
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Pre-norm Vision Transformer without class token.

    Args:
      image_size: side of the image; the position embedding has this size.
      dim, depth, heads, patch: width, blocks, attention heads, patch side.
      dtype: Keras dtype or policy.
      portable: Keras' own layers alone, so that a saved file loads where pcl_tf is not installed; the same weights.

    Returns:
      (image input [N, S, S, 3], feature map [N, S/patch, S/patch, dim]).

    Raises:
      ValueError: image_size is not a multiple of patch.
    """
    if not image_size or image_size % patch:
        raise ValueError(f"vit_tiny needs an image_size that is a multiple of {patch}, not {image_size}.")
    side = image_size // patch
    image = keras.Input((image_size, image_size, 3), name="image")
    x = layers.Conv2D(dim, patch, patch, dtype=dtype, name="patches")(image)
    x = layers.Reshape((side * side, dim), dtype=dtype)(x)
    # A table looked up by nothing but position: one row per patch, added to all images.
    x = _portable_positions(x, dtype) if portable else _PositionEmbedding(dtype=dtype, name="positions")(x)
    for i in range(depth):
        y = layers.LayerNormalization(epsilon=1e-6, dtype=dtype, name=f"block{i}_norm1")(x)
        y = layers.MultiHeadAttention(heads, dim // heads, dtype=dtype, name=f"block{i}_attention")(y, y)
        x = layers.Add(dtype=dtype)([x, y])
        y = layers.LayerNormalization(epsilon=1e-6, dtype=dtype, name=f"block{i}_norm2")(x)
        y = layers.Dense(4 * dim, activation="gelu", dtype=dtype, name=f"block{i}_mlp1")(y)
        y = layers.Dense(dim, dtype=dtype, name=f"block{i}_mlp2")(y)
        x = layers.Add(dtype=dtype)([x, y])
    x = layers.LayerNormalization(epsilon=1e-6, dtype=dtype, name="norm")(x)
    return image, layers.Reshape((side, side, dim), dtype=dtype)(x)


def _portable_positions(x: keras.KerasTensor, dtype: str) -> keras.KerasTensor:
    """``_PositionEmbedding`` of stock layers: its table [1, T, D] is the kernel of a dense layer that sees ones."""
    ones = keras.ops.ones_like(keras.ops.expand_dims(keras.ops.sum(x, (1, 2)), 1))
    table = layers.EinsumDense("no,otd->ntd", x.shape[1:], dtype=dtype, name="positions")
    return layers.Add(dtype=dtype)([x, table(ones)])


@keras.saving.register_keras_serializable("pcl_tf")
class _PositionEmbedding(layers.Layer):
    """Adds a learned vector per position to [N, T, D]."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.table = self.add_weight(
            shape=(1, shape[1], shape[2]), initializer=keras.initializers.RandomNormal(stddev=0.02), name="table"
        )

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return x + keras.ops.cast(self.table, x.dtype)
