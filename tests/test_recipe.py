"""Recipes: older than the code, overridden, refused."""

import json
import pathlib
import re

import pytest

from pcl_tf import recipe as recipes
from pcl_tf.errors import Refused
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


@pytest.mark.parametrize("count", [-1, 5, 99])
def test_too_few_generated_faces_tell_nothing(count):
    c = vox64.get_config("smoke")
    c.watch.generated = count
    with pytest.raises(Refused, match="watch.generated"):
        recipes.resolve(c)


def test_override_sets_values_and_says_what_is_wrong():
    c = recipes.override(vox64.get_config(), ["batch_size=64", "method.reconstruct=False", "method.crop=none"])
    assert (c.batch_size, c.method.reconstruct, c.method.crop) == (64, False, "none")
    for value, meant in {"true": True, "1": True, "false": False, "0": False, "False": False}.items():
        c = recipes.override(vox64.get_config(), [f"method.reconstruct={value}"])
        assert c.method.reconstruct is meant
    for wrong in ("nothing=1", "batch_size=many", "method.crop", "method.reconstruct=maybe"):
        with pytest.raises(Refused, match=wrong.split("=")[0]):
            recipes.override(vox64.get_config(), [wrong])


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"text"', "3", '{"total_steps": "many"}'])
def test_a_file_that_is_no_recipe_is_named(tmp_path, text):
    path = tmp_path / "recipe.json"
    path.write_text(text)
    with pytest.raises(Refused, match="recipe.json: is no recipe of a run"):
        recipes.load(path)


def test_a_recipe_that_lacks_keys_is_said_in_a_line():
    c = vox64.get_config("smoke")
    with c.unlocked():
        del c.network["backbone"]
        del c["method"]
    with pytest.raises(Refused, match=r"--recipe: has no .*\bmethod.name.*; recipes"):
        recipes.resolve(c)


def test_a_recipe_that_calls_generated_faces_by_the_former_word_is_read(tmp_path):
    values = vox64.get_config("smoke").to_dict()
    values["data"] |= {"source": "synthetic,faces.zip", "synthetic_images": values["data"].pop("generated_images") + 1}
    (tmp_path / "recipe.json").write_text(json.dumps(values))
    read = recipes.load(tmp_path / "recipe.json").data
    assert (read.source, read.generated_images) == ("generated,faces.zip", 257) and "synthetic_images" not in read


def test_the_former_word_for_generated_faces():
    c = vox64.get_config("smoke")
    with c.unlocked():
        c.data.synthetic_images = 300
    with pytest.raises(Refused, match=r"data.synthetic_images is called data.generated_images now"):
        recipes.resolve(c)


def test_a_file_that_is_no_recipe_is_said_in_a_line(tmp_path):
    for name, said in {
        "notes.txt": "no such recipe; known: .* or the path of a .py file",
        "empty.py": "has no function",
    }.items():
        (tmp_path / name).write_text("x = 1\n")
        with pytest.raises(Refused, match=said):
            recipes.named(str(tmp_path / name))


def test_a_recipe_that_raises_is_said_in_a_line(tmp_path):
    with pytest.raises(Refused, match="^--recipe=small64:foo: Unknown recipe argument 'foo'; known: smoke"):
        recipes.named("small64:foo")
    (tmp_path / "mine.py").write_text("def get_config(arg):\n    return {}['x']\n")
    with pytest.raises(Refused, match="mine.py: KeyError: 'x'"):
        recipes.named(str(tmp_path / "mine.py"))


def test_the_commands_for_four_machines_can_be_shared_by_four():
    text = (pathlib.Path(recipes.__file__).parent / "training" / "README.md").read_text()
    commands = re.findall(r"--recipe=(\w+)(?:,? --recipe\.(\S+=\w+))?.*--strategy=multiworker", text)
    assert len(commands) == 2
    for name, given in commands:
        recipes.resolve(recipes.named(name, overrides=filter(None, [given])), replicas=4)


def test_a_recipe_that_gives_no_config_is_said_in_a_line():
    with pytest.raises(Refused, match="its get_config gives int, not a ConfigDict"):
        recipes.resolve(3)
