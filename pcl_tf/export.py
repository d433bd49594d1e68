"""Exports the encoder of a run again, at another size or from its newest checkpoint.

python -m pcl_tf.export --workdir=runs/vox64 --image_size=100
"""

import pathlib

from absl import app, flags

from pcl_tf.console import explained, quiet, refuse
from pcl_tf.recipe import parse_flags

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of a run of pcl_tf.train.", required=True)
_SIZE = flags.DEFINE_integer("image_size", 0, "Side in pixels of the exported encoder; 0 is the training size.")


def main(argv):
    del argv
    quiet()
    from pcl_tf import recipe as recipes
    from pcl_tf.methods.build import build_method
    from pcl_tf.networks.backbones import FIXED_SIZE
    from pcl_tf.training.checkpoints import Checkpoints
    from pcl_tf.training.loop import export_run

    workdir = pathlib.Path(_WORKDIR.value)
    if not (workdir / "recipe.json").is_file():
        refuse(f"--workdir={workdir}: no recipe.json there; it is no folder of pcl_tf.train.")
    size = _SIZE.value
    recipe = recipes.resolve(recipes.load(workdir / "recipe.json"))
    if size and (size < 16 or recipe.network.backbone in FIXED_SIZE and size != recipe.image_size):
        refuse(f"--image_size={size}: at least 16, and a vit_tiny has the size it was trained at.")
    model = build_method(recipe)
    checkpoints = Checkpoints(model, workdir / "checkpoints", recipe.checkpoint.keep)
    step = checkpoints.restore()
    if not step:
        refuse(f"{workdir / 'checkpoints'} holds no checkpoint to export.")
    with explained(workdir, (PermissionError,)):
        print(export_run(recipe, workdir, model.encoder, step, size or None))


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
