"""The client against a small TensorFlow Serving over the real export, and against servers that are slow, other or hostile."""

import json
import shutil
import subprocess
import sys
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pcl_tf.errors import Unreachable
from pcl_tf.serving.remote import Server as Remote
from pcl_tf.serving.remote import embed
from tests.helpers.commands import done, refused
from tests.helpers.images import encoded, zip_of
from tests.helpers.processes import ROOT
from tests.serving.server import Server, Wrong, reply

UNREADABLE = b"\xff\xd8\xff no face"
ROW = {"face_aware": [1.0, 2.0], "face": [1.0], "pose": [2.0]}
both = pytest.mark.parametrize("protocol", ["grpc", "rest"])


def png(seed):
    return encoded(Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 40, 3), np.uint8)), "PNG")


def ones(images):
    """Features of every image whose bytes are not 'bad'."""
    if b"bad" in images:
        raise Wrong(grpc.StatusCode.INVALID_ARGUMENT, "no JPEG")
    return {name: np.ones((len(images), len(row)), np.float32) for name, row in ROW.items()}


def ask(address, images, **options):
    remote = Remote(address, **{"wait": 0.01, "deadline": 20, **options})
    return [answer for _, answer in embed(remote, enumerate(images))]


@pytest.mark.parametrize(("protocol", "feature"), [("grpc", "pose"), ("rest", "face_aware")])
def test_features_are_those_of_the_saved_model(protocol, feature, server, saved_model):
    server.answer = saved_model
    found = ask(getattr(server, protocol), [png(0), UNREADABLE, png(2)], feature=feature, batch_size=2)
    assert server.batches == [2, 1, 1, 1] and ("400" in found[1] or "INVALID_ARGUMENT" in found[1])
    np.testing.assert_allclose([found[0], found[2]], saved_model([png(0), png(2)])[feature], atol=1e-5)
    assert found[0].dtype == np.float32


def test_an_unreadable_file_is_not_sent(server):
    server.answer = ones
    assert dict(embed(Remote(server.rest), [("a", OSError("gone"))])) == {"a": "gone"} and not server.batches
    answers = dict(embed(Remote(server.rest), [("a", OSError("gone")), ("b", b"x")]))
    assert answers["a"] == "gone" and len(answers["b"]) == 2 and server.batches == [1]


@both
def test_a_request_is_sent_again_while_the_server_is_away(protocol, server):
    away = [Wrong(grpc.StatusCode.UNAVAILABLE, "queue is full")] * 3

    def answer(images):
        if away:
            raise away.pop()
        return ones(images)

    server.answer = answer
    assert len(ask(getattr(server, protocol), [b"x"])[0]) == 2 and server.batches == [1] * 4
    for retries in (2, 0):
        away[:] = [Wrong(grpc.StatusCode.UNAVAILABLE, "queue is full")] * 9
        server.batches.clear()
        with pytest.raises(Unreachable, match="queue is full"):
            ask(getattr(server, protocol), [b"x"], retries=retries)
        assert server.batches == [1] * (1 + retries)


def test_a_server_is_left_alone_as_long_as_it_says(server):
    server.answer = ones
    server.raw = lambda n, handler: (reply(handler, 429, b"later", Retry_After="1"), setattr(server, "raw", None))
    ask(server.rest, [b"x"], retries=1)
    assert len(server.times) == 2 and server.times[1] - server.times[0] >= 1


def test_nobody_listens():
    for address in ("localhost:1", "http://localhost:1"):
        with pytest.raises(Unreachable, match="localhost:1.*refused"):
            ask(address, [b"x"])


@both
def test_model_version_and_headers_are_sent(protocol, server):
    server.answer = ones
    ask(getattr(server, protocol), [b"x"], model="a b/c?", version=3, headers={"authorization": "Bearer t"})
    assert server.models == [{"grpc": ("a b/c?", 3), "rest": "/v1/models/a%20b%2Fc%3F/versions/3:predict"}[protocol]]
    assert server.headers[0]["authorization"] == "Bearer t"


def _forever(handler, piece, *, head=True):
    if head:
        reply(handler, 200, b"", Content_Length=10**12)
    while True:
        handler.wfile.write(piece)
        time.sleep(0.1 if len(piece) == 1 else 0)


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (lambda n, h: _forever(h, b" "), "no answer within 0.5 seconds"),
        (lambda n, h: _forever(h, b"H", head=False), "no answer within 0.5 seconds"),
        (lambda n, h: reply(h, 503, b"", Retry_After="3600"), "no answer within 0.5 seconds"),
        (lambda n, h: _forever(h, b" " * 2**16), "more than 256 kB an image"),
        (lambda n, h: reply(h, 200, b"", Content_Length=9), "IncompleteRead"),
    ],
)
def test_a_deadline_is_of_the_whole_call_and_a_body_is_bounded(raw, error, server):
    server.raw, began = raw, time.monotonic()
    with pytest.raises(Unreachable, match=error):
        ask(server.rest, [b"x", b"y"], deadline=20 if "kB" in error else 0.5, retries=1)
    assert time.monotonic() - began < 15


def test_a_deadline_of_grpc(server):
    server.answer = lambda images: time.sleep(1.5)
    with pytest.raises(Unreachable, match="DEADLINE_EXCEEDED"):
        ask(server.grpc, [b"x"], deadline=0.2)


@both
def test_what_a_server_says_is_escaped_and_quotes_no_token(protocol, server):
    said = "\x1b]0;title\x07 \x1b[2J you sent Bearer hunter22, or hunter22" + " " * 60 + "hunter22" * 40
    server.answer = lambda images: (_ for _ in ()).throw(Wrong(grpc.StatusCode.NOT_FOUND, said))
    server.raw = lambda n, handler: reply(handler, 401, said.encode())
    with pytest.raises(Unreachable, match="you sent") as error:
        ask(getattr(server, protocol), [b"x"], headers={"authorization": "Bearer hunter22"})
    assert str(error.value).isprintable() and "hunter22" not in str(error.value) and server.batches == [1]


def test_images_and_token_follow_no_redirect(server):
    server.raw = lambda n, handler: reply(handler, 307, b"", Location="http://x/")
    with pytest.raises(Unreachable, match="moved to http://x/, give that as --server"):
        ask(server.rest, [b"x"])
    assert server.batches == [1]


def test_an_answer_that_is_no_features_ends_the_run(server):
    for body in (
        {"predictions": [[0.1, 0.2]] * 2},
        {"predictions": [{"face_aware": [10**400]}] * 2},
        {"predictions": [{"face_aware": [1.0] * i} for i in (1, 2)]},
        {"predictions": [ROW] * 3},
        b"[" * 200_000,
        b"<html>\nLog in to the guest network</html>",
    ):
        server.raw = lambda n, handler, body=body: reply(handler, 200, body)
        with pytest.raises(Unreachable, match="no face_aware of 2 rows of numbers; --model names") as error:
            ask(server.rest, [b"x", b"y"])
        assert server.batches.pop() == 2 and not server.batches and str(error.value).isprintable()
    for outputs in (
        {"embedding": np.zeros((2, 3))},
        {"face_aware": np.zeros((1, 3))},
        {"face_aware": tf.make_tensor_proto(1.0, shape=[2, 10**12])},  # one number on the wire
    ):
        server.answer = lambda images, outputs=outputs: outputs
        with pytest.raises(Unreachable, match="no face_aware of 2 rows of numbers; --model names"):
            ask(server.grpc, [b"x", b"y"])


def test_a_row_that_is_not_finite_is_no_feature(server):
    rows = [ROW, {"face_aware": [float("nan"), 1.0]}, {"face_aware": [None, 1.0]}, ROW]
    server.raw = lambda n, handler: reply(handler, 200, {"predictions": rows})
    found = ask(server.rest, [b"x", b"y", b"z", b"u"])
    assert found[1] == found[2] == "face_aware is not finite" and found[3].tolist() == [1, 2]


@pytest.mark.parametrize("status", [413, 500])
def test_where_everything_fails_the_server_is_at_fault(status, server):
    server.answer = ones
    server.raw = lambda n, handler: reply(handler, status, b"bug")
    for images in ([b"x", b"y"], [b"x"]):
        with pytest.raises(Unreachable, match=f"{status}.*bug"):
            ask(server.rest, images)
    server.raw = lambda n, h: reply(h, status, b"bug") if n > 1 else reply(h, 200, {"predictions": [ROW]})
    assert len(ask(server.rest, [b"x", b"y"])) == 2
    server.raw = None
    assert all("400" in answer for answer in ask(server.rest, [b"bad", b"bad"]))  # which is no fault of the server


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Paths of a key and a certificate for localhost, signed by itself."""
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the certificate")
    key, cert = (tmp_path_factory.mktemp("tls") / name for name in ("key.pem", "cert.pem"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, cert


def test_tls(certificate, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[1]))  # --tls_ca goes before it
    with Server(ones, tls=certificate) as server:
        for address in (server.grpc, server.rest):
            found = ask(address, [b"x"], tls_ca=str(certificate[1]), headers={"authorization": "Bearer t"})
            assert len(found[0]) == 2 and server.headers[-1]["authorization"] == "Bearer t"
        monkeypatch.delenv("REQUESTS_CA_BUNDLE")
        asked = len(server.batches)
        for address in (server.grpc, server.rest):  # by authorities that do not know it
            with pytest.raises(Unreachable):
                ask(address, [b"x"], tls=True, deadline=5, retries=0)
        assert len(server.batches) == asked


@pytest.fixture
def faces(tmp_path):
    """A folder of three images, the second of them unreadable."""
    (tmp_path / "faces").mkdir()
    for i in range(3):
        (tmp_path / f"faces/{i}.png").write_bytes(UNREADABLE if i == 1 else png(i))
    return tmp_path / "faces"


def test_the_command_writes_json_lines_and_arrays_of_files_and_zips(server, faces, saved_model, tmp_path):
    server.answer, out = saved_model, tmp_path / "new/e.npz"
    ended = done("client", f"--server={server.grpc}", faces, "--feature=pose", code=1)
    rows = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [r["image"] for r in rows] == [str(faces / f"{i}.png") for i in range(3)]
    assert "INVALID_ARGUMENT" in rows[1]["error"] and "2 of 3 images embedded" in ended.stderr
    for i in (0, 2):
        np.testing.assert_allclose(rows[i]["embedding"], saved_model([png(i)])["pose"][0], atol=1e-5)
    paths = [str(faces / "0.png"), str(zip_of(tmp_path / "more.zip", {"a/face.png": png(9)}))]
    done("client", f"--server={server.rest}", *paths, f"--out={out}")
    with np.load(out) as found:
        np.testing.assert_allclose(found["face_aware"], saved_model([png(0), png(9)])["face_aware"], atol=1e-5)
        assert found["names"].tolist() == [paths[0], f"{paths[1]}:a/face.png"]


@pytest.mark.parametrize("kind", ["npz", "jsonl"])
def test_answers_that_break_off_replace_no_whole_ones(kind, server, faces, tmp_path):
    server.answer, out = ones, tmp_path / f"e.{kind}"
    arguments = [f"--server={server.rest}", "--batch_size=2", "--retries=0", f"--out={out}", faces]
    done("client", *arguments)
    files = {path.name: path.read_bytes() for path in tmp_path.glob("e.*")}
    out.chmod(0o600)
    whole = lambda n, h: reply(h, 200, {"predictions": [ROW] * n})  # noqa: E731
    server.raw = lambda n, h: whole(n, h) if len(server.batches) < 4 else reply(h, 503, b"")
    assert "What came before is in" in done("client", *arguments, code=3).stderr
    assert {name: (tmp_path / name).read_bytes() for name in files} == files
    assert len((tmp_path / "e.partial.jsonl").read_text().splitlines()) == 2
    assert (tmp_path / "e.partial.jsonl").stat().st_mode & 0o777 == 0o600
    server.raw = lambda n, h: reply(h, 400, b"no face")
    done("client", *arguments, code=1)
    assert sorted(path.name for path in tmp_path.glob("e.*")) == sorted(files)
    assert out.stat().st_mode & 0o777 == 0o600
    assert kind != "npz" or not len(np.load(out)["names"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--server=h:1", "nowhere"], "error: nowhere: no such folder or file"),
        (["--server=h", "FACES"], "--server: is not host:port"),
        (["--server=http://user:secret@h:1", "FACES"], "--server: is not host:port"),
        (["--server=http://h", "--tls", "FACES"], "write https://"),
        (["--server=https://h", "--tls_ca=/nowhere.pem", "FACES"], "/nowhere.pem"),
        (["--server=h:1", "--header=Bearer secret", "FACES"], "KEY:VALUE"),
        (["--server=h:1", "--header=token:sec\nret", "FACES"], "KEY:VALUE"),
        (["--server=h:1", "FACES", "--out=a.csv"], "--out=a.csv"),
    ],
)
def test_the_command_refuses_with_a_line_that_tells_no_secret(arguments, said, faces):
    line = refused("client", *[a.replace("FACES", str(faces)) for a in arguments])
    assert said in line and "sec" not in line


def test_the_client_brings_no_networks_with_it():
    script = "import sys, pcl_tf.client; sys.exit('pcl_tf.networks' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode == 0
