"""The client against a server that speaks TF Serving's protocols over the real export."""

import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile

import grpc
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from pcl_tf.serving.requests import embed
from pcl_tf.serving.transport import Rejected, ServerError, Unavailable, connect
from tests.helpers.commands import command as in_process
from tests.helpers.commands import done
from tests.helpers.killed import Killed
from tests.helpers.processes import ROOT, command

BAD = b"\xff\xd8\xff no face"


def png(seed):
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 40, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(params=["grpc", "rest"])
def address(request, server):
    return getattr(server, f"{request.param}_address")


@pytest.fixture(scope="module")
def direct(export):
    """What the SavedModel itself says to a list of images."""
    serve = tf.saved_model.load(str(export)).signatures["serving_default"]
    return lambda images: {k: v.numpy() for k, v in serve(image_bytes=tf.constant(images)).items()}


@pytest.fixture
def faces(tmp_path):
    """A folder of five images, the fourth of them broken."""
    folder = tmp_path / "faces"
    folder.mkdir()
    for i in range(5):
        (folder / f"{i}.png").write_bytes(BAD if i == 3 else png(i))
    return folder


def test_features_are_the_saved_models(address, direct):
    images = [png(i) for i in range(3)]
    served = connect(address).predict(images)
    assert set(served) == {"face_aware", "face", "pose"}
    for name, values in direct(images).items():
        assert served[name].dtype == np.float32
        np.testing.assert_allclose(served[name], values, atol=1e-6)


def test_batches_and_their_order(address, server, direct):
    images = [png(i) for i in range(7)]
    answers = dict(embed(connect(address), enumerate(images), batch=3))
    assert server.batches == [3, 3, 1]
    expected = direct(images)["face"]
    for i in range(7):
        np.testing.assert_allclose(answers[i]["face"], expected[i], atol=1e-5)


def test_a_bad_image_costs_nobody_elses_features(address, server, direct):
    images = [png(0), BAD, png(1), b""]
    answers = [answer for _, answer in embed(connect(address), enumerate(images), batch=4)]
    assert server.batches == [4, 1, 1, 1, 1]
    assert "400" in answers[1] or "INVALID_ARGUMENT" in answers[1]
    assert isinstance(answers[3], str)
    for i in (0, 2):
        np.testing.assert_allclose(answers[i]["pose"], direct([images[i]])["pose"][0], atol=1e-6)


def test_what_cannot_be_read_is_not_sent(server):
    items = [("a", OSError("gone")), ("b", png(0))]
    answers = dict(embed(connect(server.grpc_address), items))
    assert answers["a"] == "gone" and server.batches == [1]
    assert dict(embed(connect(server.grpc_address), items[:1])) == {"a": "gone"} and server.batches == [1]


def test_waits_double_while_the_server_is_away(address, server):
    server.outages, waits = 3, []
    answers = list(embed(connect(address), [("a", png(0))], retries=3, wait=0.5, sleep=waits.append))
    assert waits == [0.5, 1.0, 2.0] and not isinstance(answers[0][1], str)
    server.outages = 9
    with pytest.raises(Unavailable):
        list(embed(connect(address), [("a", png(0))], retries=2, sleep=waits.append))


@pytest.mark.parametrize("address", ["localhost:1", "http://localhost:1"])
def test_nobody_listens(address):
    with pytest.raises(Unavailable, match="localhost:1"):
        connect(address, deadline=20).predict([png(0)])


def test_unknown_models_and_versions(address):
    with pytest.raises(ServerError, match=r"Servable not found for request: Latest\(nobody\)") as error:
        connect(address, model="nobody").predict([png(0)])
    assert not isinstance(error.value, Unavailable | Rejected)
    with pytest.raises(ServerError, match=r"Specific\(pcl, 9\)"):
        connect(address, version=9).predict([png(0)])
    assert connect(address, version=3).predict([png(0)])["face"].shape[0] == 1


def test_deadlines(address, server):
    server.delay = 2.0
    with pytest.raises(ServerError, match="DEADLINE_EXCEEDED|timed out") as error:
        connect(address, deadline=0.2).predict([png(0)])
    assert not isinstance(error.value, Unavailable)


def test_http_servers_that_are_no_tf_serving(server):
    with pytest.raises(ServerError):
        connect(server.rest_address + "/elsewhere").predict([png(0)])


@pytest.mark.parametrize(
    "signature, key, value, code, said",
    [
        ("nothing", "image_bytes", [b"x"], "FAILED_PRECONDITION", 'key "nothing" not found'),
        ("serving_default", "image_bytes", [1.0], "INVALID_ARGUMENT", "to be string but float"),
        ("serving_default", "images", [b"x"], "INVALID_ARGUMENT", "does not match signature"),
        ("embed", "images", np.zeros((1, 32, 32)), "INVALID_ARGUMENT", "to be float32 but float64"),
    ],
)
def test_the_server_of_the_tests_answers_as_the_real_one(server, signature, key, value, code, said):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "pcl", signature
    request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    stub = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(server.grpc_address))
    with pytest.raises(grpc.RpcError) as error:
        stub.Predict(request, timeout=20)
    assert error.value.code().name == code and said in error.value.details()


def test_command_writes_json_lines(server, faces, direct):
    ended = done("client", f"--server={server.grpc_address}", str(faces), "--feature=pose", code=1)
    rows = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [r["image"] for r in rows] == [str(faces / f"{i}.png") for i in range(5)]
    assert "INVALID_ARGUMENT" in rows[3]["error"] and "4 of 5 images embedded" in ended.stderr
    for i in (0, 1, 2, 4):
        np.testing.assert_allclose(rows[i]["embedding"], direct([png(i)])["pose"][0], atol=1e-5)


def test_command_writes_a_matrix_from_files_and_zips(server, faces, direct, tmp_path):
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as z:
        z.writestr("a/face.png", png(9))
    out = tmp_path / "e.npy"
    paths = [str(faces / "0.png"), str(tmp_path / "more.zip")]
    done("client", f"--server={server.rest_address}", *paths, f"--out={out}")
    np.testing.assert_allclose(np.load(out), direct([png(0), png(9)])["face_aware"], atol=1e-5)
    assert out.with_suffix(".txt").read_text().splitlines() == [paths[0], f"{paths[1]}:a/face.png"]


def test_rows_that_come_while_it_is_killed_have_no_names_of_others(tmp_path, monkeypatch):
    out = tmp_path / "e.npy"

    def write(names):
        with in_process("client") as client:
            matrix = client._Matrix("face", str(out))
            for name in names:
                matrix.write(name, {"face": np.zeros(3)})
            matrix.close()

    replace = os.replace

    def killed_at_the_names(source, target):
        if str(target).endswith(".txt"):
            raise Killed
        replace(source, target)

    write("ab")
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr("pcl_tf.store.os.replace", killed_at_the_names)
        write("cde")
    assert len(np.load(out)) == 3 and not out.with_suffix(".txt").exists()
    write("fg")
    assert len(np.load(out)) == 2 and out.with_suffix(".txt").read_text().split() == ["f", "g"]


@pytest.mark.parametrize(
    "args, code, said",
    [
        (["--server=localhost:1", "nowhere"], 2, "nowhere: no such file or folder"),
        (["--server=localhost:1"], 2, "images, folders or zips are needed"),
        (["--server=localhost", "FACES"], 2, "--server=localhost"),
        (["--server=http://localhost:x", "FACES"], 2, "--server=http://localhost:x"),
        (["--server=localhost:1", "FACES", "--out=a.csv"], 2, "--out=a.csv"),
        (["--server=http://localhost:1", "FACES", "--retries=1", "--wait=0.01"], 3, "refused"),
        (["--server=SERVER", "FACES", "--model=nobody"], 3, "Servable not found"),
    ],
)
def test_command_refuses_with_a_line(args, code, said, server, faces):
    args = [a.replace("FACES", str(faces)).replace("SERVER", server.rest_address) for a in args]
    ended = done("client", *args, code=code)
    assert said in ended.stderr and "Traceback" not in ended.stderr


def test_what_was_embedded_survives_sigterm(server, faces, tmp_path):
    server.delay = 1.0
    out = tmp_path / "e.jsonl"
    args = [f"--server={server.rest_address}", str(faces), "--batch=1", f"--out={out}"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command("client", *args), env=env, stderr=subprocess.PIPE, text=True)
    until = time.time() + 60
    while not (out.exists() and out.read_text().count("\n")) and time.time() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 143, process.stderr.read()
    assert json.loads(out.read_text().splitlines()[0])["image"].endswith("0.png")


def test_the_client_brings_no_networks_with_it():
    script = "import sys, pcl_tf.client; sys.exit('pcl_tf.networks' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode == 0
