"""Checkpoints: whole or not there, read in another precision; where none can be read a run stops and writes over nothing."""

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from pcl_tf.errors import Refused
from pcl_tf.methods.build import build_method
from pcl_tf.training.checkpoints import Checkpoints, newest_step, saved_steps
from tests.helpers.killed import Killed
from tests.helpers.methods import tiny


class Tiny:
    """The smallest thing a checkpoint is made of: weights, a step, an optimiser."""

    def __init__(self):
        self.step, weight = keras.Variable(0, dtype="int64", name="step"), keras.Variable([0.0] * 50, name="weight")
        self.variables = [weight, self.step]
        self.optimizer = keras.optimizers.Adam()
        self.optimizer.build([weight])


@pytest.fixture
def folder(tmp_path):
    tiny = Tiny()
    saved = Checkpoints(tiny, tmp_path / "checkpoints")
    for step in (4, 8):
        tiny.step.assign(step)
        tiny.variables[0].assign(np.full(50, float(step)))
        saved.save(step)
    return tmp_path / "checkpoints"


def _cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _noise(path):
    path.write_bytes(np.random.RandomState(0).bytes(path.stat().st_size))


DAMAGE = {
    "cut": _cut,
    "noise": _noise,
    "empty": lambda path: path.write_bytes(b""),
    "gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize("part", ["index", "data*"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_one_damaged_falls_back_and_all_damaged_stop(folder, damage, part, capsys):
    DAMAGE[damage](next(folder.glob(f"ckpt-8.{part}")))
    tiny = Tiny()
    assert Checkpoints(tiny, folder).restore() == 4 and tiny.variables[0].numpy()[0] == 4
    assert "ckpt-8 is unreadable" in capsys.readouterr().out
    DAMAGE[damage](next(folder.glob(f"ckpt-4.{part}")))
    with pytest.raises(Refused, match=r"checkpoints: holds checkpoints \(steps 8, 4\) and all are unreadable") as said:
        Checkpoints(Tiny(), folder).restore()
    assert "\n" not in str(said.value) and "move the folder away" in str(said.value)


def test_a_power_cut_leaves_every_kept_checkpoint(tmp_path, power_cut):
    tiny = Tiny()
    checkpoints = Checkpoints(tiny, tmp_path / "checkpoints", keep=3)
    for step in (100, 200, 300, 400):
        tiny.step.assign(step)
        checkpoints.save(step)
    power_cut(tmp_path)
    assert saved_steps(tmp_path / "checkpoints") == [400, 300, 200]
    for step in (400, 300, 200):
        assert Checkpoints(Tiny(), tmp_path / "checkpoints").restore() == step
        next((tmp_path / "checkpoints").glob(f"ckpt-{step}.index")).unlink()


def test_other_files_are_no_checkpoints(folder):
    for path in folder.glob("ckpt-*"):
        path.unlink()
    for name in ("checkpoint", "ckpt-best.index", "my-ckpt-9.index", "ckpt-9.txt"):  # the first is TensorFlow's list
        (folder / name).write_text('model_checkpoint_path: "ckpt-99"')
    (folder / "ckpt-10_temp").mkdir()
    assert Checkpoints(Tiny(), folder).restore() is None and newest_step(folder.parent) is None


@pytest.fixture
def killed(monkeypatch):
    """killed(checkpoints, step, at): saves until that instant."""

    def save(checkpoints, step, at):
        write, unlink = tf.train.Checkpoint.write, pathlib.Path.unlink

        def half(self, path):
            index = pathlib.Path(f"{write(self, path)}.index")
            if at == "data":
                unlink(index)
            elif at == "index":
                DAMAGE["cut"](index)
            else:
                return
            raise Killed

        def removed(self, missing_ok=False):
            if at in self.name:
                raise Killed
            unlink(self, missing_ok)

        with monkeypatch.context() as patched, pytest.raises(Killed):
            patched.setattr(tf.train.Checkpoint, "write", half)
            patched.setattr(pathlib.Path, "unlink", removed)
            checkpoints.save(step)

    return save


@pytest.mark.parametrize("keep", [1, 3])
@pytest.mark.parametrize("at", ["data", "index", "ckpt-4.unfinished", "ckpt-8.unfinished", "ckpt-4.data"])
def test_a_save_that_was_killed_is_no_checkpoint(at, keep, tmp_path, killed):
    """Not the first of a run either, before which there is nothing that beginning again could write over."""
    folder = tmp_path / "checkpoints"
    saved = None
    for step in (4, 8):
        tiny = Tiny()
        checkpoints = Checkpoints(tiny, folder, keep)
        assert checkpoints.restore() == saved
        tiny.step.assign(step)
        if at in ("data", "index", f"ckpt-{step}.unfinished"):
            killed(checkpoints, step, at)
            assert newest_step(tmp_path) == saved and Checkpoints(Tiny(), folder).restore() == saved
        if step == 8 and keep == 1 and at == "ckpt-4.data":  # while the one before is removed
            killed(checkpoints, step, at)
        else:
            checkpoints.save(step)
        saved = step
        assert newest_step(tmp_path) == step == Checkpoints(Tiny(), folder, keep).restore()


def test_what_was_left_unfinished_is_removed(tmp_path, killed):
    tiny = Tiny()
    checkpoints = Checkpoints(tiny, tmp_path, keep=2)
    killed(checkpoints, 5, "index")
    (tmp_path / "ckpt-5_temp").mkdir()
    for step in (4, 8, 12):
        checkpoints.save(step)
    assert {path.name.split(".")[0] for path in tmp_path.iterdir()} == {"ckpt-8", "ckpt-12", "checkpoint"}
    assert tf.train.latest_checkpoint(tmp_path) == str(tmp_path / "ckpt-12")


def test_a_damaged_newer_one_takes_no_place_among_those_kept(folder):
    DAMAGE["cut"](next(folder.glob("ckpt-8.index")))
    checkpoints = Checkpoints(Tiny(), folder, keep=2)
    for step in (5, 6):
        checkpoints.save(step)
    assert saved_steps(folder) == [8, 6, 5]


def test_a_step_whose_checkpoint_is_damaged_is_saved_again(folder):
    DAMAGE["cut"](next(folder.glob("ckpt-8.data*")))
    tiny = Tiny()
    checkpoints = Checkpoints(tiny, folder)
    assert checkpoints.restore() == 4
    tiny.step.assign(8)
    checkpoints.save(8)
    assert Checkpoints(Tiny(), folder).restore() == 8


def model(precision="float32", fill=None):
    pcl = build_method(tiny("vox64:smoke,simclr"), precision=precision)
    if fill is not None:
        for v in [*pcl.trainable_variables, *pcl.optimizer.variables]:
            v.assign(np.full(v.shape, fill))
        pcl.step.assign(int(fill))
    return pcl


def state(pcl):
    adam = getattr(pcl.optimizer, "inner_optimizer", pcl.optimizer)
    return [v.numpy() for v in [*pcl.variables, *adam.variables]]


@pytest.mark.parametrize(
    "saved, restored",
    [("mixed_float16", "float32"), ("float32", "mixed_float16"), ("mixed_float16", "mixed_float16")],
)
def test_a_run_goes_on_in_another_precision_and_with_its_loss_scale(saved, restored, tmp_path):
    source, target = model(saved, fill=3), model(restored)
    if saved == "mixed_float16":
        source.optimizer.dynamic_scale.assign(64.0)
    Checkpoints(source, tmp_path).save(3)
    assert Checkpoints(target, tmp_path).restore() == 3
    for a, b in zip(state(source), state(target), strict=True):
        np.testing.assert_array_equal(a, b)
    if saved == restored:
        assert float(target.optimizer.dynamic_scale.numpy()) == 64.0
