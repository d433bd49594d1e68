"""The faces of a run, one interface for every source: ``len``, ``shape``, ``rows``, ``fetch``, ``head``.

Decoding costs more than the rest of the input pipeline together, and every epoch would pay for it again: images are
decoded once, into an array on the disk, a uint8 row a face.
"""

import pathlib
import re
import sys
from collections.abc import Callable, Sequence
from itertools import islice

import numpy as np
import tensorflow as tf
from ml_collections import ConfigDict
from tqdm import tqdm

from pcl_tf.data.clips import ClipFaces, Pairs
from pcl_tf.data.images import decode_all, left_out
from pcl_tf.data.index import find_clips
from pcl_tf.data.order import Order, generator
from pcl_tf.data.sources import FRAMES, Source, generated_clips, generated_scenes, open_source
from pcl_tf.errors import Refused
from pcl_tf.rows import Rows, filled
from pcl_tf.store import check, digest, list_unreadable

_AT_ONCE = 2**24  # bytes of faces that are written to the disk together


def decoded_faces(
    source: Source,
    size: int,
    *,
    cache_dir: str | pathlib.Path,
    max_unreadable_share: float = 0.05,
    flag: str = "--recipe.data.cache",
) -> Rows:
    """Decodes a source, or opens what an earlier run decoded; goes on where one was killed.

    Unreadable images are left out, counted, and named in ``unreadable.txt`` in cache_dir. Of several processes one
    decodes, and the others wait for it.

    Args:
      source, size: the images, and the side of their faces in pixels.
      cache_dir: folder of the faces of all sources.
      max_unreadable_share: share of unreadable images above which the run stops.
      flag: of the command, that gives cache_dir, for errors.

    Returns:
      Rows of 'faces' uint8 [N, size, size, 3] and 'folder' uint64 [N], a number for each folder; read-only.

    Raises:
      Refused: too many unreadable images; or the faces are not in cache_dir, and it cannot be written to.
    """
    cache = pathlib.Path(cache_dir)
    folder = cache / f"faces-{source.fingerprint}-{size}"
    if not Rows(folder).whole:
        check(cache, flag, folder=True)

    def fill(rows: Rows) -> None:
        unreadable, listed = _decode(source, size, rows), cache / "unreadable.txt"
        list_unreadable(listed, dict(unreadable))
        nothing = len(unreadable) == source.count  # remains, whatever share is allowed
        more = f"{'' if nothing else ', or allow more with --recipe.data.max_unreadable_share'}; {listed} names all"
        most = 0 if nothing else max_unreadable_share
        if note := left_out(unreadable, source.count, most=most, of=f"{source.name}: ", more=more):
            print(f"{note} {listed} names all.", file=sys.stderr)

    return filled(folder, fill, "faces")


def _decode(source: Source, size: int, rows: Rows) -> Sequence[tuple[str, str]]:
    """Appends the faces that are missing. Returns (name, reason) of the images that are unreadable."""
    unreadable = rows.notes.get("unreadable", [])
    first = rows.rows + len(unreadable)
    items = source.after(first) if source.after else islice(source.items(), first, None)
    decoded, what = decode_all(items, size), "rendering" if source.after else "decoding"
    bar = tqdm(total=source.count, initial=first, desc=f"{what} faces", unit="img", file=sys.stderr, mininterval=1.0)
    with bar:
        while some := list(islice(decoded, max(1, _AT_ONCE // (3 * size**2)))):
            faces = np.array([face for _, face, _ in some if face is not None], np.uint8).reshape(-1, size, size, 3)
            folders = [int(digest(_folder(name)), 16) for name, face, _ in some if face is not None]
            unreadable = [*unreadable, *((name, why) for name, face, why in some if face is None)]
            rows.append({"faces": faces, "folder": np.array(folders, np.uint64)}, unreadable=unreadable)
            bar.update(len(some))
    return unreadable


def _folder(name: str) -> str:
    """The folder or zip that an image of a source lies in; an image of a source without any is alone in its own."""
    folder, slash, file = name.rpartition("/")
    if file.startswith("generated#") or name.startswith("tfds:"):
        return name
    inside = re.match(r"(?i)(.*\.zip):", file)
    return folder + slash + inside[1] if inside else folder


class ArrayFaces:
    """Decoded faces, uint8 [N, S, S, 3], often a memmap, each drawn once an epoch; shape: of a draw, (S, S, 3)."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.shape = array, array.shape[1:]

    def __len__(self) -> int:
        return len(self.array)

    def rows(self, batch: int, seed: int) -> Callable[[int], np.ndarray]:
        """``rows(step)``: int64 [batch], the faces of a step."""
        return Order(len(self), batch, seed).rows

    def fetch(self, rows: tf.Tensor) -> tf.Tensor:
        """int64 [n] -> uint8 [n, S, S, 3], of pairs [n, 2] -> [n, 2, S, S, 3]; a graph function for tf.data."""
        return tf.numpy_function(self._read, [rows], tf.uint8, stateful=False)

    def _read(self, rows: np.ndarray) -> np.ndarray:
        # Sorted reads are kinder to the disk when the array does not fit into memory.
        flat = rows.ravel()
        ranks = np.argsort(flat)
        out = np.empty((len(flat), *self.array.shape[1:]), np.uint8)
        out[ranks] = self.array[flat[ranks]]
        return out.reshape(*rows.shape, *self.array.shape[1:])

    def head(self, count: int) -> np.ndarray:
        """uint8 [count, S, S, 3]: the first faces."""
        return np.array(self.array[:count])


class PairedFaces(ArrayFaces):
    """Decoded faces of clips, drawn as pairs of frames of one clip; each is the first of a pair once an epoch.

    Args:
      array, gap: see ``ArrayFaces``, whose shape of a draw is (2, S, S, 3) here, and ``Pairs``, in frames.
      clips: int [N], number of the clip of each face, frames in their order; clips of one frame are left out.
    """

    def __init__(self, array: np.ndarray, clips: np.ndarray, gap: float = 0.0) -> None:
        super().__init__(array)
        self.shape = (2, *array.shape[1:])
        _, clip, counts = np.unique(clips, return_inverse=True, return_counts=True)
        places = np.flatnonzero(counts[clip] > 1)
        self.places = places[np.argsort(clip[places], kind="stable")]  # clip after clip
        self.pairs = Pairs(counts[counts > 1], gap=gap)
        self.clip = np.repeat(np.arange(len(self.pairs.counts)), self.pairs.counts)

    def __len__(self) -> int:
        return len(self.places)

    def rows(self, batch: int, seed: int) -> Callable[[int], np.ndarray]:
        """``rows(step)``: int64 [batch, 2], the faces of each pair of a step; a pure function of (seed, step)."""
        order = Order(len(self), batch, seed)

        def rows(step: int) -> np.ndarray:
            at = order.rows(step)
            clip = self.clip[at]
            start = self.pairs.start[clip]
            other = start + self.pairs.other(clip, at - start, generator(seed, step))
            return self.places[np.stack([at, other], axis=1)]

        return rows


Faces = ArrayFaces | ClipFaces


def open_faces(data: ConfigDict, size: int, cache: str | pathlib.Path, pairs: str = "none") -> Faces:
    """The faces that a recipe asks for.

    Args:
      data: of a recipe.
      size: side of the faces in pixels.
      cache: folder for decoded faces.
      pairs: whether a draw is two frames of a clip: 'none', 'needed', or 'wanted', where clips are known.

    Returns:
      ClipFaces for a dataset of pcl_tf.prepare, ArrayFaces for any other source.

    Raises:
      Refused: no image, too many of them unreadable, or pairs are needed and no clip has two frames.
    """
    faces: Faces
    if prepared := find_clips(data.source):
        faces = ClipFaces(prepared, size, data.sampling, gap=None if pairs == "none" else data.gap)
    else:
        clips = pairs != "none" and (data.clips == "by_folder" or data.source == "generated")
        count = data.generated_images
        if not clips or data.source != "generated":
            source = open_source(data.source, count, size)
        elif data.clips == "scenes":
            source = generated_scenes(-(-count // 2), size)
        else:
            source = generated_clips(-(-count // FRAMES), FRAMES, size)
        decoded = decoded_faces(source, size, cache_dir=cache, max_unreadable_share=data.max_unreadable_share)
        faces = ArrayFaces(decoded["faces"])
        # All in one folder, or each in its own, are no clips.
        if clips and 1 < len(np.unique(decoded["folder"])) < len(faces):
            faces = PairedFaces(decoded["faces"], decoded["folder"], data.gap)
    if pairs == "needed" and len(faces.shape) == 3:
        raise Refused(
            f"--data={data.source}: the method learns from two frames of a clip, and none is known to have two. Give a"
            " dataset of pcl_tf.prepare, or images of which each folder is a clip with --set data.clips=by_folder."
        )
    return faces
