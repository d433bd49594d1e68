"""Faces decoded once: a memory-mapped array every epoch reads from.

Decoding costs more than the rest of the input pipeline together, and every
epoch would pay it again. One uint8 row per face also makes the place in the
data a plain number.
"""

import io
import math
import os
import pathlib
import shutil
import sys

import numpy as np
from tqdm import tqdm

from pcl_tf.data.images import decode_all
from pcl_tf.data.sources import Source
from pcl_tf.errors import Refused
from pcl_tf.store import alone, check, sync, write_atomically


def faces_file(source: Source, size: int) -> str:
    """Name of the array of a source's faces in a folder of caches."""
    return f"faces-{source.fingerprint}-{size}.npy"


def decoded_faces(
    source: Source,
    size: int,
    *,
    cache_dir: str | pathlib.Path,
    max_bad_share: float = 0.05,
    flag: str = "--recipe.data.cache",
) -> np.ndarray:
    """Decodes a source, or opens what an earlier run decoded.

    Unreadable images are left out, counted, and named in ``bad_images.txt`` in
    cache_dir. The array is written aside and renamed into place when whole. Of
    processes that want the same faces one decodes them, the others wait for it.

    Args:
      source: ``pcl_tf.data.sources.Source``.
      size: side of the faces in pixels.
      cache_dir: folder for the arrays.
      max_bad_share: share of unreadable images above which the run stops.
      flag: of the command, that says where cache_dir is, for errors.

    Returns:
      read-only uint8 memmap [N, size, size, 3].

    Raises:
      Refused: too many unreadable images, or the disk is too small.
      Refused: nothing can be written in cache_dir, where it does not hold them already.
    """
    cache = pathlib.Path(cache_dir)
    path = cache / faces_file(source, size)
    if not _is_whole(path):
        check(cache, flag, folder=True)
        cache.mkdir(parents=True, exist_ok=True)
        busy = f"{path}: another process decodes these faces; waiting for it."
        with alone(path.with_name(f".{path.stem}.lock"), busy):
            if not _is_whole(path):
                if path.exists():
                    print(f"{path}: is damaged, the faces are decoded again.", file=sys.stderr)
                for left in cache.glob(f"{path.stem}.*.part"):  # of killed processes, each as large as the array
                    left.unlink()
                _check_space(cache, source.count * size * size * 3, flag)
                _decode(source, size, path, bad_path=cache / "bad_images.txt", max_bad_share=max_bad_share)
    return np.load(path, mmap_mode="r")


def _is_whole(path: pathlib.Path) -> bool:
    """Whether the array is there; one that cannot be opened, of a copy that stopped, is not."""
    try:
        np.load(path, mmap_mode="r")
    except (FileNotFoundError, NotADirectoryError, ValueError, EOFError):
        return False
    return True


def _check_space(folder: pathlib.Path, needed: int, flag: str) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise Refused(
            f"{folder}: the decoded faces need {needed / 1e9:.2f} GB and {free / 1e9:.2f} GB are free."
            f" Give a {flag} on a larger disk or fewer images."
        )


def _decode(source: Source, size: int, path: pathlib.Path, *, bad_path: pathlib.Path, max_bad_share: float) -> None:
    aside = path.with_suffix(f".{os.getpid()}.part")
    bad, kept = [], 0
    try:
        faces = np.lib.format.open_memmap(aside, "w+", np.uint8, (source.count, size, size, 3))
        with open(aside, "r+b") as f:  # a full disk is an error here and a crash (SIGBUS) when a hole is written to
            os.posix_fallocate(f.fileno(), 0, os.fstat(f.fileno()).st_size)
        with tqdm(total=source.count, desc="decoding faces", unit="img", file=sys.stderr, mininterval=1.0) as bar:
            for name, face, error in decode_all(source.items(), size):
                if error is None:
                    faces[kept] = face
                    kept += 1
                else:
                    bad.append((name, error))
                bar.update()
        _report(bad, source, bad_path, max_bad_share=max_bad_share)
        faces.flush()
        _finish(aside, path, kept, shape=faces.shape)
    finally:
        aside.unlink(missing_ok=True)


def _report(bad: list[tuple[str, str]], source: Source, bad_path: pathlib.Path, *, max_bad_share: float) -> None:
    write_atomically(bad_path, "".join(f"{name}\t{error}\n" for name, error in bad))
    if not bad:
        return
    share = len(bad) / source.count
    first = "\n".join(f"  {name}: {error}" for name, error in bad[:5])
    message = f"{len(bad)} of {source.count} images ({share:.1%}) of {source.name} cannot be read; all are named in {bad_path}. The first:\n{first}"
    if share > max_bad_share or len(bad) == source.count:
        more = ", or allow more with --recipe.data.max_bad_share" if share < 1 else ""  # no share allows none at all
        raise Refused(f"{message}\nMend or remove them{more}.")
    tqdm.write(f"Left out: {message}", file=sys.stderr)


def _finish(aside: pathlib.Path, path: pathlib.Path, kept: int, *, shape: tuple[int, ...]) -> None:
    if kept < shape[0]:  # rows of bad images were never written: the file is cut to what is there, its header says so
        offset = np.load(aside, mmap_mode="r").offset
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "|u1", "fortran_order": False, "shape": (kept, *shape[1:])}
        )
        assert header.tell() == offset  # numpy leaves room for any number of rows
        with open(aside, "r+b") as f:
            f.write(header.getvalue())
            f.truncate(offset + kept * math.prod(shape[1:]))
    sync(aside)
    os.replace(aside, path)
