"""FAb-Net: its loss by hand, its curriculum, what its gradient reaches."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from ml_collections import ConfigDict

from pcl_tf import recipe as recipes
from pcl_tf.methods.fabnet import FabNet
from pcl_tf.seeds import Rng
from tests.helpers.methods import SIDE, built, noise_faces, tiny

PLAIN = {"method.frame_views": "flip(p=0)", "method.kept_share": 1.0}  # frames are seen as they are, all count


def small(**overrides):
    return tiny("vox64:smoke,fabnet", {"method.embedding": 8, **overrides})


@pytest.fixture(scope="module")
def plain():
    return built(small(**PLAIN))


def loss_of(model, pairs, flow=None):
    """The loss of float32 pairs, where the network of flows gives this one."""
    network = model.flow
    if flow is not None:
        model.flow = lambda codes, training: tf.broadcast_to(tf.constant(flow, tf.float32), [len(pairs), SIDE, SIDE, 2])
    try:
        return {k: float(v) for k, v in model.warped(tf.constant(pairs), Rng(tf.constant([1, 2])))[0].items()}["flow"]
    finally:
        model.flow = network


def pairs_of(model):
    return noise_faces(model.recipe).astype(np.float32) / 255


def test_a_known_shift_is_undone_and_the_target_is_read_from_the_source(plain):
    pairs = pairs_of(plain)
    pairs[:, 0, :, -3:] = pairs[:, 0, :, -4:-3]  # so that what is read beyond the edge is known
    pairs[:, 1] = pairs[:, 0, :, np.minimum(np.arange(SIDE) + 3, SIDE - 1)].transpose(1, 2, 0, 3)
    shift = [3 * 2 / (SIDE - 1), 0]
    assert loss_of(plain, pairs, shift) < 1e-5
    assert loss_of(plain, pairs, [-shift[0], 0]) > 0.1 and loss_of(plain, pairs[:, ::-1], shift) > 0.1


def test_the_loss_is_the_mean_difference_of_the_warped_source(plain):
    pairs = pairs_of(plain)
    (moved, flow) = plain.moved(tf.constant(pairs[:, 0]), tf.constant(pairs[:, 1]), training=True)
    assert loss_of(plain, pairs) == pytest.approx(np.abs(moved - pairs[:, 1]).mean(), rel=1e-5)
    assert flow.shape == (6, SIDE, SIDE, 2) and np.abs(flow).max() > 0
    assert loss_of(plain, pairs) != loss_of(plain, pairs[:, ::-1])


def test_frames_as_they_are_differ_by_the_loss_of_no_flow_of_the_same_kept_images(plain):
    pairs, method = pairs_of(plain), plain.method
    plain.method = ConfigDict({**method.to_dict(), "kept_share": 0.5, "kept_steps": 3})
    try:
        still = plain.warped(tf.constant(pairs), Rng(tf.constant([1, 2])))[1]["still"]
        assert float(still) == pytest.approx(loss_of(plain, pairs, flow=[0.0, 0.0]), rel=1e-5)
        assert float(still) < np.abs(pairs[:, 0] - pairs[:, 1]).mean()
    finally:
        plain.method = method


def test_the_kept_share_moves_on_to_harder_images():
    def kept(step, share=0.5):
        held = SimpleNamespace(value=tf.constant(step, tf.int64))
        model = SimpleNamespace(method=ConfigDict({"kept_share": share, "kept_steps": 3}), step=held)
        return float(FabNet.kept(model, tf.range(10.0)))

    means = [2.0, 2.0, 3.0, 4.0, 5.0, 6.0, 6.0, 6.0]  # of 0-4, 1-5, .., 4-8
    assert [kept(step) for step in (0, 2, 3, 6, 9, 12, 15, 1000)] == means and kept(1000, 1.0) == 4.5
    assert recipes.resolve(recipes.named("vox64", "fabnet", ["total_steps=700"])).method.kept_steps == 70
