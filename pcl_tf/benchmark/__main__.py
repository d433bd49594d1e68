"""Measures a recipe on this machine.

  python -m pcl_tf.benchmark train --recipe=vox64 --precision=mixed_bfloat16 --steps=3
  python -m pcl_tf.benchmark train --recipe=quickstart --against=precision=mixed_bfloat16
  python -m pcl_tf.benchmark data --recipe=quickstart

train: seconds, phases and memory of a step, and its share of what this machine can do at most; with --against two steps
in turns, with --profile=DIR a profile for TensorBoard and its profile plugin (pcl_tf[profile]). Its memory is that of
the process, so name it first.
data: the input pipeline. Without the name of a part it measures train and data. Prints a table; --out=FILE also writes the numbers. Run it on an
otherwise idle machine. Exit codes: 0 done; 2 a flag, or what it names, is wrong.
"""

import json
import os
import pathlib
import shlex
from typing import Any

from absl import flags
from ml_collections import ConfigDict

from pcl_tf.choices import PRECISIONS, XLA
from pcl_tf.console import begin, explained, refuse, start

_RECIPE = flags.DEFINE_string("recipe", "", "Recipe NAME[:ARG], as for pcl_tf.train.")
_SET = flags.DEFINE_multi_string("set", [], "KEY=VALUE of the recipe, also as --recipe.KEY=VALUE; repeat for several.")
_PRECISION = flags.DEFINE_enum("precision", "float32", PRECISIONS, "Arithmetic of the networks.")
_XLA = flags.DEFINE_bool("xla", None, "Of train: compile the step with XLA, as --xla and --noxla of pcl_tf.train do.")
_STEPS = flags.DEFINE_integer("steps", 10, "Steps to time.", lower_bound=1)
_AGAINST = flags.DEFINE_list(
    "against", [], "Of train: what differs in the other: KEY=VALUE of the recipe, precision=VALUE, xla=none|views|step."
)
_PROFILE = flags.DEFINE_string("profile", None, "Of train: folder for TensorBoard's profile of a step.")
_OUT = flags.DEFINE_string("out", None, "File for the numbers, written after each part.")
PARTS = ("train", "data")
_RUNS = {"precision": PRECISIONS, "xla": XLA}  # how a recipe is run: of --against, no keys of a recipe


def _train(unresolved: ConfigDict, theirs: dict[str, str], keys: list[str]) -> dict[str, Any]:
    """Of --against: theirs, how the other recipe runs where that differs; keys, KEY=VALUE of it."""
    from pcl_tf import recipe as recipes
    from pcl_tf.benchmark.train import Step, against, train
    from pcl_tf.methods.build import compiled_by

    recipe = recipes.resolve(unresolved)
    ours = {"precision": _PRECISION.value, "xla": compiled_by(_XLA.value, recipe)}
    if _AGAINST.value:  # before it was resolved: values that follow from others follow from those of --against, too
        other = recipes.resolve(recipes.override(unresolved, keys, "--against="))
        return against(Step(recipe, **ours), Step(other, **(ours | theirs)), _STEPS.value)
    result = train(recipe, **ours, steps=_STEPS.value, folder=_PROFILE.value)
    if _PROFILE.value:
        shown = f"tensorboard --logdir={shlex.quote(_PROFILE.value)}"
        print(f"{_PROFILE.value} holds the profile:\n  pip install 'pcl_tf[profile]'\n  {shown}")
    return result


def main(argv: list[str]) -> None:
    begin(argv, "recipe", words=len(PARTS))
    parts = argv[1:] or PARTS
    if unknown := [part for part in parts if part not in PARTS]:
        refuse(f"{unknown[0]}: parts are {', '.join(PARTS)}.")
    changes = [change.partition("=")[::2] for change in _AGAINST.value]
    theirs = {key: value for key, value in changes if key in _RUNS}
    for key, value in theirs.items():
        if value not in _RUNS[key]:
            refuse(f"--against={key}={value}: not one of {', '.join(_RUNS[key])}.")
    from pcl_tf import recipe as recipes
    from pcl_tf.store import check, write_atomically

    result = {}
    with explained(_OUT.value or "."):
        if _OUT.value:
            check(_OUT.value)
        if _PROFILE.value:
            check(_PROFILE.value, "--profile", folder=True)
        unresolved = recipes.named(_RECIPE.value, overrides=_SET.value)
        recipe = recipes.resolve(unresolved)
        print(f"{_PRECISION.value}, {os.cpu_count()} cores, batch {recipe.batch_size}, {recipe.image_size} pixels")
        from pcl_tf.benchmark.train import data  # imports TensorFlow, so only after the checks

        keys = [f"{key}={value}" for key, value in changes if key not in _RUNS]
        for part in parts:
            name = "against" if part == "train" and _AGAINST.value else part
            result[name] = _train(unresolved, theirs, keys) if part == "train" else data(recipe)
            print("\n".join(_rows(name, result[name])), flush=True)
            if _OUT.value:
                write_atomically(pathlib.Path(_OUT.value), json.dumps(result, indent=1) + "\n")


def _rows(name: str, value: Any) -> list[str]:
    """Lines of a result: a number each, of phases with a bar."""
    if name.endswith("phases"):
        return [f"{name} {k:<{47 - len(name)}}{v:>14.1%}  {'█' * round(50 * v)}" for k, v in value.items()]
    if isinstance(value, dict):
        return [row for k, v in value.items() for row in _rows(f"{name} {k}", v)]
    numbers = value if isinstance(value, list) else [value]
    return [f"{name.strip().replace('_', ' '):<48}{' '.join(f'{v:.4g}' for v in numbers):>14}"]


if __name__ == "__main__":
    start(main)
