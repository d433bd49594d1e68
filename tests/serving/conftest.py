"""A small encoder exported once, and the server over it."""

import keras
import pytest
import tensorflow as tf

from pcl_tf.networks.encoder import encoder
from pcl_tf.serving.export import constant_weights, save_export
from tests.serving.server import Server, Wrong

SIZE = 32


@pytest.fixture(scope="session")
def small_encoder():
    """An encoder of any size with drawn weights."""
    keras.utils.set_random_seed(0)
    with constant_weights():  # as a run exports it
        return encoder(None, width=0.125)


@pytest.fixture(scope="session")
def export(small_encoder, tmp_path_factory):
    """Folder of its export, version 3."""
    return save_export(
        small_encoder, tmp_path_factory.mktemp("serving") / "export", step=3, image_size=SIZE, recipe_json="{}"
    )


@pytest.fixture(scope="session")
def loaded(export):
    """What TensorFlow makes of it."""
    return tf.saved_model.load(str(export))


@pytest.fixture(scope="session")
def running():
    """The one server of the session."""
    with Server() as running:
        yield running


@pytest.fixture(scope="session")
def saved_model(loaded):
    """Function from images to what the SavedModel makes of them, {name: float32 [n, D]}."""

    def answer(images):
        try:
            found = loaded.signatures["serving_default"](image_bytes=tf.constant(images, tf.string))
        except tf.errors.InvalidArgumentError as error:
            import grpc

            raise Wrong(grpc.StatusCode.INVALID_ARGUMENT, error.message) from error
        return {key: value.numpy() for key, value in found.items()}

    return answer


@pytest.fixture
def server(running):
    """The server with an empty diary, which answers nothing yet."""
    running.answer, running.raw = None, None
    for diary in (running.batches, running.times, running.headers, running.models):
        diary.clear()
    return running
