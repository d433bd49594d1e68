"""A small encoder exported once, and the server over it."""

import keras
import pytest

from pcl_tf.networks.encoder import encoder
from pcl_tf.serving.export import save_export
from tests.serving.server import Server

SIZE = 32


@pytest.fixture(scope="session")
def small_encoder():
    """An encoder of any size with drawn weights."""
    keras.utils.set_random_seed(0)
    return encoder(None, width=0.125)


@pytest.fixture(scope="session")
def export(small_encoder, tmp_path_factory):
    """Folder of its export, version 3."""
    return save_export(
        small_encoder, tmp_path_factory.mktemp("serving") / "export", step=3, image_size=SIZE, recipe_json="{}"
    )


@pytest.fixture(scope="session")
def running(export):
    """The one server of the session."""
    with Server(export) as running:
        yield running


@pytest.fixture
def server(running):
    """The server, well and with an empty diary."""
    running.delay, running.outages, running.batches = 0.0, 0, []
    return running
