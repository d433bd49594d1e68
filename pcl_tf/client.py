"""Embeds image files by a TensorFlow Serving server.

  python -m pcl_tf.client --server=localhost:8500 faces/ more/face.jpg --out=faces.npy
  python -m pcl_tf.client --server=http://localhost:8501 faces.zip --feature=face > faces.jsonl
  python -m pcl_tf.client --server=faces.example.org:443 --tls --header="authorization:Bearer $TOKEN" faces/

https:// and --tls encrypt, --tls_ca=FILE names the authority where it is not a public one, and --header goes with every
request. Takes files, folders and zips. --out=NAME.npy writes one row an image and their names, line by line, into
NAME.txt; images the server refuses are left out and named. Otherwise JSON lines: {"image", "feature", "embedding"} or
{"image", "error"}. --out takes its name when all images were sent; what came before an error or a signal is in
NAME.partial.npy or NAME.partial.jsonl.
Exit codes: 0 every image embedded; 1 some were refused; 2 a flag or a path is wrong; 3 the server cannot be reached or
does not answer such requests; 4 the disk is full; 130 and 143 stopped by Ctrl-C and SIGTERM.
"""

import contextlib
import dataclasses
import functools
import itertools
import json
import os
import pathlib
import re
import ssl
import sys
import urllib.parse
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tqdm
from absl import flags

from pcl_tf.choices import OUTPUTS
from pcl_tf.console import begin, explained, refuse, start
from pcl_tf.data.files import printable, read_file
from pcl_tf.data.sources import Items, Source, folder, zipped
from pcl_tf.errors import Refused, Unreachable
from pcl_tf.serving.remote import Server, embed
from pcl_tf.store import atomic_path, check, sync

_SERVER = flags.DEFINE_string("server", None, "host:port of gRPC, or http://host:port of REST.")
flags.DEFINE_string("model", Server.model, "Name the server knows the model by.")
flags.DEFINE_integer("version", None, "Of the model; by default the newest.", lower_bound=0)
flags.DEFINE_enum("feature", Server.feature, OUTPUTS, "What to write.")
flags.DEFINE_integer("batch_size", Server.batch_size, "Images a request.", lower_bound=1, upper_bound=1024)
flags.DEFINE_float("deadline", Server.deadline, "Seconds a request may take, with all its attempts.", lower_bound=0.001)
flags.DEFINE_integer(
    "retries", Server.retries, "Attempts more while the server is away; gRPC's most is 4.", lower_bound=0
)
flags.DEFINE_float("wait", Server.wait, "Seconds between these, doubled each time.", lower_bound=0.0)
_TLS = flags.DEFINE_bool("tls", False, "Speak gRPC encrypted, as https:// does REST.")
_CA = flags.DEFINE_string("tls_ca", "", "PEM file of the authority that vouches for the server.")
_HEADER = flags.DEFINE_multi_string(
    "header", [], "KEY:VALUE sent with every request, for instance a token; repeatable."
)
_OUT = flags.DEFINE_string("out", "", "FILE.npy or FILE.jsonl; without it JSON lines go to stdout.")


def _sources(paths: Iterable[str]) -> list[Source]:
    """The images of files, folders and zips."""
    sources = []
    for path in map(pathlib.Path, paths):
        if path.is_dir():
            source = folder(path)
        elif not path.is_file():
            raise Refused(f"{printable(path)}: no such file or folder.")
        elif path.suffix.lower() == ".zip":
            source = zipped(path)
        else:
            source = Source(printable(path), "", 1, functools.partial(_file, path))
        if not source.count:
            raise Refused(f"{printable(path)}: holds no image.")
        source.say_others()
        sources.append(source)
    return sources


def _file(path: pathlib.Path) -> Items:
    yield printable(path), read_file(path)


def _server() -> Server:
    """The server as the flags name it. Raises Refused in a line that holds no password and no token."""
    given = _SERVER.value or ""
    try:
        at = urllib.parse.urlsplit(given if "://" in given else f"grpc://{given}")
        known = at.scheme in ("http", "https") or at.scheme == "grpc" and at.port
        if not known or not at.hostname or at.port == 0 or at.query or at.fragment or "@" in at.netloc:
            raise ValueError
    except ValueError:  # urllib's, of a port that is no number
        raise Refused(
            "--server: is not host:port, http://host:port or https://host alone; --header sends a token."
        ) from None
    if at.scheme == "http" and (_TLS.value or _CA.value):
        raise Refused(f"--server={given}: is not encrypted; write https:// where --tls or --tls_ca is given.")
    try:
        ssl.create_default_context(cafile=_CA.value or None)
    except OSError as error:  # ssl.SSLError is one
        raise Refused(f"--tls_ca={_CA.value}: no certificates in PEM ({error.strerror or error}).") from error
    headers = {}
    for text in _HEADER.value:
        key, _, value = (part.strip() for part in text.partition(":"))
        # What gRPC and HTTP take; their own errors would print it, and it may be a secret.
        plain = re.fullmatch(r"(?!content-|grpc-)[a-z0-9_.-]+(?<!-bin)", key.lower())
        if not plain or not value or not (value.isascii() and value.isprintable()):
            raise Refused("--header: is not KEY:VALUE in plain characters, for instance authorization:Bearer X.")
        headers[key.lower()] = value
    same: dict[str, Any] = {field.name: flags.FLAGS[field.name].value for field in dataclasses.fields(Server)[1:-1]}
    return Server(given.removeprefix("grpc://"), headers=headers, **same)


def _answers(
    sources: Iterable[Source], total: int, server: Server, refused: list[str]
) -> Iterator[tuple[str, np.ndarray | str]]:
    """As ``embed`` of all sources, with a bar; names what is refused, and adds it to refused."""
    items = itertools.chain.from_iterable(source.items() for source in sources)
    for name, answer in tqdm.tqdm(embed(server, items), "embedding", total, unit="img", disable=None):
        if isinstance(answer, str):
            refused.append(name)
            tqdm.tqdm.write(f"refused: {name}: {answer}", file=sys.stderr)
        yield name, answer


def _write_lines(answers: Iterable[tuple[str, np.ndarray | str]], feature: str, out: pathlib.Path | None) -> None:
    """Writes JSON lines, each when it is known: to stdout, or into a file that takes its name at the end."""
    partial = out and _partial(out)
    with open(partial, "w") if partial else contextlib.nullcontext(sys.stdout) as file:
        for name, answer in answers:
            row = {"error": answer} if isinstance(answer, str) else {"feature": feature, "embedding": answer.tolist()}
            print(json.dumps({"image": name, **row}), file=file, flush=True)
    if out and partial:
        sync(partial)
        os.replace(partial, out)


def _write_matrix(answers: Iterable[tuple[str, np.ndarray | str]], out: pathlib.Path) -> None:
    """Writes a .npy of a row an image, and a .txt of their names: as partial ones where the answers break off."""
    names, rows, path = [], [], _partial(out)
    try:
        for name, answer in answers:
            if not isinstance(answer, str):
                names.append(name)
                rows.append(answer)
        path = out
    finally:
        if rows:
            listed = path.with_suffix(".txt")
            with atomic_path(listed) as aside, atomic_path(path) as matrix:
                aside.write_bytes("".join(f"{name}\n" for name in names).encode())
                np.save(matrix, np.stack(rows))
                listed.unlink(missing_ok=True)  # killed after the rows took their name, they have no others' names
    for old in (_partial(out), _partial(out).with_suffix(".txt")):
        old.unlink(missing_ok=True)


def _partial(out: pathlib.Path) -> pathlib.Path:
    out.parent.mkdir(parents=True, exist_ok=True)
    return out.with_suffix(f".partial{out.suffix}")


def main(argv: list[str]) -> None:
    begin(argv, words=len(argv))
    if not _SERVER.value or len(argv) < 2:
        refuse("--server=host:port and images, folders or zips are needed; see --help.")
    out = pathlib.Path(_OUT.value) if _OUT.value else None
    refused: list[str] = []
    with explained(out or "stdout"):
        if out:
            if out.suffix not in (".npy", ".jsonl"):
                raise Refused(f"--out={out}: ends neither with .npy nor with .jsonl.")
            check(out, beside=[out.with_suffix(".txt")] if out.suffix == ".npy" else [])
        server, sources = _server(), _sources(argv[1:])
        total = sum(source.count for source in sources)
        answers = _answers(sources, total, server, refused)
        try:
            if out and out.suffix == ".npy":
                _write_matrix(answers, out)
            else:
                _write_lines(answers, server.feature, out)
        except Unreachable as error:
            left = f" What came before is in {_partial(out)}." if out and _partial(out).exists() else ""
            refuse(f"{error}{left}", 3)
    print(f"{total - len(refused)} of {total} images embedded", file=sys.stderr)
    sys.exit(1 if refused else 0)


if __name__ == "__main__":
    start(main)
