"""Values of the recipes, written down: whoever changes what is trained changes them here too, and sees it.

python -c "from tests.test_recipe_values import record; record()"
"""

import json
import pathlib

import pytest

from pcl_tf import recipe as recipes
from recipes import common

PATH = pathlib.Path(__file__).parent / "golden" / "recipes.json"
NAMES = [
    f"{name}:{argument}"
    for name in recipes.known()
    for argument in ("", "smoke", *common.ABLATIONS, "moco,smoke", "fabnet", "tcae", "facecycle")
]


def values(name):
    """Of 'base' the paper's, all of them; of a recipe those that differ from base."""
    base = recipes.flatten(common.base())
    if name == "base":
        return base
    return {key: value for key, value in recipes.flatten(recipes.named(name)).items() if value != base.get(key)}


def record():
    """Writes down what the recipes say today; ``git diff`` then shows what that changes."""
    lines = [f" {json.dumps(name)}: {json.dumps(values(name))}" for name in ("base", *NAMES)]
    PATH.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def test_every_recipe_is_recorded():
    assert json.loads(PATH.read_text()).keys() == {"base", *NAMES}


@pytest.mark.parametrize("name", ["base", *NAMES])
def test_a_recipe_has_the_recorded_values_and_can_be_run(name):
    recipes.resolve(recipes.base() if name == "base" else recipes.named(name))
    assert values(name) == json.loads(PATH.read_text())[name]
