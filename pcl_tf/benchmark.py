"""Measures a recipe on this machine: training step, pipeline alone, Eq. 6 against materialised negatives, serving.

  python -m pcl_tf.benchmark --recipe=quickstart
  python -m pcl_tf.benchmark step --recipe=vox64 --precision=mixed_bfloat16 --steps=3
  python -m pcl_tf.benchmark contrast serving --recipe=vox64

Without the name of a part it measures step and pipeline. Prints a table; --json=FILE also writes the numbers. Run it on an otherwise idle machine.
"""

import json
import os
import pathlib

from absl import app, flags
from ml_collections import config_flags

from pcl_tf.console import explained, quiet, refuse
from pcl_tf.recipe import parse_flags

PARTS = ("step", "pipeline", "contrast", "serving")

_RECIPE = config_flags.DEFINE_config_file("recipe", None, "Recipe NAME[:ARG], as for pcl_tf.train.", lock_config=True)
_PRECISION = flags.DEFINE_enum(
    "precision", "float32", ("float32", "mixed_bfloat16", "mixed_float16"), "Arithmetic of the networks."
)
_STEPS = flags.DEFINE_integer("steps", 10, "Steps to time.", lower_bound=1)
_JSON = flags.DEFINE_string("json", None, "File for the numbers.")


def _rows(name, value):
    if isinstance(value, dict):
        return [row for k, v in value.items() for row in _rows(f"{name} {k}", v)]
    return [f"{name.strip().replace('_', ' '):<48}{value:>14.4g}"]


def main(argv):
    quiet()
    parts = argv[1:] or ["step", "pipeline"]
    wrong = [p for p in parts if p not in PARTS]
    if wrong or not _RECIPE.value:
        refuse(
            f"{wrong[0]}: parts are {', '.join(PARTS)}." if wrong else "--recipe is needed, for instance quickstart."
        )
    from pcl_tf import recipe as recipes
    from pcl_tf.training import measure
    from pcl_tf.training.measure_serving import serving

    result = {}
    with explained(_JSON.value or ".", (ValueError,)):  # RecipeError and DataError among them
        recipe = recipes.resolve(_RECIPE.value)
        if "contrast" in parts:
            result["contrast"] = measure.contrast(recipe.batch_size, recipe.network.head_dim)
        if "step" in parts:
            result["step"] = measure.training_step(recipe, _PRECISION.value, _STEPS.value)
        if "pipeline" in parts:
            result["pipeline"] = measure.pipeline(recipe)
        if "serving" in parts:
            result["serving"] = serving(recipe, _STEPS.value)
    if "step" in result and "pipeline" in result:
        ratio = result["pipeline"]["pipeline_images_per_second"] / result["step"]["images_per_second"]
        result["pipeline"]["times_the_step"] = ratio
    print(f"{_PRECISION.value}, {os.cpu_count()} cores, batch {recipe.batch_size}, {recipe.image_size} pixels")
    print("\n".join(_rows("", result)), flush=True)
    if _JSON.value:
        pathlib.Path(_JSON.value).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
