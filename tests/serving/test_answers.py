"""The client against servers that answer something else: other models, proxies in between, TLS and tokens."""

import concurrent.futures
import contextlib
import http.server
import json
import shutil
import ssl
import subprocess
import threading

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from pcl_tf.serving.answers import Failed, ServerError, Unavailable, features
from pcl_tf.serving.requests import embed
from pcl_tf.serving.transport import connect
from tests.helpers.commands import ended, refused

ROW = {"face_aware": [1.0, 2.0], "face": [1.0], "pose": [2.0]}
NEEDED = ("face_aware",)


class Stub:
    """An HTTP server that answers with what ``answer(count, headers)`` gives: (status, headers, body)."""

    def __init__(self, context=None):
        self.answer, self.asked, self.headers = None, [], []
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                stub.asked.append(len(body["instances"]))
                stub.headers.append(dict(self.headers.items()))
                status, headers, said = stub.answer(len(body["instances"]))
                said = said if isinstance(said, bytes) else json.dumps(said).encode()
                self.send_response(status)
                for name, value in {"Content-Length": len(said), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(ConnectionError):
                    self.wfile.write(said)

            do_GET = do_POST

            def log_message(self, *_):
                """Nothing: the tests' output is theirs."""

        self.http = http.server.ThreadingHTTPServer(("localhost", 0), Handler)
        self.http.handle_error = lambda *_: None  # clients that do not trust it hang up
        scheme = "http"
        if context:
            self.http.socket, scheme = context.wrap_socket(self.http.socket, server_side=True), "https"
        self.address = f"{scheme}://localhost:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def stubs():
    stub = Stub()
    yield stub
    stub.http.shutdown()
    stub.http.server_close()


@pytest.fixture
def stub(stubs):
    stubs.asked.clear()
    stubs.headers.clear()
    return stubs


def rows(count, row=None):
    return {"predictions": [row or ROW] * count}


def ask(stub, images, waits=None, **options):
    sleep = waits.append if waits is not None else lambda _: None
    return [a for _, a in embed(connect(stub.address, needed=NEEDED), enumerate(images), sleep=sleep, **options)]


@pytest.mark.parametrize(
    "body, said",
    [
        (lambda n: rows(n, [0.1, 0.2]), "one output without a name"),
        (lambda n: rows(n, 0.5), "one output without a name"),
        (lambda n: rows(n, {"embedding": [1.0], "score": [2.0]}), "gives embedding, score, not face_aware"),
        (lambda n: rows(n, {"face_aware": 0.5}), r"face_aware is \[\] an image"),
        (lambda n: rows(n, {"face_aware": [[1.0]]}), r"face_aware is \[1, 1\] an image"),
        (lambda n: rows(n, {"face_aware": []}), r"face_aware is \[0\] an image"),
        (lambda n: rows(n, {"face_aware": ["a"]}), "no row of numbers"),
        (lambda n: rows(n, {"face_aware": {"b64": ""}}), "no row of numbers"),
        (lambda n: {"predictions": [ROW, {"face_aware": [1.0]}][:n]}, "different outputs"),
        (lambda n: {"predictions": [{"face_aware": [1.0] * (i + 1)} for i in range(n)]}, "no row of numbers"),
        (lambda n: rows(n - 1), "1 rows for 2 images"),
        (lambda n: rows(n + 1), "3 rows for 2 images"),
        (lambda n: rows(0), "0 rows for 2 images"),
        (lambda n: [ROW] * n, "'predictions' is missing"),
        (lambda n: None, "'predictions' is missing"),
        (lambda n: {"predictions": None}, "'predictions' is missing"),
        (lambda n: {"predictions": rows(n)}, "'predictions' is missing"),
        (lambda n: {"error": "quota"}, "'predictions' is missing: quota"),
        (lambda n: {"outputs": {"face_aware": [[1.0]] * n}}, "'predictions' is missing"),
        (lambda n: b"<html>\nLog in to the guest network</html>", "begins '<html> Log in"),
        (lambda n: b"", "no answer of TensorFlow Serving"),
        (lambda n: b"\xff\xfe{", "no answer of TensorFlow Serving"),
        (lambda n: json.dumps(rows(n)).encode()[:-5], "no answer of TensorFlow Serving"),
    ],
)
def test_answers_that_are_no_features(body, said, stub):
    stub.answer = lambda n: (200, {}, body(n))
    with pytest.raises(ServerError, match=said) as error:
        ask(stub, [b"a", b"b"])
    assert not isinstance(error.value, Unavailable | Failed) and "\n" not in str(error.value)
    assert stub.asked == [2]


@pytest.mark.parametrize("wrong", [float("nan"), float("-inf"), None])
def test_what_is_not_finite_is_no_feature(wrong, stub):
    bad = {**ROW, "face_aware": [wrong, 1.0]}
    stub.answer = lambda n: (200, {}, {"predictions": [ROW, bad, ROW][:n]})
    found = ask(stub, [b"a", b"b", b"c"])
    assert found[1] == "the model's face_aware is not finite"
    np.testing.assert_array_equal(found[2]["face_aware"], [1, 2])


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_what_is_worth_another_try(status, stub):
    answers, waits = [(status, {}, b"<html>later</html>")] * 2 + [(200, {}, rows(1))], []
    stub.answer = lambda n: answers.pop(0)
    assert isinstance(ask(stub, [b"a"], waits, wait=0.5)[0], dict) and waits == [0.5, 1.0]
    stub.answer = lambda n: (status, {}, {"error": "later"})
    with pytest.raises(Unavailable, match=f"{status}: later"):
        ask(stub, [b"a"], retries=1)


@pytest.mark.parametrize(
    "after, least, most",
    [("7", 7, 7), ("0", 0.5, 0.5), ("-3", 0.5, 0.5), ("1e9", 600, 600), ("soon", 0.5, 0.5), ("nan", 0.5, 0.5),
     ("Wed, 01 Jan 2200 00:00:00 GMT", 600, 600), ("Sat, 01 Jan 2000 00:00:00 GMT", 0.5, 0.5)],
)  # fmt: skip
def test_a_server_that_says_how_long_is_left_alone_so_long(after, least, most, stub):
    answers, waits = [(429, {"Retry-After": after}, b""), (200, {}, rows(1))], []
    stub.answer = lambda n: answers.pop(0)
    ask(stub, [b"a"], waits, wait=0.5)
    assert least <= waits[0] <= most


@pytest.mark.parametrize("status", [400, 413, 500])
def test_a_batch_that_fails_is_asked_again_one_by_one(status, stub):
    answers = [(status, {}, {"error": "no"}), (200, {}, rows(1)), (status, {}, {"error": "no"}), (200, {}, rows(1))]
    stub.answer = lambda n: answers.pop(0)
    found = ask(stub, [b"a", b"b", b"c"])
    assert stub.asked == [3, 1, 1, 1] and f"{status}: no" in found[1]
    assert isinstance(found[0], dict) and isinstance(found[2], dict)


def test_a_server_that_fails_at_everything_ends_the_run(stub):
    stub.answer = lambda n: (500, {}, {"error": "bug"})
    for images in ([b"a", b"b"], [b"a"]):
        with pytest.raises(Failed, match="500: bug"):
            ask(stub, images)
    stub.answer = lambda n: (400, {}, {"error": "no image"})  # bad images are no fault of the server
    assert all("no image" in answer for answer in ask(stub, [b"a", b"b"]))


@pytest.mark.parametrize(
    "status, said", [(401, "401: who"), (404, "404: who"), (307, "moved to http://x/;"), (301, "moved to")]
)
def test_what_is_final(status, said, stub):
    stub.answer = lambda n: (status, {"Location": "http://x/"}, {"error": "who\nare you"})
    with pytest.raises(ServerError, match=said) as error:
        ask(stub, [b"a"])
    assert stub.asked == [1] and "\n" not in str(error.value) and not isinstance(error.value, Unavailable)


def test_another_model_on_the_way_is_noticed(stub):
    answers = [(200, {}, rows(1)), (200, {}, rows(1, {"face_aware": [1.0, 2.0, 3.0]}))]
    stub.answer = lambda n: answers.pop(0)
    with pytest.raises(ServerError, match="face_aware had 2 numbers, now 3"):
        ask(stub, [b"a", b"b"], batch=1)


def test_names_of_models_are_quoted(stub):
    assert connect(stub.address, model="a b/c?").url.endswith("/v1/models/a%20b%2Fc%3F:predict")


def test_a_token_goes_with_every_request(stub):
    stub.answer = lambda n: (200, {}, rows(n))
    headers = {"authorization": "Bearer t"}
    list(embed(connect(stub.address, headers=headers), enumerate([b"a", b"b"]), batch=1))
    assert [h["Authorization"] for h in stub.headers] == ["Bearer t"] * 2


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Paths of a key and a certificate for localhost, signed by itself."""
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, cert


def test_https(certificate):
    key, cert = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    stub = Stub(context)
    stub.answer = lambda n: (200, {}, rows(n))
    try:
        found = connect(stub.address, ca=str(cert)).predict([b"a"])
        np.testing.assert_array_equal(found["face_aware"], [[1, 2]])
        with pytest.raises(ServerError, match="(?i)certificate") as error:
            connect(stub.address).predict([b"a"])
        assert not isinstance(error.value, Unavailable)  # trying again does not help
    finally:
        stub.http.shutdown()
        stub.http.server_close()


class Service:
    """PredictionService of one answer: ``answer(count)`` gives {name: array}, or raises (status, text)."""

    def __init__(self, credentials=None):
        self.answer, self.metadata = None, []
        handler = grpc.unary_unary_rpc_method_handler(
            self.predict, predict_pb2.PredictRequest.FromString, predict_pb2.PredictResponse.SerializeToString
        )
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
        name = "tensorflow.serving.PredictionService"
        self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(name, {"Predict": handler})])
        add = self.server.add_secure_port if credentials else self.server.add_insecure_port
        self.address = f"localhost:{add('localhost:0', *([credentials] if credentials else []))}"
        self.server.start()

    def predict(self, request, context):
        self.metadata.append(dict(context.invocation_metadata()))
        found = self.answer(request.inputs["image_bytes"].tensor_shape.dim[0].size)
        if isinstance(found, tuple):
            context.abort(*found)
        reply = predict_pb2.PredictResponse()
        for key, value in found.items():
            reply.outputs[key].CopyFrom(tf.make_tensor_proto(value))
        return reply


@pytest.fixture
def service():
    service = Service()
    yield service
    service.server.stop(None)


@pytest.mark.parametrize(
    "outputs, said",
    [
        ({"embedding": np.zeros((2, 3))}, "gives embedding, not face_aware"),
        ({}, "gives nothing, not face_aware"),
        ({"face_aware": np.zeros((1, 3))}, "1 rows of face_aware for 2 images"),
        ({"face_aware": np.float32(1)}, "no rows of face_aware"),
        ({"face_aware": np.zeros(2)}, r"face_aware is \[\] an image"),
        ({"face_aware": np.array([b"a", b"b"])}, "no row of numbers"),
    ],
)
def test_other_models_over_grpc(outputs, said, service):
    service.answer = lambda n: outputs
    with pytest.raises(ServerError, match=said):
        ask(service, [b"a", b"b"])


def test_failures_over_grpc(service):
    code = grpc.StatusCode
    answers = [(code.INTERNAL, "x"), {"face_aware": np.ones((1, 2))}, (code.INTERNAL, "x\ny")]
    service.answer = lambda n: answers.pop(0)
    found = ask(service, [b"a", b"b"])
    assert isinstance(found[0], dict) and found[1].endswith("INTERNAL: x y")
    service.answer = lambda n: (code.UNAUTHENTICATED, "who are you")
    with pytest.raises(ServerError, match="UNAUTHENTICATED") as error:
        ask(service, [b"a", b"b"])
    assert not isinstance(error.value, Unavailable | Failed)


def test_grpc_with_tls_and_a_token(certificate):
    key, cert = (path.read_bytes() for path in certificate)
    service = Service(grpc.ssl_server_credentials([(key, cert)]))
    service.answer = lambda n: {"face_aware": np.ones((n, 2))}
    try:
        there = connect(service.address, ca=str(certificate[1]), headers={"authorization": "Bearer t"}, deadline=20)
        assert there.predict([b"a"])["face_aware"].shape == (1, 2)
        assert service.metadata[0]["authorization"] == "Bearer t"
        for other in ({}, {"tls": True}):  # in clear, and by authorities that do not know it
            with pytest.raises(ServerError):
                connect(service.address, deadline=3, **other).predict([b"a"])
    finally:
        service.server.stop(None)


def test_features_are_float32():
    found = features({"a": np.ones((2, 3), np.float64), "b": np.ones((2, 1), np.int8)}, 2, ())
    assert {v.dtype for v in found.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--server=http://h", "--tls"], "write https://"),
        (["--server=http://h", "--tls_ca=CERT"], "write https://"),
        (["--server=https://h", "--tls_ca=/nowhere.pem"], "--tls_ca=/nowhere.pem"),
        (["--server=h:1", "--tls", "--tls_ca=FACE"], "no certificates in PEM"),
        (["--server=h:1", "--header=Bearer secret"], "KEY:VALUE"),
        (["--server=h:1", "--header=:secret"], "KEY:VALUE"),
        (["--server=h:1", "--header=a b:secret"], "KEY:VALUE"),
        (["--server=h:1", "--header=token:secr\u00e9t"], "KEY:VALUE"),
        (["--server=h:1", "--header=token:sec\nret"], "KEY:VALUE"),
        (["--server=h:1", "--header=content-type:secret"], "the protocol's own"),
        (["--server=http://h/?a=secret"], "no '?'"),
    ],
)
def test_the_command_refuses_with_a_line_that_tells_no_secret(arguments, said, tmp_path):
    face = tmp_path / "face.jpg"
    face.write_bytes(b"x")
    arguments = [a.replace("FACE", str(face)) for a in arguments]
    err = refused("client", *arguments, face)
    assert said in err
    assert "secret" not in err or "?a=" in err


def test_the_commands_exit_codes(stub, tmp_path):
    face = tmp_path / "face.jpg"
    face.write_bytes(b"x")
    command = [f"--server={stub.address}", "--retries=0", str(face), str(face)]
    stub.answer = lambda n: (200, {}, rows(n, [0.1]))
    code, _, err = ended("client", *command)
    assert code == 3 and "one output without a name" in err and "Traceback" not in err
    stub.answer = lambda n: (502, {}, b"<html>Bad Gateway</html>")
    assert ended("client", *command)[0] == 3
    stub.answer = lambda n: (500, {}, b"")
    assert ended("client", *command)[0] == 3
    stub.answer = lambda n: (200, {}, rows(n, {"face_aware": [float("inf")]}))
    assert ended("client", *command)[0] == 1
    (tmp_path / "out.jsonl").write_text("of an earlier run")
    stub.answer = lambda n: (500, {}, b"")
    assert ended("client", *command, f"--out={tmp_path / 'out.jsonl'}")[0] == 3
    assert (tmp_path / "out.jsonl").read_text() == "of an earlier run"
    stub.answer = lambda n: (200, {}, rows(n))
    assert ended("client", *command, "--header=authorization:Bearer t")[0] == 0
    assert stub.headers[-1]["Authorization"] == "Bearer t"
    assert ended("client", *command, f"--out={tmp_path / 'new/out.jsonl'}")[0] == 0
    assert len((tmp_path / "new/out.jsonl").read_text().splitlines()) == 2
