"""What is declared once: counts, checks, updates, networks and logs of a part follow from its declaration."""

import numpy as np
import pytest
import tensorflow as tf

from pcl_tf import recipe as recipes
from pcl_tf.errors import Refused
from pcl_tf.keys import Key, number, whole
from pcl_tf.methods import METHODS, Entry, keys
from pcl_tf.methods.build import encoder_passes, method_of, parts_per_step
from pcl_tf.methods.objective import Part
from pcl_tf.methods.simclr import SimCLR
from recipes import common
from tests.helpers.methods import built, noise_faces, step, tiny

JOINT, ALTERNATING = {}, {"method.updates": "alternating"}


KEYS = {
    **keys.SIMCLR,
    "updates": keys.PCL["updates"],
    "dynamic_weights": keys.PCL["dynamic_weights"],
    "short_weight": Key(3.0, number(0, 10), "weight"),
    "short_batch": Key(2, whole(1, 100), "images"),
}


class Quiet(SimCLR):
    """SimCLR with a second part on fewer images: embeddings should be short. Written as a method of a user would be."""

    balanced = ("face", "short")

    @classmethod
    def objective(cls, recipe):
        losses = {"short": "Square of the features. Falls."}
        short = Part(run=cls.short, losses=losses, images="method.short_batch", passes=1)
        return (*super().objective(recipe), short)

    def total(self, loss, alpha):
        return alpha["face"] * loss["face"] + self.method.short_weight * alpha["short"] * loss["short"]

    def short(self, images, rng):
        return {"short": tf.reduce_mean(self.encoder(images, training=True)["face"] ** 2)}, {"short_accuracy": 0.5}


@pytest.fixture
def quiet(monkeypatch):
    monkeypatch.setitem(METHODS, "quiet", Entry(f"{__name__}:Quiet", KEYS))

    def recipe(**overrides):
        c = tiny("vox64:smoke,simclr").copy_and_resolve_references()
        with c.unlocked():
            c.method = common.base("quiet").method
            c.epoch_steps = 1
        c.update_from_flattened_dict(overrides)
        return recipes.resolve(c)

    return recipe


def test_a_method_is_a_class_and_a_line(quiet):
    c = quiet()
    assert method_of(c) is Quiet and encoder_passes(c) == 2 * 6 + 2
    assert parts_per_step(c) == [6]
    model = built(c)
    logs = [step(model, noise_faces(c, i)) for i in range(3)]
    assert {"loss_face", "loss_short", "short_accuracy", "alpha_face", "alpha_short"} <= set(logs[0])
    for row in logs:
        wanted = row["alpha_face"] * row["loss_face"] + 3.0 * row["alpha_short"] * row["loss_short"]
        np.testing.assert_allclose(row["loss"], wanted, rtol=1e-5)
    assert model.descriptions["loss_short"] == "Square of the features. Falls."
    assert logs[2]["alpha_face"] != 1.0 and model.pose_head is None and model.decoder is None
    c = quiet(**{"method.updates": "alternating"})
    assert parts_per_step(c) == [6, 2]
    model = built(c)
    step(model, noise_faces(c))
    assert (int(model.optimizer.iterations.numpy()), int(model.step.numpy())) == (2, 1)


def test_checks_of_a_part_follow_from_its_declaration(quiet):
    with pytest.raises(Refused, match="--recipe.method.short_batch=7 is more than --recipe.batch_size=6"):
        quiet(**{"method.short_batch": 7})
    c = quiet(**{"method.short_batch": 3})
    with pytest.raises(Refused, match="short_batch=3 cannot be .* 2 replicas: give a multiple of 2, .*=4"):
        recipes.resolve(c, replicas=2)


@pytest.mark.parametrize(
    "name, overrides, parts, passes",
    [
        ("vox64:smoke", JOINT, [6], 2 * 4 + 2 * 6 + 2 * 5),
        ("vox64:smoke", ALTERNATING, [4, 6, 2], 2 * 4 + 2 * 6 + 2 * 5),
        ("vox64:smoke,orth", ALTERNATING, [4, 6], 2 * 4 + 2 * 6),
        ("vox64:smoke,no_pose", JOINT, [6], 2 * 4 + 2 * 6),
        ("vox64:smoke,simclr", JOINT, [6], 2 * 6),
        ("vox64:smoke,moco", JOINT, [6], 4 * 6),
    ],
)
def test_counts_of_a_step(name, overrides, parts, passes):
    c = tiny(name, overrides)
    assert (parts_per_step(c), encoder_passes(c)) == (parts, passes)
