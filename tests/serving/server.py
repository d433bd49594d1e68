"""A small TensorFlow Serving: one function from images to features, over the real protos of gRPC and over REST.

The real server cannot be installed by pip; test_kserve.py asks one that is not ours.
"""

import base64
import concurrent.futures
import contextlib
import http.server
import json
import ssl
import threading
import time

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

HTTP = {3: 400, 5: 404, 13: 500, 14: 503}  # of gRPC's INVALID_ARGUMENT, NOT_FOUND, INTERNAL, UNAVAILABLE


class Wrong(Exception):
    """Args: grpc.StatusCode, message."""


class Server(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Serves until the context ends.

    Args:
      tls: paths of a key and a certificate, or None.

    Attributes:
      grpc, rest: addresses.
      answer: function from a list of images to {name: array}; it may raise Wrong.
      raw: instead of it for REST, a function that takes the number of images and the handler of http.server.
      batches, times, headers, models: of the requests that came.
    """

    def __init__(self, answer=None, tls=None):
        self.answer, self.raw = answer, None
        self.batches, self.times, self.headers, self.models = [], [], [], []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                images = [base64.b64decode(row["b64"]) for row in body["instances"]]
                with contextlib.suppress(OSError):  # a client whose deadline has passed no longer listens
                    if server.raw:
                        server.note(len(images), self.headers, self.path)
                        server.raw(len(images), self)
                    else:
                        reply(self, *server.rest_answer(images, self))

            def log_message(self, *_):
                """Nothing: the tests' output is theirs."""

        self._http = http.server.ThreadingHTTPServer(("localhost", 0), Handler)
        self._http.handle_error = lambda *_: None  # clients that do not trust it hang up
        self._grpc = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(self, self._grpc)
        port, scheme = self._grpc.add_insecure_port("localhost:0") if not tls else None, "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls[::-1])
            self._http.socket, scheme = context.wrap_socket(self._http.socket, server_side=True), "https"
            credentials = grpc.ssl_server_credentials([tuple(path.read_bytes() for path in tls)])
            port = self._grpc.add_secure_port("localhost:0", credentials)
        self.grpc, self.rest = f"localhost:{port}", f"{scheme}://localhost:{self._http.server_port}"

    def note(self, count, headers, model):
        self.batches.append(count)
        self.times.append(time.monotonic())
        self.headers.append({key.lower(): value for key, value in headers.items()})
        self.models.append(model)

    def rest_answer(self, images, request):
        self.note(len(images), request.headers, request.path)
        try:
            rows = {key: np.asarray(values).tolist() for key, values in self.answer(images).items()}
        except Wrong as wrong:
            return HTTP[wrong.args[0].value[0]], {"error": wrong.args[1]}
        return 200, {"predictions": [dict(zip(rows, row, strict=True)) for row in zip(*rows.values(), strict=True)]}

    def Predict(self, request, context):
        """The RPC."""
        images = list(tf.make_ndarray(request.inputs["image_bytes"]))
        spec = request.model_spec
        self.note(len(images), dict(context.invocation_metadata()), (spec.name, spec.version.value))
        try:
            found = self.answer(images)
        except Wrong as wrong:
            context.abort(*wrong.args)
        reply = predict_pb2.PredictResponse()
        for name, value in found.items():
            reply.outputs[name].CopyFrom(value if hasattr(value, "tensor_shape") else tf.make_tensor_proto(value))
        return reply

    def __enter__(self):
        self._grpc.start()
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._grpc.stop(None)
        self._http.shutdown()
        self._http.server_close()


def reply(handler, status, body, **headers):
    """Sends one whole HTTP answer; body: bytes, or anything that becomes JSON."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    for name, value in {"Content_Length": len(body), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)
