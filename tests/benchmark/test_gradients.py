"""The gradient benchmark: its moments in closed form, its parts on a real network."""

import numpy as np
import pytest

from pcl_tf.benchmark.gradients import Moments, gradients, summary
from tests.helpers.commands import refused
from tests.helpers.methods import tiny


def _moments(vectors):
    moments = Moments()
    for v in vectors:
        moments.add(v)
    return moments


def test_moments_are_those_of_the_distribution_the_vectors_come_from():
    r = np.random.RandomState(0)
    mean, std = np.full(50, 0.2), 0.7  # length sqrt(50) * 0.2, trace 50 * 0.49
    m = _moments(mean + std * r.standard_normal((4000, 50)))
    assert m.signal == pytest.approx(np.sqrt(50) * 0.2, rel=0.03)
    assert m.noise == pytest.approx(np.sqrt(50) * 0.7, rel=0.01)


def test_signal_is_not_inflated_by_few_draws():
    # The mean of 4 draws of pure noise has length sqrt(D / 4); squared and corrected it is 0 on average.
    r = np.random.RandomState(1)
    squares = []
    for _ in range(200):
        m = _moments(r.standard_normal((4, 100)))
        squares.append(float(m.mean @ m.mean) - m.noise**2 / 4)
    assert abs(np.mean(squares)) < 1.0  # uncorrected: 25


def test_cosine_of_two_parts_is_that_of_their_true_means():
    r = np.random.RandomState(2)
    a, b = np.zeros(40), np.zeros(40)
    a[0], b[:2] = 1.0, 1.0  # 45 degrees apart
    found = summary({k: _moments(v + 0.5 * r.standard_normal((3000, 40))) for k, v in (("a", a), ("b", b))})
    assert found["cosine_a_b"] == pytest.approx(np.sqrt(0.5), abs=0.03)
    assert found["a"]["ratio"] == pytest.approx(found["a"]["signal"] / found["a"]["noise"])


@pytest.mark.slow
def test_every_part_of_a_recipe_is_measured():
    recipe = tiny("vox64:smoke", {"data.generated_images": 64, "method.pdd_weight": 0.0})
    found = gradients(recipe, draws=2)
    assert found["step"] == 0
    assert {k for k in found if k.startswith("cosine")} == {"cosine_pdd_face", "cosine_pdd_pose", "cosine_face_pose"}
    assert found["face"]["noise"] > 0 and found["pose"]["noise"] > 0 and found["face"]["loss"] > 0
    assert found["pdd"] == {"signal": 0.0, "noise": 0.0, "ratio": 0.0, "loss": 0.0}  # the weight is in the gradient


def test_one_batch_has_no_spread():
    said = refused("benchmark", "gradients", "--recipe=vox64:smoke", "--steps=1")
    assert said == "error: --steps=1: gradients needs at least 2 batches, since their spread is the noise."
