"""Embeds image files by a TensorFlow Serving server.

  python -m pcl_tf.client --server=localhost:8500 faces/ more/face.jpg --out=faces.npy
  python -m pcl_tf.client --server=http://localhost:8501 faces.zip --feature=face > faces.jsonl
  python -m pcl_tf.client --server=faces.example.org:443 --tls --header="authorization:Bearer $TOKEN" faces/

https:// and --tls encrypt, --tls_ca=FILE names the authority where it is not one the machine knows, and --header goes
with every request. Takes files, folders and zips. --out=NAME.npy writes one row an image and their names, line by line, into NAME.txt; images
the server refuses are left out and named. Otherwise JSON lines: {"image", "feature", "embedding"} or {"image", "error"}.
Exit codes: 0 every image embedded; 1 some were refused; 2 a flag or a path is wrong; 3 the server cannot be reached or
does not answer such requests; 4 the disk is full; 130 and 143 stopped by Ctrl-C and SIGTERM (JSON lines written so far stay).
"""

import functools
import io
import itertools
import json
import math
import os
import pathlib
import re
import ssl
import sys
import urllib.parse
from collections.abc import Callable, Iterable
from typing import Any, cast

import numpy as np
import tqdm
from absl import flags

from pcl_tf.console import begin, explained, refuse, start
from pcl_tf.data.sources import Items, folder, zipped
from pcl_tf.data.tree import printable
from pcl_tf.errors import Refused
from pcl_tf.serving.answers import ServerError
from pcl_tf.serving.requests import embed
from pcl_tf.serving.transport import Grpc, Rest, connect
from pcl_tf.store import atomic_path, check

_SERVER = flags.DEFINE_string("server", None, "host:port of gRPC, or http://host:port of REST.")
_MODEL = flags.DEFINE_string("model", "pcl", "Name the server knows the model by.")
_VERSION = flags.DEFINE_integer("version", None, "Of the model; by default the newest.", lower_bound=0)
_FEATURE = flags.DEFINE_enum("feature", "face_aware", ("face_aware", "face", "pose"), "What to write.")
_BATCH = flags.DEFINE_integer("batch_size", 32, "Images a request.", lower_bound=1)
flags.DEFINE_alias("batch", "batch_size")
_DEADLINE = flags.DEFINE_float("deadline", 30.0, "Seconds a request may take.", lower_bound=0.001)
_RETRIES = flags.DEFINE_integer("retries", 5, "Times a request is sent again while the server is away.", lower_bound=0)
_WAIT = flags.DEFINE_float("wait", 0.5, "Seconds before the first of these; doubled each time.", lower_bound=0.0)
_TLS = flags.DEFINE_bool("tls", False, "Speak gRPC encrypted, as https:// does REST.")
_CA = flags.DEFINE_string("tls_ca", "", "PEM file of the authority that vouches for the server.")
_HEADER = flags.DEFINE_multi_string(
    "header", [], "KEY:VALUE sent with every request, for instance a token; repeatable."
)
_OUT = flags.DEFINE_string("out", "", "FILE.npy or FILE.jsonl; without it JSON lines go to stdout.")

for _name in ("deadline", "wait"):
    flags.register_validator(_name, math.isfinite, "a number is needed")  # NaN is neither too small nor too large


def _sources(paths: Iterable[str]) -> list[tuple[int, Callable[[], Items]]]:
    """[(count of images, callable that yields (name, bytes or OSError))] for files, folders and zips."""

    def one(path: pathlib.Path) -> Items:
        try:
            yield printable(path), path.read_bytes()
        except OSError as error:
            yield printable(path), error

    sources: list[tuple[int, Callable[[], Items]]] = []
    for path in map(pathlib.Path, paths):
        if path.is_dir() or path.suffix.lower() == ".zip" and path.is_file():
            source = folder(path) if path.is_dir() else zipped(path)
            source.say_others()
            sources.append((source.count, source.items))
        elif path.is_file():
            sources.append((1, functools.partial(one, path)))
        else:
            raise Refused(f"{printable(path)}: no such file or folder.")
        if not sources[-1][0]:
            raise Refused(f"{printable(path)}: holds no image.")
    return sources


class _Lines:
    """JSON lines, each written when it is known."""

    def __init__(self, feature: str, path: str) -> None:
        self.feature, self.path, self.file = feature, path, None if path else sys.stdout

    def write(self, name: str, answer: dict[str, np.ndarray] | str) -> None:
        if self.file is None:  # what an earlier run wrote stays until there is something to put in its place
            pathlib.Path(self.path).parent.mkdir(parents=True, exist_ok=True)
            self.file = open(self.path, "w")
        row = {"error": answer}
        if not isinstance(answer, str):
            row = {"feature": self.feature, "embedding": answer[self.feature].tolist()}
        print(json.dumps({"image": name, **row}), file=self.file, flush=True)

    def close(self) -> None:
        if self.file is not None:
            self.file.flush()


class _Matrix:
    """A .npy of one row an image, and a .txt of their names, written at the end."""

    def __init__(self, feature: str, path: str) -> None:
        self.feature, self.path = feature, pathlib.Path(path)
        self.names: list[str] = []
        self.rows: list[np.ndarray] = []

    def write(self, name: str, answer: dict[str, np.ndarray] | str) -> None:
        if not isinstance(answer, str):
            self.names.append(name)
            self.rows.append(answer[self.feature])

    def close(self) -> None:
        if not self.rows:
            return
        buffer = io.BytesIO()
        np.save(buffer, np.stack(self.rows))
        listed = self.path.with_suffix(".txt")
        with atomic_path(listed) as names, atomic_path(self.path) as matrix:
            names.write_bytes("".join(f"{name}\n" for name in self.names).encode())
            matrix.write_bytes(buffer.getvalue())
            # Both are whole. The rows take their name first: killed then, no names of before stand beside them.
            listed.resolve().unlink(missing_ok=True)


def _run(
    sources: list[tuple[int, Callable[[], Items]]], transport: Grpc | Rest, out: _Lines | _Matrix
) -> tuple[int, int]:
    """Embeds everything; returns (how many, how many of them were refused)."""
    total, refused = sum(count for count, _ in sources), 0
    items = itertools.chain.from_iterable(source() for _, source in sources)
    answers = embed(transport, items, batch=_BATCH.value, retries=_RETRIES.value, wait=_WAIT.value)
    try:
        for name, answer in tqdm.tqdm(answers, "embedding", total, unit="img", disable=None):
            out.write(name, answer)
            if isinstance(answer, str):
                refused += 1
                tqdm.tqdm.write(f"refused: {name}: {answer}", file=sys.stderr)
    finally:
        out.close()  # what came back before an error or a signal is not lost
    return total, refused


def _connection(server: str) -> dict[str, Any]:
    """Arguments of ``connect`` besides the address; ends the command where they or the address are wrong."""
    try:
        at = urllib.parse.urlsplit(server if "://" in server else f"grpc://{server}")
        port = at.port  # raises where it is no number
        if at.scheme not in ("grpc", "http", "https") or not at.hostname or at.scheme == "grpc" and not port:
            raise ValueError("what is needed is host:port, http://host:port or https://host")
        if at.query or at.fragment or at.username:
            raise ValueError("an address has no '?', '#' or '@'; --header sends a token")
    except ValueError as error:
        refuse(f"--server={server}: {error}.")
    if at.scheme == "http" and (_TLS.value or _CA.value):
        refuse(f"--server={server}: is not encrypted; write https:// where --tls or --tls_ca is given.")
    try:
        ssl.create_default_context(cafile=_CA.value or None)
    except OSError as error:  # ssl.SSLError is one
        refuse(f"--tls_ca={_CA.value}: no certificates in PEM ({error.strerror or error}).")
    headers = {}
    for text in _HEADER.value:
        key, _, value = (part.strip() for part in text.partition(":"))
        # What both gRPC and HTTP take. It may be a secret: it is not printed.
        if not re.fullmatch(r"[a-z0-9_.-]+", key.lower()) or not value or not (value.isascii() and value.isprintable()):
            refuse("--header: what is needed is KEY:VALUE in plain characters, for instance authorization:Bearer X.")
        if key.lower().startswith(("content-", "grpc-")) or key.lower().endswith("-bin"):
            refuse(f"--header={key}:..: that one is the protocol's own.")
        headers[key.lower()] = value
    return {"headers": headers, "tls": _TLS.value, "ca": _CA.value}


def main(argv: list[str]) -> None:
    begin(argv)
    out = _OUT.value
    if not _SERVER.value or len(argv) < 2:
        refuse("--server=host:port and images, folders or zips are needed; see --help.")
    if out and not out.endswith((".npy", ".jsonl")):
        refuse(f"--out={out}: ends neither with .npy nor with .jsonl.")
    with explained(out):
        for name in filter(None, (out, out.endswith(".npy") and out.removesuffix("npy") + "txt")):
            check(cast(str, name))
    if out.endswith(".npy") and not os.path.exists(out) and os.path.exists(names := out.removesuffix("npy") + "txt"):
        refuse(f"--out={out}: the names would go to {names}, which is no earlier run's; give another name.")
    connection = {**_connection(_SERVER.value), "needed": (_FEATURE.value,)}
    with explained(out or "stdout"):
        sources = _sources(argv[1:])
        address = _SERVER.value.removeprefix("grpc://")
        transport = connect(address, model=_MODEL.value, version=_VERSION.value, deadline=_DEADLINE.value, **connection)
        try:
            total, refused = _run(
                sources, transport, (_Matrix if out.endswith(".npy") else _Lines)(_FEATURE.value, out)
            )
        except ServerError as error:
            refuse(error, 3)
    print(f"{total - refused} of {total} images embedded", file=sys.stderr)
    sys.exit(1 if refused else 0)


if __name__ == "__main__":
    start(main)
