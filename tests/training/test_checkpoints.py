"""Checkpoints: whole, the newest kept, readable in another precision, damaged ones passed over."""

import numpy as np
import pytest

from pcl_tf import recipe as recipes
from pcl_tf.methods.build import build_method
from pcl_tf.training.checkpoints import Checkpoints
from recipes import vox64

RECIPE = recipes.resolve(vox64.get_config("smoke,simclr"))


def model(precision="float32", fill=None):
    pcl = build_method(RECIPE, precision=precision)
    if fill is not None:
        for v in [*pcl.trainable_variables, *pcl.optimizer.variables]:
            v.assign(np.full(v.shape, fill))
        pcl.step.assign(int(fill))
    return pcl


def state(pcl):
    adam = getattr(pcl.optimizer, "inner_optimizer", pcl.optimizer)
    return [v.numpy() for v in [*pcl.variables, *adam.variables]]


@pytest.mark.parametrize("saved, restored", [("mixed_float16", "float32"), ("float32", "mixed_float16")])
def test_a_run_goes_on_in_another_precision(saved, restored, tmp_path):
    source, target = model(saved, fill=3), model(restored)
    Checkpoints(source, tmp_path).save(3)
    assert Checkpoints(target, tmp_path).restore() == 3
    for a, b in zip(state(source), state(target), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_loss_scale_is_saved(tmp_path):
    source, target = model("mixed_float16", fill=3), model("mixed_float16")
    source.optimizer.dynamic_scale.assign(64.0)
    Checkpoints(source, tmp_path).save(3)
    Checkpoints(target, tmp_path).restore()
    assert float(target.optimizer.dynamic_scale.numpy()) == 64.0


def test_the_newest_are_kept_and_a_damaged_one_is_passed_over(tmp_path, capsys):
    source, target = model(fill=0), model()
    checkpoints = Checkpoints(source, tmp_path, keep=2)
    for step in (1, 2, 3):
        source.step.assign(step)
        checkpoints.save(step)
    assert sorted(p.name for p in tmp_path.glob("*.index")) == ["ckpt-2.index", "ckpt-3.index"]
    data = next(tmp_path.glob("ckpt-3.data*"))
    data.write_bytes(data.read_bytes()[:100])
    assert Checkpoints(target, tmp_path).restore() == 2
    assert "ckpt-3 is unreadable" in capsys.readouterr().out


def test_an_empty_folder_is_step_0(tmp_path):
    assert Checkpoints(model(), tmp_path).restore() is None
