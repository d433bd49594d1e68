"""Features extracted once per image and model, kept on disk, continued where an extraction stopped."""

import json
import os
import pathlib
import sys
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from pcl_tf.data.images import decode_all
from pcl_tf.data.sources import Source
from pcl_tf.errors import Refused
from pcl_tf.store import alone, write_atomically

if TYPE_CHECKING:
    from pcl_tf.evaluation.models import Encoder

MAX_UNREADABLE_SHARE = 0.05  # of unreadable images; above it there is an error


class Features:
    """Cached features of one model on one list of images.

    Attributes:
      folder: holds ``KEY.npy``, float32 [N, D], and ``state.json``.
      bad: {row: what was wrong} of images that could not be read; their features are zero.
      encoded: images that this call passed through the encoder; 0 if all were cached.
    """

    def __init__(self, folder: pathlib.Path, state: dict[str, Any], encoded: int) -> None:
        self.folder, self.encoded = folder, encoded
        self.keys = tuple(state["keys"])
        self.bad: dict[int, tuple[str, str]] = {int(row): tuple(why) for row, why in state["bad"].items()}

    def __getitem__(self, name: str) -> np.ndarray:
        """float32 [N, D] of a feature; 'face+pose' is the sum (Table 7).

        Raises:
          Refused: the model has no such feature.
        """
        parts = name.split("+")
        missing = [p for p in parts if p not in self.keys]
        if missing:
            raise Refused(f"--feature={name}: this model has {', '.join(self.keys)}.")
        x = np.load(self.folder / f"{parts[0]}.npy", mmap_mode="r")
        for part in parts[1:]:
            x = x + np.load(self.folder / f"{part}.npy", mmap_mode="r")
        return x

    def __contains__(self, name: str) -> bool:
        return all(part in self.keys for part in name.split("+"))


def extract(
    encoder: "Encoder",
    source: Source,
    size: int,
    *,
    cache: str | pathlib.Path,
    batch: int = 64,
    chunk: int = 512,
    max_unreadable_share: float = MAX_UNREADABLE_SHARE,
) -> Features:
    """Features of every image of a source, each image encoded once in the life of the cache.

    Of several processes that ask for the same features one encodes, and the others wait for it.

    Args:
      encoder: ``pcl_tf.evaluation.models.Encoder``.
      source: ``pcl_tf.data.sources.Source``.
      size: side in pixels.
      cache: folder of caches.
      batch: images encoded at once.
      chunk: images between two states on disk.
      max_unreadable_share: share of unreadable images above which there is an error.

    Returns:
      Features.

    Raises:
      Refused: too many unreadable images, or features that are not finite.
    """
    folder = pathlib.Path(cache) / f"{encoder.digest}-{source.fingerprint}-{size}"
    folder.mkdir(parents=True, exist_ok=True)
    state = _state(folder, source.count)
    first = state["rows"]
    if first < source.count:  # else nothing is written, not even a lock: the cache may be read-only
        busy = f"{folder}: another process extracts these features; waiting for it."
        with alone(folder / ".lock", busy):  # two would make the same files anew
            state = _state(folder, source.count)  # another process may have made them meanwhile
            first = state["rows"]
            if first < source.count:
                _extend(encoder, source, size, folder=folder, state=state, batch=batch, chunk=chunk)
    if len(state["bad"]) > max_unreadable_share * source.count:
        named = "\n".join(f"  {name}: {why}" for name, why in list(state["bad"].values())[:5])
        raise Refused(
            f"{source.name}: {len(state['bad'])} of {source.count} images cannot be read. The first:\n{named}"
        )
    return Features(folder, state, source.count - first)


def _state(folder: pathlib.Path, count: int) -> dict[str, Any]:
    """What is done; nothing where that cannot be told, or the features are not there whole: a copy may have stopped."""
    try:
        state = json.loads((folder / "state.json").read_text())
        {int(row): tuple(why) for row, why in state["bad"].items()}
        whole = all(len(np.load(folder / f"{key}.npy", mmap_mode="r")) == count for key in state["keys"])
        if whole and state["keys"] and 0 <= state["rows"] <= count:
            return state
    except (OSError, ValueError, EOFError, KeyError, TypeError, AttributeError):
        pass
    return {"rows": 0, "bad": {}, "keys": []}


def _extend(
    encoder: "Encoder",
    source: Source,
    size: int,
    *,
    folder: pathlib.Path,
    state: dict[str, Any],
    batch: int,
    chunk: int,
) -> None:
    first = state["rows"]
    if not state["keys"] and os.path.lexists(folder / "state.json"):
        print(f"{folder}: is damaged, the features are extracted again.", file=sys.stderr)
        (folder / "state.json").unlink()  # it would count the zeros of files that are made anew
    items = islice(source.items(), first, None)
    out = {key: np.load(folder / f"{key}.npy", mmap_mode="r+") for key in state["keys"]}
    called = source.name if pathlib.Path(source.name).name else pathlib.Path(source.name).resolve().name  # not '.'
    bar = tqdm(
        total=source.count, initial=first, desc=f"encoding {called}", unit="img", file=sys.stderr, mininterval=1.0
    )
    with bar:
        while read := list(islice(items, chunk)):
            start = state["rows"]
            decoded = list(decode_all(read, size))
            blank = np.zeros((size, size, 3), np.uint8)
            faces = np.stack([blank if face is None else face for _, face, _ in decoded])
            bad = {str(start + i): [name, why] for i, (name, face, why) in enumerate(decoded) if face is None}
            parts = []
            for i in range(0, len(faces), batch):
                parts.append(encoder.embed(faces[i : i + batch]))
                bar.update(len(faces[i : i + batch]))
            values = {key: np.concatenate([p[key] for p in parts]) for key in parts[0]}
            if not out:
                out = {key: _made(folder / f"{key}.npy", source.count, x.shape[1]) for key, x in values.items()}
            for key, x in values.items():
                if not np.isfinite(x).all():
                    raise Refused(f"--model={encoder.name}: '{key}' is not finite on images of {source.name}.")
                for row in bad:
                    x[int(row) - start] = 0.0
                out[key][start : start + len(x)] = x
                out[key].flush()
            # The state is written last: what it counts is on disk.
            state.update(rows=start + len(read), bad={**state["bad"], **bad}, keys=sorted(out))
            write_atomically(folder / "state.json", json.dumps(state))


def _made(path: pathlib.Path, rows: int, width: int) -> np.memmap:
    made = np.lib.format.open_memmap(path, "w+", np.float32, (rows, width))
    with open(path, "r+b") as f:  # a full disk is an error here, and a crash when a hole is written to
        os.posix_fallocate(f.fileno(), 0, os.fstat(f.fileno()).st_size)
    return made
