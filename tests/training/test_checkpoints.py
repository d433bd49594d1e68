"""Checkpoints are read in another precision; the loss scale is in them."""

import numpy as np
import pytest

from pcl_tf.methods.build import build_method
from pcl_tf.training.checkpoints import Checkpoints
from tests.helpers.methods import tiny

RECIPE = tiny("vox64:smoke,simclr")


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
