"""TCAE: each of its ten losses by itself, what its gradients reach."""

import contextlib
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from pcl_tf.methods.keys import TCAE_LOSSES
from pcl_tf.methods.tcae import TCAE
from pcl_tf.seeds import Rng
from pcl_tf.training import sheet
from tests.helpers.methods import SIDE, built, noise_faces, tiny, watched
from tests.networks.test_warp import slow

SMALL = {"method.embedding": 8, "method.frame_views": "flip(p=0)", "method.kept_share": 1.0}
RNG = Rng(tf.constant([1, 2]))


@pytest.fixture(scope="module")
def model():
    return built(tiny("vox64:smoke,tcae", SMALL))


@pytest.fixture(scope="module")
def pairs(model):
    return noise_faces(model.recipe).astype(np.float32) / 255


@pytest.fixture(scope="module")
def told(model, pairs):
    """(losses of the pairs, what every network was given and gave meanwhile: a list of calls each)."""
    nets = ("encoder", "action_code", "pose_code", "action_flow", "pose_flow")
    with contextlib.ExitStack() as stack:
        calls = {name: stack.enter_context(watched(getattr(model, name))) for name in nets}
        losses, _ = model.cycles(tf.constant(pairs), RNG)
    return {k: float(v) for k, v in losses.items()}, calls


def test_images_codes_and_flows_go_where_they_belong(told, pairs):
    _, calls = told
    source = pairs[:, 0]
    action, pose = calls["action_flow"][0][1], calls["pose_flow"][0][1]
    weight = np.exp(np.stack([action[..., 2], pose[..., 2]]))
    share = weight / weight.sum(0)
    both = share[0][..., None] * action[..., :2] + share[1][..., None] * pose[..., :2]
    warped = [slow(source, flow) for flow in (action[..., :2], pose[..., :2], both)]
    np.testing.assert_allclose(calls["encoder"][1][0], np.concatenate(warped), atol=1e-5)
    for name, own in (("action", 0), ("pose", 1)):
        (of_frames, of_warped), (there, back) = calls[f"{name}_code"], calls[f"{name}_flow"]
        s, t = np.split(of_frames[1], 2)
        np.testing.assert_array_equal(there[0], np.concatenate([s, t], axis=1))
        np.testing.assert_array_equal(back[0], np.concatenate([np.split(of_warped[1], 3)[own], s], axis=1))
        for call, features in ((of_frames, calls["encoder"][0]), (of_warped, calls["encoder"][1])):
            np.testing.assert_array_equal(call[0], features[1]["face" if name == "action" else "pose"])


def test_pictures_are_the_source_with_the_action_and_the_pose_of_the_target(model, pairs):
    found = {k: np.asarray(v) for k, v in model.pictures(tf.constant(pairs)).items()}
    assert list(found)[:2] == ["source", "target"] and len(found) == 8
    np.testing.assert_array_equal(found["target"], pairs[:, 1])
    for name in ("action", "pose", "both"):
        np.testing.assert_allclose(found[f"{name} swapped"], slow(pairs[:, 0], found[f"flow of {name}"]), atol=1e-5)
    assert sheet.draw_pictures(found, 2).width == 8 * 2 * SIDE


def test_the_hue_of_a_flow_is_its_direction():
    flows = np.zeros((1, 2, 2, 2), np.float32)
    flows[0, 0, 0], flows[0, 0, 1], flows[0, 1, 0] = (1, 0), (-0.5, 0), (0, 0.001)
    colours = sheet.flow_colours(flows)[0]
    assert colours[0, 0].tolist() == [255, 0, 0] and colours[1, 1].tolist() == [255, 255, 255]  # no flow is white
    assert colours[0, 1][0] < 130 and min(colours[0, 1][1:]) > 250  # half as long the other way: pale cyan


def test_each_loss_by_itself(told, pairs):
    losses, calls = told
    source, target = pairs[:, 0], pairs[:, 1]
    acted, posed, both = np.split(calls["encoder"][1][0], 3)
    (a_s, a_t), (p_s, p_t) = (np.split(calls[f"{name}_code"][0][1], 2) for name in ("action", "pose"))
    (a_a, a_p, a_b), (p_a, p_p, p_b) = (np.split(calls[f"{name}_code"][1][1], 3) for name in ("action", "pose"))
    back = {name: calls[f"{name}_flow"][1][1][..., :2] for name in ("action", "pose")}
    wanted = {
        "both": np.abs(both - target),
        "action_cycle": np.abs(slow(acted, back["action"]) - source),
        "pose_cycle": np.abs(slow(posed, back["pose"]) - source),
        "posed_pose": (p_p - p_t) ** 2,
        "posed_action": (a_p - a_s) ** 2,
        "acted_pose": (p_a - p_s) ** 2,
        "acted_action": (a_a - a_t) ** 2,
        "both_pose": (p_b - p_t) ** 2,
        "both_action": (a_b - a_t) ** 2,
        "action_flow": np.abs(calls["action_flow"][0][1][..., :2]),
    }
    assert losses.keys() == wanted.keys() == TCAE_LOSSES.keys()
    for name, value in wanted.items():
        assert losses[name] == pytest.approx(value.mean(), rel=1e-4), name


def test_the_total_weighs_them(model):
    loss = {name: 3.0**i for i, name in enumerate(TCAE_LOSSES)}
    by_hand = 10 * 1 + 3 + 9 + 27 + 81 + 243 + 729 + 2187 + 6561 + 0.1 * 19683
    assert model.total(loss, {}) == pytest.approx(by_hand)
    for name in TCAE_LOSSES:
        weights = {f"{other}_weight": float(other == name) for other in TCAE_LOSSES}
        assert TCAE.total(SimpleNamespace(method=weights), loss, {}) == loss[name]


def test_codes_of_warped_images_get_gradients_and_their_pixels_on_the_way_back_none(model, pairs, monkeypatch):
    made, flows = [], model.flows
    monkeypatch.setattr(model, "flows", lambda *a, **k: made.append(flows(*a, **k)) or made[-1])

    def gradient(name):
        with tf.GradientTape() as tape:
            losses, _ = model.cycles(tf.constant(pairs), RNG)
        return [g is not None and np.any(g) for g in tape.gradient(losses[name], made[-1])]

    assert gradient("acted_action") == [True, False, False] and gradient("posed_pose") == [False, True, False]
    assert gradient("both") == [False, False, True] and gradient("action_cycle") == [True, False, False]
    apart = model.encoded_apart
    monkeypatch.setattr(model, "encoded_apart", lambda x: {k: tf.stop_gradient(v) for k, v in apart(x).items()})
    assert gradient("action_cycle") == gradient("pose_cycle") == [False] * 3
