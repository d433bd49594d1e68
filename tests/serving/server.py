"""A small TensorFlow Serving: PredictionService over gRPC, and REST, both on a real SavedModel.

It speaks the real protos and answers mistakes as the real one does (tensorflow/serving: predict_util.cc, server_core.cc,
http_rest_api_handler.cc), so that the client can be tested where the real binary cannot be installed.
"""

import base64
import concurrent.futures
import contextlib
import http.server
import json
import threading
import time

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

HTTP = {3: 400, 5: 404, 9: 412, 14: 503}  # of gRPC's INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION, UNAVAILABLE


class Wrong(Exception):
    """Args: gRPC status code, message."""


class Server(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Serves one version of one model until the context ends.

    Attributes:
      grpc_address, rest_address: where.
      delay: seconds every answer takes.
      outages: how many of the next requests are answered with UNAVAILABLE.
      batches: sizes of the requests that came.
    """

    def __init__(self, export, name="pcl"):
        self.name, self.version = name, int(export.name)
        self.signatures = tf.saved_model.load(str(export)).signatures
        self.delay, self.outages, self.batches = 0.0, 0, []

    def answer(self, name, version, signature, inputs):
        """{output: tensor} of a request whose inputs are tensors."""
        self.batches.append(max([len(v) for v in inputs.values()], default=0))
        if self.outages:
            self.outages -= 1
            raise Wrong(grpc.StatusCode.UNAVAILABLE, "The batch scheduling queue is full")
        time.sleep(self.delay)
        if name != self.name or version not in (None, self.version):
            which = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise Wrong(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {which}")
        if signature not in self.signatures:
            raise Wrong(grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{signature}" not found.')
        function = self.signatures[signature]
        expected = function.structured_input_signature[1]
        if set(inputs) != set(expected):
            raise Wrong(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"input size does not match signature: {len(inputs)}!={len(expected)} len({set(expected)})",
            )
        for key, value in inputs.items():
            if value.dtype != expected[key].dtype:
                said = f"Expects arg[0] to be {expected[key].dtype.name} but {value.dtype.name} is provided"
                raise Wrong(grpc.StatusCode.INVALID_ARGUMENT, said)
        try:
            return function(**inputs)
        except tf.errors.OpError as error:
            raise Wrong(_status(error.error_code), error.message) from error

    def Predict(self, request, context):
        """The RPC."""
        spec = request.model_spec
        version = spec.version.value if spec.HasField("version") else None
        inputs = {k: tf.constant(tf.make_ndarray(v)) for k, v in request.inputs.items()}
        try:
            out = self.answer(spec.name, version, spec.signature_name or "serving_default", inputs)
        except Wrong as wrong:
            context.abort(*wrong.args)
        reply = predict_pb2.PredictResponse()
        for name, value in out.items():
            reply.outputs[name].CopyFrom(tf.make_tensor_proto(value.numpy()))
        return reply

    def __enter__(self):
        self._grpc = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(self, self._grpc)
        self.grpc_address = f"localhost:{self._grpc.add_insecure_port('localhost:0')}"
        self._grpc.start()
        self._http = http.server.ThreadingHTTPServer(("localhost", 0), _handler(self))
        self.rest_address = f"http://localhost:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._grpc.stop(None)
        self._http.shutdown()
        self._http.server_close()


def _status(number):
    return next(s for s in grpc.StatusCode if s.value[0] == number)


def _handler(server):
    class Handler(http.server.BaseHTTPRequestHandler):
        """POST /v1/models/NAME[/versions/N]:predict."""

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            path, _, verb = self.path.partition(":")
            parts = path.strip("/").split("/")
            try:
                if verb != "predict" or parts[:2] != ["v1", "models"]:
                    raise Wrong(grpc.StatusCode.INVALID_ARGUMENT, f"Malformed request: POST {self.path}")
                version = int(parts[4]) if len(parts) == 5 else None
                data = [base64.b64decode(row["b64"]) for row in body["instances"]]
                inputs = {"image_bytes": tf.constant(data)}
                out = server.answer(parts[2], version, body.get("signature_name", "serving_default"), inputs)
                rows = {k: v.numpy().tolist() for k, v in out.items()}
                code, reply = 200, {"predictions": [{k: rows[k][i] for k in rows} for i in range(len(data))]}
            except Wrong as wrong:
                code, reply = HTTP[wrong.args[0].value[0]], {"error": wrong.args[1]}
            with contextlib.suppress(ConnectionError):  # a client whose deadline has passed no longer listens
                self.send_response(code)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(reply).encode())

        def log_message(self, *_):
            """Nothing: the tests' output is theirs."""

    return Handler
