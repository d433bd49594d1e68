"""Backbones: their sizes, that all their layers learn, what patch_cnn computes, and what its files need."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pcl_tf.networks.backbones import BACKBONES, backbone
from pcl_tf.networks.encoder import encoder
from tests.helpers.keras_files import packages_of

WIDTH = 1 / 16  # 12, 16, 16, 32, 32 channels, F_s of 16


def images(n=4, side=64):
    return np.random.RandomState(0).uniform(size=(n, side, side, 3)).astype(np.float32)


@pytest.mark.parametrize("kind", BACKBONES)
def test_every_backbone_is_cut_at_stride_16_and_learns_in_all_its_layers(kind):
    model = backbone(kind, width=WIDTH, image_size=32)
    with tf.GradientTape() as tape:
        out = model(images(2, 32), training=True)
        loss = tf.reduce_sum(out * images(1, out.shape[1])[..., :1])
    assert out.shape[:3] == (2, 2, 2)
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    assert all(np.isfinite(g).all() for g in gradients)
    assert np.mean([np.any(g) for g in gradients]) > 0.9  # a bias before a normalisation has none
    assert kind != "patch_cnn" or model(images(1, 100)).shape[1:3] == (7, 7)  # of any side


def test_the_sizes_of_the_networks():
    """Parameters at width 1, from the channels of the papers."""

    def convs(*layers, bias=False):
        return sum(side**2 * i * o + bias * o for side, i, o in layers)

    body = ((6, 3, 192), (3, 192, 256), (3, 256, 256), (3, 256, 512), (3, 512, 512))
    norms = 4 * sum(o for _, _, o in body)  # scale, offset and the moving statistics
    assert backbone("patch_cnn").count_params() == convs(*body) + norms + convs((1, 512, 256), bias=True)
    d, depth, cells = 192, 6, 16
    block = 4 * (d * d + d) + (d * 4 * d + 4 * d) + (4 * d * d + d) + 2 * 2 * d
    patches, neck = convs((16, 3, d), bias=True) + cells * d, convs((1, d, 128), bias=True)
    assert backbone("vit_tiny", image_size=64).count_params() == patches + depth * block + 2 * d + neck
    # He et al. (2016): stages of 64, 128 and 256 channels, two blocks of two convolutions each.
    stages = [(3, 64, 64)] * 4 + [(3, 64, 128)] + [(3, 128, 128)] * 3 + [(3, 128, 256)] + [(3, 256, 256)] * 3
    kernels = [v for v in backbone("resnet18").trainable_variables if len(v.shape) == 4]
    shortcuts = convs((1, 64, 128), (1, 128, 256))
    assert sum(np.prod(v.shape) for v in kernels) == convs((7, 3, 64), *stages) + shortcuts + convs((1, 256, 128))


def test_patch_cnn_is_its_layers_written_plainly():
    model = backbone("patch_cnn", width=WIDTH)
    r = np.random.RandomState(1)
    model.set_weights([r.uniform(0.5, 1.5, w.shape) if w.ndim == 1 else w for w in model.get_weights()])
    weights = {f"{layer.name}/{v.name}": v.numpy() for layer in model.layers for v in layer.variables}

    x = images() - 0.5
    for i, stride in enumerate((4, 2, 1, 2, 1), start=1):
        x = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        x = tf.nn.conv2d(x, weights[f"conv{i}/kernel"], stride, "VALID").numpy()
        n = {k: weights[f"norm{i}/{k}"] for k in ("gamma", "beta", "moving_mean", "moving_variance")}
        x = (x - n["moving_mean"]) / np.sqrt(n["moving_variance"] + 1e-5) * n["gamma"] + n["beta"]
        x = np.maximum(x, 0)
    x = x @ weights["neck/kernel"][0, 0] + weights["neck/bias"]
    np.testing.assert_allclose(model(images()), np.where(x > 0, x, 0.1 * x), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["patch_cnn", "vit_tiny"])  # those with layers of our own
def test_a_portable_file_needs_no_pcl_tf(kind, tmp_path):
    trained, portable = (encoder(64, backbone=kind, width=WIDTH, portable=p) for p in (False, True))
    trained(images(), training=True)
    portable.set_weights(trained.get_weights())
    expected = trained(images())["face_aware"]
    np.testing.assert_array_equal(portable(images())["face_aware"], expected)

    portable.get_layer("backbone").save(tmp_path / "b.keras")
    assert packages_of(tmp_path / "b.keras") == {"keras"}
    y = keras.models.load_model(tmp_path / "b.keras")(images()).numpy()
    np.testing.assert_allclose(y.transpose(0, 3, 1, 2).reshape(4, -1), expected, rtol=1e-3, atol=1e-5)


def test_statistics_over_replicas_are_asked_for():
    norms = [x for x in backbone("patch_cnn", width=WIDTH, synchronized=True).layers if "norm" in x.name]
    assert len(norms) == 5 and all(x.synchronized for x in norms)
    assert isinstance(norms[0], keras.layers.BatchNormalization)
