"""An export in other formats: the numbers are the SavedModel's, and the commands take the files as models."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pcl_tf.encoders.encoder import open_encoder
from pcl_tf.errors import Refused
from pcl_tf.serving.export import save_onnx, save_tflite
from tests.helpers import labelled
from tests.serving.conftest import SIZE


@pytest.fixture(scope="module")
def images():
    """uint8 [20, SIZE, SIZE, 3] of generated faces."""
    return labelled.faces()[1][:20]


@pytest.fixture(scope="module")
def expected(loaded, images):
    """What the SavedModel makes of the images."""
    found = loaded.embed(tf.constant(images, tf.float32) / 255.0)
    return {key: value.numpy() for key, value in found.items()}


@pytest.fixture(scope="module")
def tflite(export, tmp_path_factory):
    """The export as a TFLite file, alone in its folder."""
    return save_tflite(export, tmp_path_factory.mktemp("tflite") / "encoder.tflite", SIZE)


def test_tflite_has_the_numbers_of_the_saved_model(tflite, expected, images):
    encoder = open_encoder(str(tflite))
    for count in (20, 3):
        found = encoder.embed(images[:count])
        assert set(found) == set(expected)
        for key, value in expected.items():
            np.testing.assert_allclose(found[key], value[:count], atol=1e-5, err_msg=key)
    with pytest.raises(Refused, match=f"pixels alone; set --image_size={SIZE}"):
        encoder.embed(np.zeros((1, 48, 48, 3), np.uint8))
    assert [p.name for p in tflite.parent.iterdir()] == ["encoder.tflite"]


@pytest.mark.slow
def test_quantised_tflite_is_near_and_small(export, tflite, expected, images, tmp_path):
    path = save_tflite(export, tmp_path / "q.tflite", SIZE, quantize=True)
    assert path.stat().st_size < 0.5 * tflite.stat().st_size
    for key, found in open_encoder(str(path)).embed(images).items():
        ours, theirs = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (found, expected[key]))
        assert 0.99 < (ours * theirs).sum(1).min()
        assert np.abs(found - expected[key]).max() > 1e-4  # else nothing was quantised


def test_onnx_has_the_numbers_of_keras_at_any_size_or_says_which(small_encoder, tmp_path):
    pytest.importorskip("tf2onnx", reason="needs requirements-onnx.txt")
    pytest.importorskip("onnxruntime", reason="needs requirements-onnx.txt")
    encoder = open_encoder(str(save_onnx(small_encoder, tmp_path / "any.onnx", SIZE)))
    for n, side in ((1, SIZE), (3, 48)):
        faces = np.random.default_rng(n).integers(0, 256, (n, side, side, 3), np.uint8)
        found = encoder.embed(faces)
        for name, expected in small_encoder(faces / np.float32(255)).items():
            np.testing.assert_allclose(found[name], expected, atol=1e-5, err_msg=name)
    image = keras.Input((16, 16, 3), name="image")
    x = keras.layers.Flatten()(image)
    model = keras.Model(image, {key: keras.layers.Dense(2, name=key)(x) for key in ("face_aware", "face", "pose")})
    encoder = open_encoder(str(save_onnx(model, tmp_path / "encoder.onnx", 16)))
    assert encoder.side == 16 and encoder.embed(np.zeros((2, 16, 16, 3), np.uint8))["face"].shape == (2, 2)
    with pytest.raises(Refused, match="pixels alone; set --image_size=16"):
        encoder.embed(np.zeros((1, 48, 48, 3), np.uint8))


def test_a_tflite_file_that_is_cut_short_is_named(tflite, tmp_path):
    path = tmp_path / "x.tflite"
    for end in (0, 2000):
        path.write_bytes(tflite.read_bytes()[:end])
        with pytest.raises(Refused, match="x.tflite: cannot be loaded as an encoder"):
            open_encoder(str(path))
