"""Embeds image files by a TensorFlow Serving server.

  python -m pcl_tf.client --server=localhost:8500 faces/ more/face.jpg --out=faces.npz
  python -m pcl_tf.client --server=http://localhost:8501 faces.zip --feature=face > faces.jsonl
  python -m pcl_tf.client --server=faces.example.org:443 --tls --header="authorization:Bearer $TOKEN" faces/

https:// and --tls encrypt, --tls_ca=FILE names the authority where it is not a public one, and --header goes with every
request. Takes files, folders and zips. Writes JSON lines: {"image", "feature", "embedding"} or {"image", "error"}.
--out=NAME.npz holds the arrays names [N] and, called as the feature, float32 [N, D]; images the server refuses are left out
and named. --out takes its name when all images were sent; until then, and after an error or a signal, the lines that came are
in NAME.partial.jsonl.
Exit codes: 0 every image embedded; 1 some were refused; 2 a flag or a path is wrong; 3 the server cannot be reached or
does not answer such requests; 4 the disk is full; 130 and 143 stopped by Ctrl-C and SIGTERM.
"""

import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
import re
import shutil
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np
import tqdm
from absl import flags

from pcl_tf.choices import OUTPUTS
from pcl_tf.console import begin, explained, refuse, start
from pcl_tf.data.sources import open_source
from pcl_tf.errors import Refused, Unreachable
from pcl_tf.serving.remote import Server, embed
from pcl_tf.store import atomic_path, check, sync

_SERVER = flags.DEFINE_string("server", "", "host:port of gRPC, or http://host:port of REST.")
flags.DEFINE_string("model", Server.model, "Name the server knows the model by.")
flags.DEFINE_integer("version", None, "Of the model; by default the newest.", lower_bound=0)
flags.DEFINE_enum("feature", Server.feature, OUTPUTS, "What to write.")
flags.DEFINE_integer("batch_size", Server.batch_size, "Images a request.", lower_bound=1, upper_bound=1024)
flags.DEFINE_float("deadline", Server.deadline, "Seconds a request may take, with all its attempts.", lower_bound=0.001)
flags.DEFINE_integer(
    "retries", Server.retries, "Attempts more while the server is away; gRPC's most is 4.", lower_bound=0
)
flags.DEFINE_float("wait", Server.wait, "Seconds between these, doubled each time.", lower_bound=0.0)
flags.DEFINE_bool("tls", False, "Speak gRPC encrypted, as https:// does REST.")
_CA = flags.DEFINE_string("tls_ca", "", "PEM file of the authority that vouches for the server.")
_HEADER = flags.DEFINE_multi_string(
    "header", [], "KEY:VALUE sent with every request, for instance a token; repeatable."
)
_OUT = flags.DEFINE_string("out", "", "FILE.npz or FILE.jsonl; without it JSON lines go to stdout.")

_HOST = r"(\[[\da-fA-F:.]+\]|[\w.-]+)"
_ADDRESS = rf"https?://{_HOST}(:\d+)?(/[\w./-]*)?|{_HOST}:\d+"
# Headers that gRPC and HTTP take; their own errors would print the value, which may be a secret.
_PLAIN = r"\s*((?!content-|grpc-)[a-z0-9_.-]+(?<!-bin))\s*:\s*([ -~]*[!-~])\s*"


def _server() -> Server:
    """The server that the flags name. Raises Refused with a line that holds no password and no token."""
    if not re.fullmatch(_ADDRESS, _SERVER.value):
        raise Refused("--server: is not host:port, http://host:port or https://host alone; --header sends a token.")
    headers = {}
    for text in _HEADER.value:
        if not (found := re.fullmatch(_PLAIN, text, re.IGNORECASE | re.ASCII)):
            raise Refused("--header: is not KEY:VALUE in plain characters, for instance authorization:Bearer X.")
        headers[found[1].lower()] = found[2]
    if _CA.value:
        open(_CA.value).close()
    same: dict[str, Any] = {field.name: flags.FLAGS[field.name].value for field in dataclasses.fields(Server)[1:-1]}
    server = Server(_SERVER.value, headers=headers, **same)
    if server.address.startswith("http://") and (server.tls or server.tls_ca):
        raise Refused(f"--server={server.address}: is not encrypted; write https:// where --tls or --tls_ca is given.")
    return server


def _write(answers: Iterable[tuple[str, np.ndarray | str]], feature: str, out: pathlib.Path | None) -> int:
    """Writes a JSON line an answer of ``embed``, to stdout or beside out, which takes its name at the end.

    Returns:
      how many images were refused.
    """
    refused = 0
    with open(_partial(out), "w") if out else contextlib.nullcontext(sys.stdout) as file:
        if out and out.exists():
            shutil.copymode(out, _partial(out))
        for name, answer in answers:
            if isinstance(answer, str):
                row, refused = {"error": answer}, refused + 1
                tqdm.tqdm.write(f"refused: {name}: {answer}", file=sys.stderr)
            else:
                row = {"feature": feature, "embedding": answer.tolist()}
            print(json.dumps({"image": name, **row}), file=file, flush=True)
    if out and out.suffix.lower() == ".npz":
        with open(_partial(out)) as lines:
            rows = [row for row in map(json.loads, lines) if "embedding" in row]
        arrays: dict[str, Any] = {"names": np.array([row["image"] for row in rows], str)}
        arrays[feature] = np.array([row["embedding"] for row in rows], np.float32)
        with atomic_path(out) as aside, open(aside, "wb") as held:
            np.savez(held, **arrays)
        _partial(out).unlink()
    elif out:
        sync(_partial(out))
        os.replace(_partial(out), out)
    return refused


def _partial(out: pathlib.Path) -> pathlib.Path:
    return out.with_suffix(".partial.jsonl")


def main(argv: list[str]) -> None:
    begin(argv, "server", words=len(argv))
    out = pathlib.Path(_OUT.value) if _OUT.value else None
    with explained(out or "stdout"):
        if len(argv) < 2:
            raise Refused("images, folders or zips are needed; see --help.")
        if out:
            check(out, suffix=(".npz", ".jsonl"))
            out.parent.mkdir(parents=True, exist_ok=True)
        server, sources = _server(), [open_source(path, flag="") for path in argv[1:]]
        total = sum(source.count for source in sources)
        answers = embed(server, itertools.chain.from_iterable(source.items() for source in sources))
        try:
            refused = _write(tqdm.tqdm(answers, "embedding", total, unit="img", disable=None), server.feature, out)
        except Unreachable as error:
            refuse(f"{error}{f' What came before is in {_partial(out)}.' if out else ''}", 3)
    print(f"{total - refused} of {total} images embedded", file=sys.stderr)
    sys.exit(1 if refused else 0)


if __name__ == "__main__":
    start(main)
