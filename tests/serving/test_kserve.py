"""The client, asked of a server that is not ours: KServe over the same export."""

import pathlib
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest
import tensorflow as tf

from pcl_tf.serving.remote import Server, embed
from tests.helpers.images import SERVED

pytest.importorskip("kserve", reason="needs requirements-kserve.txt")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address(export, tmp_path_factory):
    """Of KServe over the export."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    program = pathlib.Path(__file__).with_name("kserve_model.py")
    flags = [f"--export={export}", "--model_name=pcl", f"--http_port={port}", "--enable_grpc=False"]
    log = tmp_path_factory.mktemp("kserve") / "log"
    with log.open("w") as out:
        process = subprocess.Popen([sys.executable, program, *flags], stdout=out, stderr=out)
    try:
        deadline = time.time() + 180
        while not _ready(f"http://127.0.0.1:{port}/v1/models/pcl"):
            assert process.poll() is None and time.time() < deadline, log.read_text()[-3000:]
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def _ready(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def test_features_are_the_saved_models(address, export):
    images = [file for kind in SERVED.values() for file in kind[:1]]
    expected = tf.saved_model.load(str(export)).signatures["serving_default"](image_bytes=tf.constant(images))
    assert len(images) > 3
    for name, values in expected.items():
        answers = dict(embed(Server(address, feature=name, batch_size=3), enumerate(images)))
        np.testing.assert_allclose([answers[i] for i in range(len(images))], values, atol=1e-5)


def test_a_bad_image_costs_nobody_elses_features(address):
    images = [SERVED["png"][0], b"\xff\xd8\xff no face", SERVED["jpeg"][0]]
    answers = [answer for _, answer in embed(Server(address, batch_size=3), enumerate(images))]
    assert [isinstance(answer, str) for answer in answers] == [False, True, False] and "400" in answers[1]
