"""Recipes that are older than the code."""

import json

from pcl_tf import recipe as recipes
from recipes import vox64


def test_a_recipe_written_before_a_key_was_there_gets_its_default(tmp_path):
    c = recipes.resolve(vox64.get_config())
    values = c.to_dict()
    del values["method"]["crop"]
    values["own"] = {"key": 3}
    (tmp_path / "recipe.json").write_text(json.dumps(values))
    old = recipes.load(tmp_path / "recipe.json")
    assert old.method.crop == "random_resized" and old.own.key == 3
    assert recipes.differences(c, old) == ["own.key: 3 -> None"]
