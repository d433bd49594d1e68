"""FaceCycle: its losses by hand, its mirrored pairs, VGG-19 where its weights are given."""

import contextlib
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from ml_collections import ConfigDict

from pcl_tf.losses.images import asymmetry, ssim
from pcl_tf.methods.facecycle import FaceCycle
from pcl_tf.seeds import Rng
from tests.helpers.methods import built, noise_faces, tiny, watched
from tests.networks.test_warp import slow

SMALL = {"method.embedding": 8, "method.frame_views": "flip(p=0)", "method.mirror_share": 0.0}
RNG = Rng(tf.constant([1, 2]))


@pytest.fixture(scope="module")
def model():
    return built(tiny("vox64:smoke,facecycle", SMALL))


def test_each_loss_by_itself(model):
    pairs = noise_faces(model.recipe).astype(np.float32) / 255
    x = np.concatenate([pairs[:, 0], pairs[:, 1]])
    nets = ("encoder", "code", "flow", "features", "generator")
    with contextlib.ExitStack() as stack:
        calls = {name: stack.enter_context(watched(getattr(model, name))) for name in nets}
        losses, _ = model.cycle(tf.constant(pairs), RNG)
    np.testing.assert_array_equal(calls["encoder"][0][0], x)
    np.testing.assert_array_equal(calls["code"][0][0], calls["encoder"][0][1]["face"])
    flow = calls["flow"][0][1]
    neutral, again, plain = (call[1] for call in calls["generator"])
    shared = np.roll(neutral, len(pairs), axis=0)
    for call, image in zip(calls["features"], (x, shared, x), strict=True):
        np.testing.assert_allclose(call[0], image, atol=1e-6)
    back = -slow(flow, flow)
    wide, wide_back = (tf.image.resize(f, [16, 16]).numpy() for f in (flow, back))
    for which, moved in ((0, flow), (1, back)):
        for scale, given in enumerate(calls["generator"][which][0]):
            maps = calls["features"][which][1][scale]
            maps = slow(maps, tf.image.resize(moved, maps.shape[1:3]).numpy())
            np.testing.assert_allclose(given, maps + maps.mean((1, 2), keepdims=True), atol=1e-4)
    still = slow(x, wide)
    warped, twice = slow(shared, wide_back), slow(np.roll(still, len(pairs), axis=0), wide_back)
    off = lambda image: np.abs(image - x).mean()  # noqa: E731
    wanted = {
        "pixel": off(again) + off(plain) + off(warped) + 1.5 * off(twice),
        "ssim": 3.5 - float(ssim(again, x)) - float(ssim(plain, x)) - 1.5 * float(ssim(twice.astype(np.float32), x)),
        "symmetry": float(asymmetry(neutral)) + 0.5 * float(asymmetry(still)),
    }
    assert {k: float(v) for k, v in losses.items()} == pytest.approx(wanted, rel=1e-4)
    assert model.total({"pixel": 1.0, "ssim": 10.0, "symmetry": 100.0}, {}) == 1 + 5 * 10 + 1.5 * 100


@pytest.mark.parametrize("single", [False, True])
def test_pictures(model, single):
    images = noise_faces(model.recipe)[:2].astype(np.float32) / 255
    found = model.pictures(tf.constant(images[:, 0] if single else images))
    other = images[:, 0, :, ::-1] if single else images[:, 1]
    np.testing.assert_array_equal(found["other"], other)
    assert {k: tuple(v.shape) for k, v in found.items() if k != "flow"} == dict.fromkeys(
        ["source", "other", "neutral", "neutral, warped", "from the other", "warped from it"], (2, 16, 16, 3)
    )


def test_half_of_the_pairs_are_mirrored_and_all_where_no_clip_is_known():
    held = SimpleNamespace(method=ConfigDict({"mirror_share": 0.5}), frame_view=lambda x, rng: x)
    pairs = np.random.RandomState(0).rand(4000, 2, 2, 2, 1).astype(np.float32)
    first, other = np.split(FaceCycle.seen(held, tf.constant(pairs), RNG), 2)
    mirrored = (other == first[:, :, ::-1]).all((1, 2, 3))
    assert abs(mirrored.mean() - 0.5) < 0.03
    np.testing.assert_array_equal(first, pairs[:, 0])
    np.testing.assert_array_equal(other[~mirrored], pairs[~mirrored, 1])
    first, other = np.split(FaceCycle.seen(held, tf.constant(pairs[:, 0]), RNG), 2)
    np.testing.assert_array_equal(other, first[:, :, ::-1])


@pytest.mark.slow
def test_with_the_weights_of_vgg_its_layers_stay_and_gram_matrices_are_compared(tmp_path):
    body = keras.applications.VGG19(include_top=False, weights=None)
    body.save_weights(tmp_path / "vgg.weights.h5")
    body.load_weights(tmp_path / "vgg.weights.h5")
    model = built(tiny("vox64:smoke,facecycle", {**SMALL, "method.vgg": str(tmp_path / "vgg.weights.h5")}))
    before = model.features.get_weights()
    logs = model.train_step(noise_faces(model.recipe))
    parts = {"pixel": 1.0, "ssim": 5.0, "symmetry": 1.5, "gram": 0.01}
    np.testing.assert_allclose(logs["loss"], sum(w * float(logs[f"loss_{k}"]) for k, w in parts.items()), rtol=1e-4)
    assert float(logs["loss_gram"]) > 0 and not model.features.trainable_variables
    for a, b in zip(before, model.features.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    image = np.random.RandomState(0).rand(1, 32, 32, 3).astype(np.float32)
    given = keras.applications.vgg19.preprocess_input(255 * image)
    wanted = keras.Model(body.input, body.get_layer("block3_conv1").output)(given)
    np.testing.assert_allclose(model.features(image)[1], wanted, rtol=1e-3, atol=1e-3)
