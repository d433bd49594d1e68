"""What a run leaves for others to use."""

import pathlib

import keras
from ml_collections import ConfigDict

from pcl_tf import recipe as recipes
from pcl_tf.methods.build import build_encoder
from pcl_tf.networks.backbones import FIXED_SIZE
from pcl_tf.serving.export import constant_weights, save_backbone, save_export, save_onnx
from pcl_tf.training.workdir import Workdir


def export_run(
    recipe: ConfigDict,
    workdir: Workdir | pathlib.Path,
    trained: keras.Model,
    *,
    step: int,
    image_size: int | None = None,
    version: int | None = None,
    keep: int | None = None,
    onnx: bool = False,
) -> pathlib.Path:
    """Writes what others use of a workdir: ``export/<version>``, ``backbone.keras``, ``encoder.onnx``.

    Args:
      recipe, workdir: resolved recipe of the run, and its folder.
      trained, step: encoder with the weights, any precision, and the step of pre-training.
      image_size: side that image files are resized to, by default the recipe's.
      version: number of the export, by default step.
      keep: how many versions stay, by default the recipe's checkpoint.keep; 0 is all.
      onnx: whether to write ``encoder.onnx`` too.

    Returns:
      path of the export.
    """
    size = image_size or recipe.image_size
    # Convolutions take images of any size; a Transformer's position embedding does not.
    with constant_weights():
        frozen = build_encoder(recipe, size if recipe.network.backbone in FIXED_SIZE else None, portable=True)
    frozen.set_weights(trained.get_weights())
    save_backbone(frozen, workdir / "backbone.keras")
    if onnx:
        save_onnx(frozen, workdir / "encoder.onnx", size)
    keep = recipe.checkpoint.keep if keep is None else keep
    return save_export(
        frozen,
        workdir / "export",
        step=step,
        image_size=size,
        recipe_json=recipes.to_json(recipe),
        version=version,
        keep=keep,
    )
