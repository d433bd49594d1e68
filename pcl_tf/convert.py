"""Makes a workdir from a PyTorch checkpoint of the released code: .pth, .safetensors, or .npz of arrays by name.

  python -m pcl_tf.convert --torch=best.pth --workdir=runs/official
  python -m pcl_tf.probe --model=runs/official --task=fer2013 --data=corpora
  python -m pcl_tf.train --recipe=vox64_official --data=DIR_OR_ZIP --workdir=runs/official

The workdir is that of a run at step 0: export, probe, reconstruct and train work on it, train with the recipe given
here. The same command begins again where it was stopped before its end. Needs torch (pcl_tf[torch]) for .pth alone, and
safetensors (pcl_tf[safetensors]) for .safetensors. Exit codes: 0 done; 2 a flag, the checkpoint or the workdir is wrong; 4 the disk is full.
"""

import pathlib
from typing import TYPE_CHECKING

from absl import flags
from ml_collections import ConfigDict

from pcl_tf.console import begin, explained, refuse, start

if TYPE_CHECKING:
    import numpy as np

    from pcl_tf.methods.base import Method

_TORCH = flags.DEFINE_string("torch", "", ".safetensors, .npz, or file that torch.save wrote.")
_WORKDIR = flags.DEFINE_string("workdir", "", "Folder to make.")
_RECIPE = flags.DEFINE_string("recipe", "vox64_official", "Recipe NAME[:ARG] that further training goes by, width 1.")
_SET = flags.DEFINE_multi_string("set", [], "KEY=VALUE of the recipe, also as --recipe.KEY=VALUE; repeat for several.")


def _loaded(recipe: ConfigDict, arrays: "dict[str, np.ndarray]") -> "Method":
    """The recipe's method with the arrays as weights.

    Raises:
      Refused: the arrays do not fit the networks.
    """
    from pcl_tf.methods.build import build_method
    from pcl_tf.networks import official

    model = build_method(recipe)
    nets = {theirs: getattr(model, ours, None) for theirs, (ours, _) in official.PARTS.items()}
    parts = {name.split(".")[0] for name in arrays}
    for part in [p for p, net in nets.items() if p != "encoder" and (net is None or p not in parts)]:
        print(f"{part}: {'not in the recipe' if nets[part] is None else 'not in the file, stays as drawn'}", flush=True)
        del nets[part]
        arrays = {k: v for k, v in arrays.items() if not k.startswith(f"{part}.")}
    official.assign(arrays, nets)
    return model


def main(argv: list[str]) -> None:
    begin(argv, "torch", "workdir")
    from pcl_tf import recipe as recipes
    from pcl_tf.networks.torch_file import read_arrays
    from pcl_tf.training.checkpoints import Checkpoints, newest_step
    from pcl_tf.training.workdir import Workdir

    path = pathlib.Path(_WORKDIR.value)
    if (path / "recipe.json").exists() or newest_step(path):  # files of a stopped convert have no recipe beside them
        refuse(f"--workdir={path}: holds a run; give a folder that is empty or does not exist.")
    with explained(path, ValueError):
        asked, arrays = recipes.named(_RECIPE.value, overrides=_SET.value), read_arrays(_TORCH.value)
        from pcl_tf.training.export import export_run  # imports TensorFlow, so only after the checks

        recipe = recipes.resolve(asked)
        model = _loaded(recipe, arrays)
        workdir = Workdir(path, recipe)
        Checkpoints(model, workdir / "checkpoints", recipe.checkpoint.keep).save(0)
        print(export_run(recipe, workdir, model.encoder, step=0))
        workdir.claim()  # last: a workdir with a recipe and without weights is one in which train draws them


if __name__ == "__main__":
    start(main)
