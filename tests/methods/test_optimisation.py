"""The schedule at known updates, and the decay of weights beside Adam's step."""

import numpy as np
import pytest

from pcl_tf.methods.optimisation import schedule
from tests.helpers.methods import PLAIN, built, noise_faces, step, tiny


def test_cosine_with_and_without_warm_up():
    rates = [float(schedule(1e-3, 110, 10)(t)) for t in (0, 5, 10, 60, 110)]
    np.testing.assert_allclose(rates, [0, 5e-4, 1e-3, 5e-4, 0], atol=1e-9)
    rates = [float(schedule(1e-3, 100)(t)) for t in (0, 50, 100)]
    np.testing.assert_allclose(rates, [1e-3, 5e-4, 0], atol=1e-9)


@pytest.mark.parametrize("updates, count", [("joint", 1), ("alternating", 3)])
def test_the_schedule_of_the_recipe_is_in_steps(updates, count):
    short = {"optimizer.warmup_steps": 10, "optimizer.learning_rate": 1e-3, "method.updates": updates}
    c = tiny(overrides=short)
    model = built(c)
    step(model, noise_faces(c))
    assert (int(model.optimizer.iterations.numpy()), int(model.step.numpy())) == (count, 1)
    for steps, rate in ((5, 5e-4), (20, 5e-4), (30, 0)):  # 20 is half way from the 10th of 30 steps to the last
        model.optimizer.iterations.assign(steps * count)
        np.testing.assert_allclose(float(model.optimizer.learning_rate), rate, rtol=1e-5, atol=1e-9)


def test_decoupled_decay_shrinks_weights_beside_adams_step():
    after = []
    for decay in (0.0, 0.5):
        o = {"optimizer.decay": decay, "optimizer.decay_kind": "decoupled", "optimizer.learning_rate": 0.1}
        c = tiny("vox64:smoke,simclr", {**PLAIN, **o})
        model = built(c)
        before = model.face_head.get_layer("hidden").kernel.numpy()
        step(model, noise_faces(c))
        after.append(model.face_head.get_layer("hidden").kernel.numpy())
    np.testing.assert_allclose(after[0] - after[1], 0.1 * 0.5 * before, atol=1e-5)
