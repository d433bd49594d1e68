"""One request to a TensorFlow Serving server, over gRPC or REST: encoded images in, features out."""

import base64
import http.client
import json
import urllib.error
import urllib.request

import numpy as np

SIGNATURE = "serving_default"


class ServerError(Exception):
    """The server cannot answer requests like this one; what it said is in args."""


class Unavailable(ServerError):
    """The server cannot answer now: it may later."""


class Refused(ServerError):
    """The server found something wrong with the images of a request."""


class Grpc:
    """TF Serving's PredictionService.

    Args:
      address: 'host:port'.
      model: name the server knows the model by.
      version: number, or None for the server's newest.
      deadline: seconds a request may take.
    """

    def __init__(self, address, model="pcl", version=None, deadline=30.0):
        import grpc
        from tensorflow_serving.apis import prediction_service_pb2_grpc

        options = {
            "grpc.max_receive_message_length": -1,  # the default of 4 MB is less than the features of 170 images
            "grpc.max_send_message_length": -1,
            "grpc.max_reconnect_backoff_ms": 2000,  # the channel must not sleep through our own attempts
        }
        self._channel = grpc.insecure_channel(address, list(options.items()))
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self.address, self.model, self.version, self.deadline = address, model, version, deadline

    def predict(self, images):
        """Features of some images.

        Args:
          images: list of n encoded images (bytes).

        Returns:
          {name: float32 [n, D]}.

        Raises:
          Refused, Unavailable, ServerError.
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
            reply = self._stub.Predict(request, timeout=self.deadline)
        except grpc.RpcError as error:
            text = f"{self.address}: {error.code().name}: {error.details()}"
            # UNAVAILABLE is also what the server's batching answers when its queue is full.
            kinds = {grpc.StatusCode.INVALID_ARGUMENT: Refused, grpc.StatusCode.UNAVAILABLE: Unavailable}
            raise kinds.get(error.code(), ServerError)(text) from error
        return {name: tf.make_ndarray(value) for name, value in reply.outputs.items()}


class Rest:
    """TF Serving's REST interface.

    Args:
      address: 'http://host:port'.
      model, version, deadline: as for ``Grpc``.
    """

    def __init__(self, address, model="pcl", version=None, deadline=30.0):
        number = "" if version is None else f"/versions/{version}"
        self.url = f"{address.rstrip('/')}/v1/models/{model}{number}:predict"
        self.deadline = deadline

    def predict(self, images):
        """As ``Grpc.predict``."""
        instances = [{"b64": base64.b64encode(image).decode()} for image in images]
        body = json.dumps({"signature_name": SIGNATURE, "instances": instances}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=self.deadline) as reply:
                rows = json.load(reply)["predictions"]
        except urllib.error.HTTPError as error:
            text = f"{self.url}: {error.code}: {_said(error)}"
            raise {400: Refused, 503: Unavailable}.get(error.code, ServerError)(text) from error
        except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
            reason = getattr(error, "reason", error)
            kind = ServerError if isinstance(reason, TimeoutError) else Unavailable
            raise kind(f"{self.url}: {reason!s}") from error
        except (ValueError, KeyError) as error:
            raise ServerError(f"{self.url}: no answer of TensorFlow Serving ({error}).") from error
        return {name: np.array([row[name] for row in rows], np.float32) for name in rows[0]}


def _said(error):
    """The message in the body of an HTTP error."""
    body = error.read().decode(errors="replace")
    try:
        return json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return body[:200]


def connect(server, model="pcl", version=None, deadline=30.0):
    """``Rest`` for an address that starts with http:// or https://, else ``Grpc``."""
    kind = Rest if server.startswith(("http://", "https://")) else Grpc
    return kind(server, model, version, deadline)
