"""Sends images to a TensorFlow Serving server, over gRPC or REST, and receives features. Asks again while the server is
away, and image by image if one is unreadable. Answers are bounded in bytes and seconds, and checked."""

import base64
import dataclasses
import itertools
import json
import math
import pathlib
import threading
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from typing import TypeVar

import numpy as np
import requests
import urllib3

from pcl_tf.data.files import printable
from pcl_tf.data.sources import Item
from pcl_tf.errors import Unreachable

SIGNATURE = "serving_default"
LARGEST = 1 << 18  # bytes of an answer for each image: three features of 2,048 numbers of 20 digits are 140 kB
Request = Callable[[list[bytes]], np.ndarray]
Result = TypeVar("Result")


class Failed(Exception):
    """The server failed at a request, or it is too large for it: a smaller one may succeed."""


class Rejected(Failed):
    """The server found something wrong with the images of a request."""


@dataclasses.dataclass(frozen=True)
class Server:
    """Where a model is served, and how it is asked.

    Attributes:
      address: 'host:port' of gRPC; 'http://host:port' or 'https://host' of REST.
      model: name the server knows the model by.
      version: number, or None for the server's newest.
      feature: 'face_aware', 'face' or 'pose'.
      batch_size: images of a request.
      deadline: seconds that a request may take, with all its attempts and the waits between them.
      retries: how often a request is sent again while the server is away; over gRPC at most 4.
      wait: seconds between attempts, doubled each time; longer where the server says so.
      tls: whether gRPC is encrypted.
      tls_ca: path of the PEM certificates by which the server is known; '' for those that the libraries bring.
      headers: {lower-case name: text} sent with every request, for instance a token.
    """

    address: str
    model: str = "pcl"
    version: int | None = None
    feature: str = "face_aware"
    batch_size: int = 32
    deadline: float = 60.0
    retries: int = 4
    wait: float = 0.5
    tls: bool = False
    tls_ca: str = ""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)

    def connect(self) -> Request:
        """Returns a function from encoded images, list of n bytes, to features float32 [n, D].

        It raises Rejected or Failed if a request of other images may succeed, and Unreachable if none will.
        """
        return _rest(self) if self.address.startswith(("http://", "https://")) else _grpc(self)

    def line(self, text: object) -> str:
        """A line about the server: its text escaped, cut to 300 characters, without secrets of the headers."""
        line = " ".join(str(text).replace("\\/", "/").split())
        for secret in (part for value in self.headers.values() for part in (value, *value.split()) if len(part) > 3):
            line = line.replace(secret, "***")
        return f"{self.address}: {printable(line)[:300]}"

    def features(self, read: Callable[[], object], count: int, begins: str) -> np.ndarray:
        """What read returns, as float32 [count, D]; otherwise raises Unreachable, with the beginning of the answer."""
        try:
            rows = np.asarray(read(), np.float32)
            if rows.ndim != 2 or len(rows) != count or not rows.shape[1]:
                raise ValueError
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            what = f"its answer has no {self.feature} of {count} rows of numbers; --model names an export of pcl_tf."
            raise Unreachable(self.line(f"{what} It begins {begins!r}")) from error
        return rows


def embed(server: Server, items: Iterable[Item]) -> Iterator[tuple[str, np.ndarray | str]]:
    """Sends images in batches and yields what comes back, in order.

    A batch that the server refuses, or fails at, is sent again image by image, so that one unreadable image does not
    cost the features of the others.

    Args:
      server: which, and how.
      items: (name, bytes), or (name, exception) of an unreadable image.

    Yields:
      (name, float32 [D]) or (name, str: why there is none).

    Raises:
      Unreachable: the server is away, fails at everything, or answers with something else than such features.
    """
    request, any_answer = server.connect(), False

    def rows(images: list[bytes]) -> list[np.ndarray | Failed]:
        try:
            values = request(images)
        except Failed as failed:
            return [row for image in images for row in rows([image])] if len(images) > 1 else [failed]
        return [row if np.isfinite(row).all() else Rejected(f"{server.feature} is not finite") for row in values]

    items = iter(items)
    while chunk := list(itertools.islice(items, server.batch_size)):
        readable = [data for _, data in chunk if isinstance(data, bytes)]
        answers = rows(readable) if readable else []
        # If every request fails, it is the server and not the images.
        if answers and all(type(row) is Failed for row in answers) and (len(answers) > 1 or not any_answer):
            raise Unreachable(str(answers[-1]))
        any_answer = any_answer or bool(answers)
        rest = iter(answers)
        for name, data in chunk:
            answer = next(rest) if isinstance(data, bytes) else data
            yield name, answer if isinstance(answer, np.ndarray) else str(answer)


def _grpc(server: Server) -> Request:
    """Requests to TensorFlow Serving's PredictionService; raises OSError where the certificates cannot be read."""
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    policy = {
        "maxAttempts": server.retries + 1,
        "initialBackoff": f"{max(server.wait, 0.001):.3f}s",
        "maxBackoff": "30s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE", "ABORTED"],  # UNAVAILABLE is a full queue of batching too
    }
    config = {"methodConfig": [{"name": [{}], "retryPolicy": policy}] if server.retries else []}
    options = [
        ("grpc.service_config", json.dumps(config)),
        ("grpc.max_receive_message_length", LARGEST * server.batch_size),
        ("grpc.max_reconnect_backoff_ms", 2000),  # else the channel sleeps through the attempts
    ]
    if server.tls or server.tls_ca:
        roots = pathlib.Path(server.tls_ca).read_bytes() if server.tls_ca else None
        channel = grpc.secure_channel(server.address, grpc.ssl_channel_credentials(roots), options)
    else:
        channel = grpc.insecure_channel(server.address, options)
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    kinds = {"INVALID_ARGUMENT": Rejected, "INTERNAL": Failed, "UNKNOWN": Failed, "RESOURCE_EXHAUSTED": Failed}

    def request(images: list[bytes]) -> np.ndarray:
        message = predict_pb2.PredictRequest()
        message.model_spec.name, message.model_spec.signature_name = server.model, SIGNATURE
        if server.version is not None:
            message.model_spec.version.value = server.version
        message.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto(images, tf.string, [len(images)]))
        try:
            outputs = stub.Predict(message, timeout=server.deadline, metadata=tuple(server.headers.items())).outputs
        except grpc.RpcError as error:
            code = error.code().name
            raise kinds.get(code, Unreachable)(server.line(f"{code}: {error.details()}")) from error
        names, tensor = ", ".join(outputs), outputs[server.feature]

        def read() -> np.ndarray:
            size = math.prod(dim.size for dim in tensor.tensor_shape.dim)
            if size * 4 > LARGEST * len(images):  # a few bytes declare any number of equal values
                raise ValueError
            return tf.make_ndarray(tensor)

        return server.features(read, len(images), names)

    return request


def _rest(server: Server) -> Request:
    """Requests to TensorFlow Serving's REST interface."""
    number = "" if server.version is None else f"/versions/{server.version}"
    url = f"{server.address.rstrip('/')}/v1/models/{urllib.parse.quote(server.model, safe='')}{number}:predict"
    retry = urllib3.Retry(
        server.retries,
        allowed_methods=None,  # a prediction is a POST, and may be sent twice
        status_forcelist=(408, 429, 502, 503, 504),
        backoff_factor=server.wait,
        raise_on_status=False,
        respect_retry_after_header=True,
    )
    session = requests.Session()
    session.mount(server.address, requests.adapters.HTTPAdapter(max_retries=retry))
    session.headers.update({"Accept-Encoding": "identity", **server.headers})
    session.auth = lambda request: request  # else a password of ~/.netrc goes in place of the token in headers

    def answer(images: list[bytes]) -> tuple[requests.Response, bytes]:
        rows = [{"b64": base64.b64encode(image).decode()} for image in images]
        with session.post(
            url,
            json={"signature_name": SIGNATURE, "instances": rows},
            timeout=server.deadline,
            verify=server.tls_ca or True,
            allow_redirects=False,  # images and token are for the server that was named
            stream=True,
        ) as reply:
            return reply, reply.raw.read(LARGEST * len(images) + 1)

    def request(images: list[bytes]) -> np.ndarray:
        try:
            reply, received = _within(server.deadline, lambda: answer(images))
        except TimeoutError as error:
            raise Unreachable(server.line(f"no answer within {server.deadline:g} seconds (--deadline)")) from error
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            reason = getattr(error.args[0] if error.args else None, "reason", None)
            raise Unreachable(server.line(reason or error)) from error
        # Longer than the line that is printed, so that its cut leaves no part of a token.
        begins = received[:4096].decode(errors="replace")
        if reply.status_code != 200:
            kind = {400: Rejected, 413: Failed, 500: Failed}.get(reply.status_code, Unreachable)
            moved = f"moved to {reply.headers.get('Location')}, give that as --server " if reply.is_redirect else ""
            raise kind(server.line(f"{reply.status_code} {reply.reason}: {moved}{begins}"))
        if len(received) > LARGEST * len(images):
            raise Unreachable(server.line(f"more than {LARGEST >> 10} kB an image are no features"))
        return server.features(
            lambda: [row[server.feature] for row in json.loads(received)["predictions"]], len(images), begins
        )

    return request


def _within(seconds: float, do: Callable[[], Result]) -> Result:
    """What do returns or raises, or TimeoutError. A thread waits: time-outs of sockets begin again with every byte."""
    result: Future[Result] = Future()

    def run() -> None:
        try:
            result.set_result(do())
        except BaseException as error:
            result.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return result.result(seconds)
