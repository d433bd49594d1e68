"""A small TensorFlow Serving: one function from images to features, over REST.

The real server cannot be installed by pip; test_kserve.py asks one that is not ours.
"""

import base64
import contextlib
import http.server
import json
import ssl
import threading
import time

import numpy as np


class Wrong(Exception):
    """Args: status of HTTP, message."""


class Server:
    """Serves until the context ends.

    Args:
      tls: paths of a key and a certificate, or None.

    Attributes:
      rest: address.
      answer: function from a list of images to {name: array}; it may raise Wrong.
      raw: instead of it a function that takes the number of images and the handler of http.server.
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
        scheme = "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls[::-1])
            self._http.socket, scheme = context.wrap_socket(self._http.socket, server_side=True), "https"
        self.rest = f"{scheme}://localhost:{self._http.server_port}"

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
            return wrong.args[0], {"error": wrong.args[1]}
        return 200, {"predictions": [dict(zip(rows, row, strict=True)) for row in zip(*rows.values(), strict=True)]}

    def __enter__(self):
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
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
