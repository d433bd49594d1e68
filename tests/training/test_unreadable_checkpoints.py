"""A run whose checkpoints cannot be read stops: beginning again would write over what somebody trained for days."""

import pathlib

import numpy as np
import pytest

from pcl_tf.data.errors import DataError
from pcl_tf.training.callbacks import Save
from pcl_tf.training.checkpoints import Checkpoints, newest_step


class Tiny:
    """The smallest thing a checkpoint is made of: weights, a step, an optimiser."""

    def __init__(self):
        import keras

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
    assert "ckpt-8 cannot be read" in capsys.readouterr().out
    DAMAGE[damage](next(folder.glob(f"ckpt-4.{part}")))
    with pytest.raises(DataError, match=r"checkpoints: holds checkpoints \(steps 8, 4\) and none can be read") as said:
        Checkpoints(Tiny(), folder).restore()
    assert "\n" not in str(said.value) and "move the folder away" in str(said.value)


@pytest.mark.parametrize("listed", [None, b"", b"\xff\x00 no list", b'model_checkpoint_path: "ckpt-99"\n'])
def test_files_count_and_not_the_list_of_them(folder, listed):
    (folder / "checkpoint").unlink() if listed is None else (folder / "checkpoint").write_bytes(listed)
    assert Checkpoints(Tiny(), folder).restore() == 8
    assert newest_step(folder.parent) == 8


def test_a_list_without_files_is_a_beginning(folder):
    for path in folder.glob("ckpt-*"):
        path.unlink()
    assert Checkpoints(Tiny(), folder).restore() is None and newest_step(folder.parent) is None


class Killed(BaseException):
    """As by SIGKILL: what the process had to do next is never done."""


@pytest.mark.parametrize("written", ["data", "index"])
def test_a_save_that_was_killed_is_no_checkpoint(written, tmp_path, monkeypatch):
    """Not the first of a run either, before which there is nothing that beginning again could write over."""
    folder = tmp_path / "checkpoints"

    def die(checkpoints, step):
        def half(checkpoint_number):
            index = pathlib.Path(f"{checkpoints.manager.checkpoint.write(f'{folder}/ckpt-{checkpoint_number}')}.index")
            index.unlink() if written == "data" else DAMAGE["cut"](index)
            raise Killed

        with monkeypatch.context() as patched, pytest.raises(Killed):
            patched.setattr(checkpoints.manager, "save", half)
            checkpoints.save(step)

    for step, before in ((4, None), (8, 4)):
        tiny = Tiny()
        checkpoints = Checkpoints(tiny, folder)
        die(checkpoints, step)
        assert len(list(folder.glob(f"ckpt-{step}.*"))) > 1
        assert newest_step(tmp_path) == before and Checkpoints(Tiny(), folder).restore() == before
        tiny.step.assign(step)
        checkpoints.save(step)
        assert newest_step(tmp_path) == step == Checkpoints(Tiny(), folder).restore()


def test_a_step_whose_checkpoint_is_damaged_is_saved_again(folder):
    DAMAGE["cut"](next(folder.glob("ckpt-8.data*")))
    tiny = Tiny()
    checkpoints = Checkpoints(tiny, folder)
    assert checkpoints.restore() == 4
    tiny.step.assign(8)
    Save(checkpoints, every=100).save()
    assert Checkpoints(Tiny(), folder).restore() == 8
