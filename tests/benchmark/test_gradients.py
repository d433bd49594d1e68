"""The gradient benchmark: its moments in closed form, its parts on a real network."""

import numpy as np
import pytest

from pcl_tf.benchmark.gradients import gradients, summary
from tests.helpers.commands import refused
from tests.helpers.methods import tiny


def summed(count, **draws):
    return summary(count, {k: v.sum(0) for k, v in draws.items()}, {k: (v**2).sum() for k, v in draws.items()})


def test_signal_and_noise_are_those_of_the_distribution():
    r = np.random.RandomState(0)
    mean, std = np.full(50, 0.2), 0.7  # length sqrt(50) * 0.2, trace 50 * 0.49
    found = summed(4000, a=mean + std * r.standard_normal((4000, 50)))[0]["a"]
    assert found["signal"] == pytest.approx(np.sqrt(50) * 0.2, rel=0.03)
    assert found["noise"] == pytest.approx(np.sqrt(50) * 0.7, rel=0.01)


def test_few_draws_do_not_inflate_the_signal():
    # The mean of 4 draws has the length of the signal and of sqrt(D / 4) of noise; corrected it is right on average.
    r, squares = np.random.RandomState(1), []
    for _ in range(200):
        squares.append(summed(4, a=1.0 + r.standard_normal((4, 100)))[0]["a"]["signal"] ** 2)
    assert abs(np.mean(squares) - 100) < 3  # uncorrected: 125


def test_cosine_of_two_parts_is_that_of_their_true_means():
    r = np.random.RandomState(2)
    a, b = np.zeros(40), np.zeros(40)
    a[0], b[:2] = 1.0, 1.0  # 45 degrees apart
    found, cosines = summed(3000, **{k: v + 0.5 * r.standard_normal((3000, 40)) for k, v in (("a", a), ("b", b))})
    assert cosines["cosine_a_b"] == pytest.approx(np.sqrt(0.5), abs=0.03)
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
