"""The schedule at known updates, both kinds of weight decay, and that a recipe's values reach the optimiser."""

import numpy as np
import pytest
import tensorflow as tf

from pcl_tf.methods.optimisation import optimizer, schedule
from tests.helpers.methods import PLAIN, built, noise_faces, step, tiny


def test_cosine_with_and_without_warm_up():
    rates = [float(schedule(1e-3, 110, 10)(t)) for t in (0, 5, 10, 60, 110)]
    np.testing.assert_allclose(rates, [0, 5e-4, 1e-3, 5e-4, 0], atol=1e-9)
    rates = [float(schedule(1e-3, 100)(t)) for t in (0, 50, 100)]
    np.testing.assert_allclose(rates, [1e-3, 5e-4, 0], atol=1e-9)


@pytest.mark.parametrize("updates, count", [("joint", 1), ("alternating", 3)])
def test_the_schedule_of_the_recipe_is_in_steps(updates, count):
    model = built(
        tiny(overrides={"optimizer.warmup_steps": 10, "optimizer.learning_rate": 1e-3, "method.updates": updates})
    )
    model.optimizer.iterations.assign(5 * count)
    np.testing.assert_allclose(float(model.optimizer.learning_rate), 5e-4, rtol=1e-5)
    model.optimizer.iterations.assign(20 * count)  # half way from the 10th of 30 steps to the last
    np.testing.assert_allclose(float(model.optimizer.learning_rate), 5e-4, rtol=1e-5)
    model.optimizer.iterations.assign(30 * count)
    np.testing.assert_allclose(float(model.optimizer.learning_rate), 0, atol=1e-9)


def test_decoupled_decay_shrinks_weights_beside_adams_step():
    w = tf.Variable([2.0, -3.0])
    adam = optimizer(0.1, 10**9, decay=0.5, decay_kind="decoupled")
    adam.apply([tf.zeros(2)], [w])
    np.testing.assert_allclose(w, [1.9, -2.85], rtol=1e-5)


def test_adam_by_hand():
    w, gradients = tf.Variable([1.0, 2.0, 3.0]), np.array([[1.0, -0.5, 3e-8], [0.2, 2.0, -1e-8]])
    adam = optimizer(0.1, 10**9)
    first, second, expected = np.zeros(3), np.zeros(3), np.array([1.0, 2.0, 3.0])
    for t, g in enumerate(gradients, start=1):
        adam.apply([tf.constant(g, tf.float32)], [w])
        first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g * g
        # Keras adds epsilon to the root before its bias is corrected.
        expected -= 0.1 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * first / (np.sqrt(second) + 1e-8)
        np.testing.assert_allclose(w, expected, atol=1e-3)


def test_the_recipes_decoupled_decay_reaches_the_weights():
    after = []
    for decay in (0.0, 0.5):
        o = {"optimizer.decay": decay, "optimizer.decay_kind": "decoupled", "optimizer.learning_rate": 0.1}
        c = tiny("vox64:smoke,simclr", {**PLAIN, **o})
        model = built(c)
        before = model.face_head.get_layer("hidden").kernel.numpy()
        step(model, noise_faces(c))
        after.append(model.face_head.get_layer("hidden").kernel.numpy())
    np.testing.assert_allclose(after[0] - after[1], 0.1 * 0.5 * before, atol=1e-5)
