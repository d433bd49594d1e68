"""Recipes: older than the code, overridden, refused."""

import pytest

from pcl_tf import recipe as recipes
from pcl_tf.errors import Refused
from pcl_tf.methods import METHODS
from recipes import common, vox64


def test_a_recipe_is_read_as_it_was_written(tmp_path):
    c = recipes.resolve(vox64.get_config("smoke,moco"))
    (tmp_path / "recipe.json").write_text(recipes.to_json(c))
    assert recipes.differences(recipes.load(tmp_path / "recipe.json"), c) == []
    assert recipes.load(tmp_path / "recipe.json").to_dict() == c.to_dict()


def test_override_sets_values_and_says_what_is_wrong():
    c = recipes.override(vox64.get_config(), ["batch_size=64", "method.reconstruct=False", "method.face_views=flip"])
    assert (c.batch_size, c.method.reconstruct, c.method.face_views) == (64, False, "flip")
    for value, meant in {"true": True, "1": True, "false": False, "0": False, "False": False}.items():
        c = recipes.override(vox64.get_config(), [f"method.reconstruct={value}"])
        assert c.method.reconstruct is meant
    for wrong in ("nothing=1", "batch_size=many", "method.updates", "method.reconstruct=maybe"):
        with pytest.raises(Refused, match=wrong.split("=")[0]):
            recipes.override(vox64.get_config(), [wrong])


@pytest.mark.parametrize(
    "argument, clips",
    [("", "scenes"), ("simclr", "scenes"), ("frames", "prepared"), ("fabnet", "prepared"), ("tcae", "prepared")],
)
def test_what_learns_from_motion_gets_clips_that_move(argument, clips):
    assert recipes.named("heads64", argument).data.clips == clips


def test_the_order_of_arguments_does_not_matter():
    both = (recipes.resolve(recipes.named("patch64", words)) for words in ("moco,frames", "frames,moco"))
    assert recipes.differences(*both) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"text"', "3", "{}", '{"total_steps": "many"}'])
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


@pytest.mark.parametrize(
    "key, near",
    [
        ("batchsize", "did you mean batch_size?"),
        ("method.temprature", "did you mean method.temperature?"),
        ("learning_rate", "did you mean optimizer.learning_rate?"),
        ("method.queue", "pcl_tf.train --helpfull lists them"),  # MoCo's
    ],
)
def test_a_misspelt_key_names_the_nearest(key, near):
    c = vox64.get_config("smoke")
    with pytest.raises(Refused, match=f"^--set {key}=8: no such key; {near}".replace("?", "[?]")):
        recipes.override(c, [f"{key}=8"])
    with c.unlocked():
        c.update_from_flattened_dict({key: 8})  # as a .py file may
    with pytest.raises(Refused, match=f"^--recipe.{key}: no such key; {near}".replace("?", "[?]")):
        recipes.resolve(c)


@pytest.mark.parametrize("argument", common.ABLATIONS)
def test_a_change_of_a_recipe_survives_its_argument(argument):
    c = common.base()
    c.method.photometric, c.method.temperature, c.method.face_views = 0.25, 0.2, "quadrant_crop|blur"
    common.ablate(c, argument)
    views = "quadrant_crop|flip|blur" if argument == "simclr_pose" else "quadrant_crop|blur"
    assert (c.method.photometric, c.method.temperature, c.method.face_views) == (0.25, 0.2, views)
    name = argument.removesuffix("_pose")
    assert recipes.flatten(c).keys() == recipes.keys(name if name in METHODS else "pcl").keys()


def test_overrides_apply_to_the_methods_that_have_their_keys():
    texts = ["method.pose_weight=0.1", "method.temperature=0.2", "seed=3", "seeed=1"]
    assert recipes.applying(texts, vox64.get_config()) == texts
    assert recipes.applying(texts, vox64.get_config("simclr")) == texts[1:]


@pytest.mark.parametrize(
    "name, content, said",
    [
        ("notes.txt", "x = 1", "no such recipe; known: .* or the path of a .py file"),
        ("empty.py", "x = 1", "has no attribute 'get_config'"),
        ("mine.py", "def get_config(arg):\n    return {}['x']\n", "mine.py: KeyError: 'x'"),
        ("mine.py", "def get_config(arg):\n    return 3\n", "its get_config gives int, not a ConfigDict"),
    ],
)
def test_a_file_that_gives_no_recipe_is_said_in_a_line(tmp_path, name, content, said):
    (tmp_path / name).write_text(content)
    with pytest.raises(Refused, match=said) as error:
        recipes.named(str(tmp_path / name))
    assert len(str(error.value).splitlines()) == 1


def test_an_unknown_argument_is_said_in_a_line():
    with pytest.raises(Refused, match="^--recipe=small64:foo: Unknown recipe argument 'foo'; known: smoke"):
        recipes.named("small64:foo")
