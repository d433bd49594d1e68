"""A run's folder: claimed once the run can begin, left as it was found otherwise; what a second command keeps."""

import shlex
import subprocess
import sys

import pytest
import tensorflow as tf

from pcl_tf import recipe as recipes
from pcl_tf.errors import Refused
from pcl_tf.store import several
from pcl_tf.training.board import embedder
from pcl_tf.training.loop import Computing, run
from pcl_tf.training.workdir import Workdir
from recipes import vox64
from tests.helpers.commands import command

HOLD = """
import sys, time
from pcl_tf.training.workdir import Workdir
held = Workdir(sys.argv[1], None)  # no recipe is compared where none is written
print("held", flush=True)
time.sleep(60)
"""


def recipe(**overrides):
    c = vox64.get_config("smoke")
    c.update_from_flattened_dict(overrides)
    return recipes.resolve(c)


def test_a_refused_command_leaves_the_folder_to_the_corrected_one(tmp_path):
    c = recipe(**{"data.source": str(tmp_path / "nothing")})
    first = Workdir(tmp_path / "w", c)
    with pytest.raises(ValueError, match="nothing"):
        run(c, first, Computing(tf.distribute.get_strategy()))
    assert not (tmp_path / "w" / "recipe.json").exists()
    first._lock.close()
    Workdir(tmp_path / "w", recipe(batch_size=64)).claim()
    assert (tmp_path / "w" / "recipe.json").exists()


def test_a_claimed_folder_refuses_another_recipe(tmp_path):
    one = Workdir(tmp_path, recipe())
    one.claim()
    one._lock.close()
    with pytest.raises(Refused, match="batch_size: 32 -> 64"):
        Workdir(tmp_path, recipe(batch_size=64))


def test_the_next_commands_can_be_pasted(tmp_path, capsys):
    workdir = tmp_path / "faces of (2026), Zoë's"
    (workdir / "export" / "7").mkdir(parents=True)
    assert several(f"{workdir},hog") == [str(workdir), "hog"]  # as --model of the probe reads it
    with command("train") as train:
        train._next_commands(workdir)
    lines = [shlex.split(line) for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert [words[-1] for words in lines[:1]] == [f"--logdir={workdir}/logs"]
    assert lines[1][3] == f"--model={workdir},hog" and lines[2][3] == f"--workdir={workdir}"
    assert lines[3][3] == f"--model={workdir}"


def test_embedding_batches_of_many_sizes_traces_once():
    traces = []

    def model(x, training):
        traces.append(x.shape)
        return {"face": tf.reduce_mean(x, axis=[1, 2])}

    embed = embedder(model, batch=8)
    for count in (3, 8, 20, 5, 1):
        assert embed(tf.zeros([count, 4, 4, 3], tf.uint8))["face"].shape == (count, 3)
    assert len(traces) == 1


def test_a_killed_process_leaves_its_workdir_free(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Refused, match="another process is training here"):
            Workdir(tmp_path, recipe())
    finally:
        holder.kill()
        holder.wait()
    Workdir(tmp_path, recipe())


@pytest.mark.parametrize("name", ["runs [2026]", "a*", "b?", "c\\d"])
def test_names_below_which_tensorflow_finds_no_checkpoints(tmp_path, name):
    with pytest.raises(Refused, match="finds no checkpoints below a name with"):
        Workdir(tmp_path / name / "w", recipe())
    assert not list(tmp_path.iterdir())
