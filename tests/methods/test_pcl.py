"""The method: parts on and off, one replica and two, precisions, alternating updates, DWA state."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pcl_tf.methods.build import compiled_by
from pcl_tf.methods.dynamic_weights import DynamicWeights
from pcl_tf.views.base import Chain
from recipes import vox64_official
from tests.helpers.methods import PLAIN, built, noise_faces, one_and_two, step, stepped, tiny

# The paper's network, and views that XLA compiles in a second: all views are in tests/views.
SMALL = {"network.backbone": "cnn16", "network.head_dim": 64, "image_size": 32, "batch_size": 8}
SMALL |= {"method.face_views": "resized_crop|blur"}
PCL = {**SMALL, "method.pose_views": "blur", "method.negatives_per_image": 4}
# Gradients are compared, not Adam's amplification of their rounding.
PCL |= {"optimizer.learning_rate": 0.0, "optimizer.clip_norm": 0.1}

ABLATIONS = {
    "smoke": {"loss_dis", "loss_orth", "loss_face", "loss_pose"},
    "smoke,pose": {"loss_dis", "loss_orth", "loss_face", "loss_pose"},
    "smoke,orth": {"loss_dis", "loss_orth", "loss_face", "loss_pose"},
    "smoke,dis": {"loss_dis", "loss_face", "loss_pose"},
    "smoke,simclr": {"loss_face"},
    "smoke,simclr_pose": {"loss_face"},
}


@pytest.mark.parametrize("arg", ABLATIONS)
def test_parts_of_table_5(arg):
    logs, model = stepped(f"vox64:{arg}", PLAIN)
    assert {k for k in logs if k.startswith("loss_")} == ABLATIONS[arg]
    parts = sum(v for k, v in logs.items() if k.startswith("loss_"))
    np.testing.assert_allclose(logs["loss"], parts, rtol=1e-5)  # all weights are 1 in the first epochs
    assert all(np.isfinite(v) for v in logs.values())
    assert (model.decoder is None) == ("simclr" in arg) == (model.pose_head is None)


def test_reduced_precision_starts_where_float32_does():
    views = {**PCL, "method.face_views": "resized_crop|jitter", "method.pose_views": "jitter"}
    full, _ = stepped(overrides=views)
    brain, _ = stepped(overrides=views, precision="mixed_bfloat16")
    half, model = stepped(overrides=views, precision="mixed_float16")  # its loss is scaled by 8
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    for logs in (brain, half):
        for k in ("loss_dis", "loss_face", "loss_pose"):
            np.testing.assert_allclose(logs[k], full[k], rtol=0.25)
    # The loss is scaled before the gradient, the logged norm is not.
    np.testing.assert_allclose(half["gradient_norm"], full["gradient_norm"], rtol=0.35)


def test_the_views_of_a_step_are_compiled_where_that_is_asked_for():
    """They change no step: see tests/views, and two replicas with compiled views below."""
    for xla, names in (("views", {"face_view", "pose_view"}), ("none", set())):
        chains = [layer for layer in built(tiny(), xla=xla)._flatten_layers() if isinstance(layer, Chain)]
        assert {chain.name for chain in chains if chain.compiled} == names


def test_what_a_flag_compiles(monkeypatch):
    long, short = tiny(overrides={"total_steps": 100}), tiny(overrides={"total_steps": 99})
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    assert [compiled_by(flag, long) for flag in (None, True, False)] == ["views", "step", "none"]
    assert compiled_by(None, short) == "none"
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
    assert [compiled_by(flag, long) for flag in (None, True)] == ["none", "step"]


# Released settings: alternating updates, official layout, cross correlation, two BatchNorm calls.
@pytest.mark.parametrize(
    "name, xla",
    [
        ("vox64:smoke", "none"),
        pytest.param("vox64:smoke", "views", marks=pytest.mark.slow),
        pytest.param("vox64_official:smoke", "none", marks=pytest.mark.slow),
    ],
)
def test_two_replicas_are_one(name, xla, two_replicas):
    official = "official" in name
    overrides = PCL | ({"method.face_views": "quadrant_crop|blur"} if official else {})
    # Eagerly it takes a fifth of the time; as training runs it: the official one.
    (expected, one), (got, two) = one_and_two(name, overrides, two_replicas, xla=xla, graph=official)
    for k in ("loss_dis", "loss_orth", "loss_face", "loss_pose", "abs_cosine", "gradient_norm"):
        np.testing.assert_allclose(got[k], expected[k], rtol=2e-3, err_msg=k)
    # Adam's first moments hold a tenth of the gradients it was given: summed, and clipped together.
    assert expected["gradient_norm"] > 0.1
    moments = [[v.numpy() for v in m.optimizer.variables if v.path.endswith("momentum")] for m in (one, two)]
    assert len(moments[0]) == len(one.trainable_variables)
    for a, b in zip(*moments, strict=True):
        np.testing.assert_allclose(b, a, atol=5e-3 * max(np.abs(a).max(), 1e-5))


def test_coupled_decay_is_added_to_the_gradient():
    c = tiny("vox64:smoke,simclr", {**PLAIN, "optimizer.decay": 10.0})
    model = built(c)
    before = np.sqrt(sum(np.square(v.numpy()).sum() for v in model.trainable_variables))
    # Strong decay dominates: |g + 10 w| is about 10 |w|.
    np.testing.assert_allclose(step(model, noise_faces(c))["gradient_norm"], 10 * before, rtol=0.3)


def test_dynamic_weights_follow_epoch_means():
    from tests.golden import NUMBERS as G

    balance = DynamicWeights(epoch_steps=2)
    seen = []
    for face, pose in G["dwa_history"]:
        seen.append(balance.weights_now().numpy())
        for wobble in (-0.5, 0.5):  # the mean of an epoch counts, not its last step
            balance.update(tf.constant(face + wobble), tf.constant(pose - wobble))
    seen.append(balance.weights_now().numpy())
    np.testing.assert_allclose(seen[:2], np.ones((2, 2)))
    np.testing.assert_allclose(seen[2:], G["dwa_weights"], rtol=1e-5)


def test_steps_draw_different_numbers():
    c = tiny("vox64:smoke,simclr", {"optimizer.learning_rate": 0.0})
    model = built(c)
    assert step(model, noise_faces(c))["loss_face"] != step(model, noise_faces(c))["loss_face"]


def test_combinations_decoded_apart_are_normalised_apart():
    moved = {}
    for batches in ("together", "apart"):
        logs, model = stepped(overrides={**PLAIN, "method.decoder_batches": batches})
        norm = next(layer for layer in model.decoder.layers if layer.name == "norm1")
        moved[batches] = norm.moving_mean.numpy(), logs["loss_dis"]
    # One call moves the average by a tenth, four by 1 - .9^4 of what they have in common.
    (once, loss), (four, apart) = moved["together"], moved["apart"]
    ratio = np.sum(four * once) / np.sum(once * once)
    assert 2.5 < ratio < 4 and loss != apart
    assert vox64_official.get_config().method.decoder_batches == "apart"


def test_the_encoder_keeps_moving_statistics_of_face_views_alone():
    """What serves is normalised as one kind of images is: those that the face contrast saw, not copies and noise."""

    def statistics(name, views):
        _, model = stepped(name, {**views, "network.backbone": "patch_cnn", "network.width": 0.0625})
        norms = [layer for layer in model.encoder.get_layer("backbone").layers if "norm" in layer.name]
        return [np.array(v) for layer in norms for v in (layer.moving_mean, layer.moving_variance)]

    alone, all_parts = statistics("vox64:smoke,simclr", SMALL), statistics("vox64:smoke", PCL)
    assert alone and any(np.ptp(v) > 0 for v in alone)
    for a, b in zip(alone, all_parts, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_xla_computes_the_step():
    """Compiled draws are others of the same distributions, so nothing is drawn here."""
    quiet = {"face_views": "flip(p=1)", "interpolate_negatives": False, "recon_noise_std": 0.0}
    c, found = tiny("vox64:smoke,no_pose", {f"method.{key}": value for key, value in quiet.items()}), []
    for xla in ("none", "step"):
        model = built(c, xla=xla)
        assert model.jit_compile is (xla == "step")
        model.make_train_function()
        logs = model.train_function(iter([tf.constant(noise_faces(c))]))
        found.append({key: float(value) for key, value in logs.items()})
    assert found[0]["gradient_norm"] > 1
    for key in set(found[0]) - {"face_accuracy"}:  # decided by ties: both views are the same
        np.testing.assert_allclose(found[1][key], found[0][key], rtol=1e-3, err_msg=key)
