"""One request to a TensorFlow Serving server, over gRPC or REST: encoded images in, features out."""

import base64
import datetime
import email.utils
import http.client
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pcl_tf.serving.answers import Failed, Rejected, ServerError, Unavailable, features, rows_as_columns

SIGNATURE = "serving_default"
_LONGEST = 600.0  # seconds that a server may ask to be left alone


class Grpc:
    """TF Serving's PredictionService.

    Args:
      address: 'host:port'.
      model: name the server knows the model by.
      version: number, or None for the server's newest.
      deadline: seconds a request may take.
      needed: names of the features that must come back; without, all that come.
      headers: {lower-case name: text} sent with every request, for instance a token.
      tls: whether the connection is encrypted.
      ca: path of the PEM certificates by which the server is known; '' for the machine's own.
    """

    def __init__(
        self,
        address: str,
        model: str = "pcl",
        *,
        version: int | None = None,
        deadline: float = 30.0,
        needed: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        tls: bool = False,
        ca: str = "",
    ) -> None:
        import grpc
        from tensorflow_serving.apis import prediction_service_pb2_grpc

        options = {
            "grpc.max_receive_message_length": -1,  # the default of 4 MB is less than the features of 170 images
            "grpc.max_send_message_length": -1,
            "grpc.max_reconnect_backoff_ms": 2000,  # the channel must not sleep through our own attempts
        }
        if tls or ca:
            roots = open(ca, "rb").read() if ca else None
            self._channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(roots), list(options.items()))
        else:
            self._channel = grpc.insecure_channel(address, list(options.items()))
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self.address, self.model, self.version, self.deadline = address, model, version, deadline
        self.needed, self.metadata = needed, tuple((headers or {}).items())

    def predict(self, images: list[bytes]) -> dict[str, np.ndarray]:
        """Features of some images.

        Args:
          images: list of n encoded images (bytes).

        Returns:
          {name: float32 [n, D]}.

        Raises:
          Rejected, Unavailable, Failed, ServerError.
        """
        import grpc
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        request.model_spec.name = self.model
        request.model_spec.signature_name = SIGNATURE
        if self.version is not None:
            request.model_spec.version.value = self.version
        request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto(images, tf.string, [len(images)]))
        try:
            reply = self._stub.Predict(request, timeout=self.deadline, metadata=self.metadata)
        except grpc.RpcError as error:
            code = grpc.StatusCode
            kinds = {
                code.INVALID_ARGUMENT: Rejected,
                code.UNAVAILABLE: Unavailable,  # also what the server's batching answers when its queue is full
                code.ABORTED: Unavailable,
                code.INTERNAL: Failed,
                code.UNKNOWN: Failed,
                code.RESOURCE_EXHAUSTED: Failed,  # the request is larger than the server takes
            }
            said = " ".join(str(error.details()).split())
            raise kinds.get(error.code(), ServerError)(f"{self.address}: {error.code().name}: {said}") from error
        try:
            outputs = {name: tf.make_ndarray(value) for name, value in reply.outputs.items()}
            return features(outputs, len(images), self.needed)
        except (ServerError, TypeError, ValueError) as error:
            raise ServerError(f"{self.address}: {error}") from error


class Rest:
    """TF Serving's REST interface.

    Args:
      address: 'http://host:port' or 'https://host'.
      model, version, deadline, needed, headers, ca: as for ``Grpc``.
    """

    def __init__(
        self,
        address: str,
        model: str = "pcl",
        *,
        version: int | None = None,
        deadline: float = 30.0,
        needed: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        ca: str = "",
    ) -> None:
        number = "" if version is None else f"/versions/{version}"
        self.url = f"{address.rstrip('/')}/v1/models/{urllib.parse.quote(model, safe='')}{number}:predict"
        self.deadline, self.needed = deadline, needed
        self.headers = {"Content-Type": "application/json", **(headers or {})}
        secure = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca or None))
        self._open = urllib.request.build_opener(secure, _Stay).open

    def predict(self, images: list[bytes]) -> dict[str, np.ndarray]:
        """As ``Grpc.predict``."""
        instances = [{"b64": base64.b64encode(image).decode()} for image in images]
        body = json.dumps({"signature_name": SIGNATURE, "instances": instances}).encode()
        try:
            with self._open(urllib.request.Request(self.url, body, self.headers), timeout=self.deadline) as reply:
                said = reply.read()
        except urllib.error.HTTPError as error:
            raise self._wrong(error) from error
        except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
            reason = getattr(error, "reason", error)
            final = isinstance(reason, TimeoutError | ssl.SSLError)
            raise (ServerError if final else Unavailable)(f"{self.url}: {str(reason) or repr(reason)}") from error
        try:
            return features(rows_as_columns(json.loads(said), len(images)), len(images), self.needed)
        except ValueError as error:
            begins = " ".join(said[:60].decode(errors="replace").split())
            raise ServerError(f"{self.url}: no answer of TensorFlow Serving, it begins {begins!r}.") from error
        except ServerError as error:
            raise ServerError(f"{self.url}: {error}") from error

    def _wrong(self, error: urllib.error.HTTPError) -> ServerError:
        """The exception that an HTTP status stands for."""
        kinds = {400: Rejected, 413: Failed, 500: Failed} | dict.fromkeys((408, 429, 502, 503, 504), Unavailable)
        kind, moved = kinds.get(error.code, ServerError), error.headers.get("Location")
        said = f"moved to {moved}; give that as --server" if 300 <= error.code < 400 else _said(error)
        wrong: Any = kind(f"{self.url}: {error.code}: {said or error.reason}")
        if kind is Unavailable:
            wrong.after = _seconds(error.headers.get("Retry-After"))
        return wrong


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nobody: the images and the token in the headers are for the server that was named."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _said(error: urllib.error.HTTPError) -> str:
    """The message in the body of an HTTP error, in a line."""
    try:
        body = error.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return ""
    try:
        text = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        text = body
    return " ".join(str(text).split())[:200]


def _seconds(retry_after: Any) -> float:
    """Seconds of a Retry-After header, which holds seconds or a date; 0 where it says nothing."""
    try:
        wait = float(retry_after)
    except (TypeError, ValueError):
        try:
            until = email.utils.parsedate_to_datetime(retry_after)
            wait = (until - datetime.datetime.now(datetime.UTC)).total_seconds()
        except (TypeError, ValueError):  # none, or no date
            return 0.0
    return min(max(wait, 0.0), _LONGEST) if wait == wait else 0.0


def connect(
    server: str,
    *,
    model: str = "pcl",
    version: int | None = None,
    deadline: float = 30.0,
    needed: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
    tls: bool = False,
    ca: str = "",
) -> Grpc | Rest:
    """``Rest`` for an address that starts with http:// or https://, else ``Grpc``."""
    if server.startswith(("http://", "https://")):
        return Rest(server, model, version=version, deadline=deadline, needed=needed, headers=headers, ca=ca)
    return Grpc(server, model, version=version, deadline=deadline, needed=needed, headers=headers, tls=tls, ca=ca)
