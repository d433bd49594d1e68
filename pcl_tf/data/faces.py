"""Where a run's faces are read from, whatever the source: ``len``, ``size``, ``rows``, ``fetch``, ``head``.

Decoding costs more than the rest of the input pipeline together, and every epoch would pay it again: images are decoded
once, into an array on the disk. One uint8 row per face also makes the place in the data a plain number.
"""

import pathlib
import sys
from collections.abc import Callable, Sequence
from itertools import islice

import numpy as np
import tensorflow as tf
from ml_collections import ConfigDict
from tqdm import tqdm

from pcl_tf.data.clips import ClipFaces, find_clips
from pcl_tf.data.images import decode_all, left_out
from pcl_tf.data.order import Order
from pcl_tf.data.sources import Source, open_source
from pcl_tf.errors import Refused
from pcl_tf.rows import Rows, filled
from pcl_tf.store import check, write_atomically

_AT_ONCE = 2**24  # bytes of faces that are brought to the disk together


def decoded_faces(
    source: Source,
    size: int,
    *,
    cache_dir: str | pathlib.Path,
    max_unreadable_share: float = 0.05,
    flag: str = "--recipe.data.cache",
) -> np.ndarray:
    """Decodes a source, or opens what an earlier run decoded; goes on where one was killed.

    Unreadable images are left out, counted, and named in ``unreadable.txt`` in cache_dir. Of processes that want the
    same faces one decodes them, the others wait for it.

    Args:
      source: ``Source``.
      size: side of the faces in pixels.
      cache_dir: folder of the faces of all sources.
      max_unreadable_share: share of unreadable images above which the run stops.
      flag: of the command, that gives cache_dir, for errors.

    Returns:
      read-only uint8 memmap [N, size, size, 3].

    Raises:
      Refused: too many unreadable images; or the faces are not in cache_dir, and it cannot be written to.
    """
    cache = pathlib.Path(cache_dir)
    folder = cache / f"faces-{source.fingerprint}-{size}"
    if not Rows(folder).whole:
        check(cache, flag, folder=True)

    def fill(rows: Rows) -> None:
        unreadable = _decode(source, size, rows)
        write_atomically(cache / "unreadable.txt", "".join(f"{name}\t{why}\n" for name, why in unreadable))
        _check_share(unreadable, source, named_in=cache / "unreadable.txt", most=max_unreadable_share)

    return filled(folder, fill, "faces")["faces"]


def _decode(source: Source, size: int, rows: Rows) -> Sequence[tuple[str, str]]:
    """Appends the faces that are missing. Returns (name, reason) of the images that are unreadable."""
    unreadable = rows.notes.get("unreadable", [])
    first = rows.rows + len(unreadable)
    decoded = decode_all(islice(source.items(), first, None), size)
    bar = tqdm(total=source.count, initial=first, desc="decoding faces", unit="img", file=sys.stderr, mininterval=1.0)
    with bar:
        while some := list(islice(decoded, max(1, _AT_ONCE // (3 * size**2)))):
            faces = np.array([face for _, face, _ in some if face is not None], np.uint8).reshape(-1, size, size, 3)
            unreadable = [*unreadable, *((name, why) for name, face, why in some if face is None)]
            rows.append({"faces": faces}, unreadable=unreadable)
            bar.update(len(some))
    return unreadable


def _check_share(unreadable: Sequence[tuple[str, str]], source: Source, *, named_in: pathlib.Path, most: float) -> None:
    """Raises Refused: more than this share of the images is unreadable, or all of them."""
    if not unreadable:
        return
    share = len(unreadable) / source.count
    note = f"{source.name}: {left_out(unreadable, source.count)} All are named in {named_in}."
    if share > most or len(unreadable) == source.count:
        more = ", or allow more with --recipe.data.max_unreadable_share" if share < 1 else ""
        raise Refused(f"{note} That is too many: mend or remove them{more}.")
    print(note, file=sys.stderr)


class ArrayFaces:
    """Decoded faces, each drawn once an epoch.

    Args:
      array: uint8 [N, S, S, 3], often a memmap.
    """

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.size = array, array.shape[1]

    def __len__(self) -> int:
        return len(self.array)

    def rows(self, batch: int, seed: int) -> Callable[[int], np.ndarray]:
        """``rows(step)``: int64 [batch], the faces of a step."""
        return Order(len(self), batch, seed).rows

    def fetch(self, rows: tf.Tensor) -> tf.Tensor:
        """int64 [n] -> uint8 [n, S, S, 3]; a graph function for tf.data."""
        return tf.numpy_function(self._read, [rows], tf.uint8, stateful=False)

    def _read(self, rows: np.ndarray) -> np.ndarray:
        # Sorted reads are kinder to the disk when the array does not fit into memory.
        ranks = np.argsort(rows)
        out = np.empty((len(rows), *self.array.shape[1:]), np.uint8)
        out[ranks] = self.array[rows[ranks]]
        return out

    def head(self, count: int) -> np.ndarray:
        """uint8 [count, S, S, 3]: the first faces."""
        return np.array(self.array[:count])


def open_faces(data: ConfigDict, size: int, cache: str | pathlib.Path) -> ArrayFaces | ClipFaces:
    """The faces that a recipe asks for.

    Args:
      data: ConfigDict ``data`` of a recipe.
      size: side of the faces in pixels.
      cache: folder for decoded faces.

    Returns:
      ClipFaces for a dataset of pcl_tf.prepare, ArrayFaces for any other source.

    Raises:
      Refused: no image, or too many of them unreadable.
    """
    prepared = find_clips(data.source)
    if prepared:
        return ClipFaces(prepared, size, data.sampling)
    source = open_source(data.source, data.generated_images, size)
    share = data.max_unreadable_share
    return ArrayFaces(decoded_faces(source, size, cache_dir=cache, max_unreadable_share=share))
