"""Runs begun before methods had keys of their own: their recipes are today's, their checkpoints are read."""

import json
import pathlib
import zlib

import pytest

from pcl_tf import recipe as recipes
from pcl_tf.errors import Refused
from pcl_tf.methods.build import build_method
from pcl_tf.methods.registry import METHODS, keys_of
from pcl_tf.training.checkpoints import Checkpoints
from recipes import common, vox64, vox64_official

# Each with recipe.json as it was written, how many variables its checkpoint held, and the CRC of their names and shapes.
OLDER = json.loads((pathlib.Path(__file__).parents[1] / "golden" / "older_runs.json").read_text())
TODAY = {
    "pcl": vox64.get_config("smoke"),
    "orth": vox64.get_config("smoke,orth"),
    "simclr": vox64.get_config("smoke,simclr"),
    "simclr_pose": vox64.get_config("simclr_pose,smoke"),
    "moco": vox64.get_config("smoke,moco"),
    "official": vox64_official.get_config("smoke"),
}


def loaded(name, folder):
    (folder / "recipe.json").write_text(json.dumps(OLDER[name]["recipe"]))
    return recipes.load(folder / "recipe.json")


@pytest.mark.parametrize("name", OLDER)
def test_the_command_of_an_older_run_goes_on_with_it(name, tmp_path):
    c, sizes = TODAY[name], {"epoch_steps": 1, "batch_size": 8}
    if "pdd_batch" in c.method:
        sizes |= {"method.pdd_batch": 4, "method.pose_batch": 2, "method.negatives_per_image": 4}
    c.update_from_flattened_dict(sizes)
    older, today = loaded(name, tmp_path), recipes.resolve(c)
    assert "queue" in OLDER[name]["recipe"]["method"]  # the bag of everyone's keys
    assert recipes.differences(today, older) == []
    assert set(older.method) == set(keys_of(older.method.name))
    assert recipes.differences(recipes.resolve(older), older) == []


@pytest.mark.parametrize("name", ["pcl", "simclr", "moco"])
def test_the_checkpoint_of_an_older_run_is_read(name, tmp_path):
    model = build_method(recipes.resolve(loaded(name, tmp_path)))
    state = Checkpoints(model, tmp_path).parts["state"]
    found = [
        (f"{key}/.ATTRIBUTES/VARIABLE_VALUE".split("/")[0], list(value.shape)) for key, value in sorted(state.items())
    ]
    assert len(found) == OLDER[name]["variables"]
    assert zlib.crc32(json.dumps(found).encode()) == OLDER[name]["crc32"]


def test_a_recipe_of_a_user_with_keys_of_other_methods_is_run_and_told(capsys):
    c = common.base()
    c.method.queue = 512  # as every recipe had it
    resolved = recipes.resolve(c)
    assert "queue" not in resolved.method
    assert capsys.readouterr().err == "note: method.queue: no meaning to pcl.\n"
    assert recipes.resolve(common.base()) and capsys.readouterr().err == ""


def test_pcl_without_its_parts_is_simclr():
    c = vox64.get_config("smoke")
    c.method.update({"reconstruct": False, "pose_contrast": "none"})
    assert recipes.differences(recipes.resolve(c), recipes.resolve(vox64.get_config("smoke,simclr"))) == []


@pytest.mark.parametrize("argument", common.ABLATIONS)
def test_a_change_of_a_recipe_survives_its_argument(argument):
    c = common.base()
    c.method.photometric, c.method.temperature = 0.25, 0.2
    common.ablate(c, argument)
    assert (c.method.photometric, c.method.temperature) == (0.25, 0.2)
    assert c.method.name == (argument if argument in METHODS else "pcl")
    assert set(c.method) == set(keys_of(c.method.name))


def test_a_flag_of_another_method_does_nothing_and_is_told(capsys):
    """Commands of runs begun when every method had every key go on."""
    argv = ["x", "--recipe=vox64:smoke,simclr", "--recipe.method.pdd_batch=4", "--recipe.method.temperature=0.2"]
    assert recipes._without_idle_keys(argv) == [a for a in argv if "pdd" not in a]
    assert capsys.readouterr().err == "note: --recipe.method.pdd_batch=4: no meaning to simclr.\n"
    argv[2] = "--recipe.method.pdd_bach=4"  # of nobody: left for the parser to refuse
    assert recipes._without_idle_keys(argv) == argv and capsys.readouterr().err == ""


def test_a_key_of_another_method_is_refused_by_name():
    for name, key in (
        ("smoke", "method.queue=8"),
        ("smoke,simclr", "method.pose_weight=2"),
        ("moco", "method.updates=x"),
    ):
        with pytest.raises(Refused, match=f"{key}: a key of (moco|pcl), not of this recipe's method"):
            recipes.named("vox64", name, [key])
