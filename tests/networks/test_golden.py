"""Networks against the outputs of the authors' code, to 1e-4 in float32."""

import numpy as np
import pytest
import tensorflow as tf

from pcl_tf.networks.decoder import decoder
from pcl_tf.networks.encoder import encoder
from pcl_tf.networks.heads import projection_head
from tests import golden

G = golden.NUMBERS
CLOSE = dict(rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [64, 100])
def test_encoder(size):
    model, image = encoder(size), tf.constant(golden.nhwc(G[f"x{size}"]))
    golden.load(model, "encoder")
    out = model(image)
    for ours, theirs in {"face_aware": "trunk", "face": "face", "pose": "pose"}.items():
        np.testing.assert_allclose(out[ours], G[f"{theirs}{size}"], err_msg=ours, **CLOSE)


def test_decoder():
    """Two codes of one face, those of two, and in training, whose statistics are the batch's."""
    model = decoder(2048)
    golden.load(model, "decoder")
    same, swapped = (tf.constant(G["face64"] + pose) for pose in (G["pose64"], np.roll(G["pose64"], 1, axis=0)))
    for out, key in (
        (model(same), "recon64_eval"),
        (tf.function(model)(same), "recon64_eval"),
        (model(swapped), "swap64_eval"),
        (model(same, training=True), "recon64_train"),
    ):
        np.testing.assert_allclose(out, golden.nhwc(G[key]), err_msg=key, **CLOSE)


@pytest.mark.parametrize(
    "branch, name, mode", [("face", "exp_fc", "eval"), ("pose", "pose_fc", "eval"), ("face", "exp_fc", "train")]
)
def test_heads(branch, name, mode):
    model = projection_head(2048)
    golden.load(model, name)
    out = model(G[f"{branch}64"], training=mode == "train")
    np.testing.assert_allclose(out, G[f"{branch}_proj_{mode}"], **CLOSE)


def test_parameter_count_of_the_paper():
    models = [encoder(64), projection_head(2048), projection_head(2048), decoder(2048)]
    # Trainable ones: torch keeps BatchNorm's running statistics as buffers, not parameters.
    assert sum(int(np.prod(w.shape)) for m in models for w in m.trainable_weights) == 17_262_723


@pytest.mark.parametrize("name", ["cnn16", "resnet18", "vgg16", "vit_tiny"])
def test_graphs_compute_what_eager_networks_do(name):
    """TensorFlow's fusions have got slopes wrong (see ``blocks.leaky_sum``)."""
    faces = tf.random.stateless_uniform([2, 32, 32, 3], (0, 0))
    model = encoder(32, backbone=name, width=0.125)
    model.set_weights([w + 0.01 * np.random.default_rng(0).standard_normal(w.shape) for w in model.get_weights()])
    graph, eager = tf.function(model)(faces), model(faces)
    for key in eager:
        np.testing.assert_allclose(graph[key], eager[key], rtol=1e-4, atol=1e-5, err_msg=key)
