"""How a preparation writes, on a disk or in a bucket: one at a time, over nobody's files, whole files."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

import tensorflow as tf

from pcl_tf.errors import Refused
from pcl_tf.store import alone, write_atomically


def check_place(path: str) -> None:
    """Refuses to write a dataset over anything else.

    Args:
      path: of the dataset; an earlier call may have written some of it.

    Raises:
      Refused: a file, or a folder with something in it that is no dataset.
    """
    found = tf.io.gfile.listdir(path) if tf.io.gfile.isdir(path) else []
    is_file = tf.io.gfile.exists(path) and not tf.io.gfile.isdir(path)
    if is_file or found and "dataset_info.json" not in found:
        raise Refused(f"{path}: is no dataset and stands where one would be written; move it, or give another --out.")


@contextlib.contextmanager
def alone_at(folder: str) -> Iterator[None]:
    """Within, no other call works in a folder. Buckets have no locks: in them two can.

    Raises:
      Refused: another does.
    """
    if "://" in folder:
        yield
        return
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    lock = pathlib.Path(f"{folder}.lock")
    with alone(lock, Refused(f"{folder}: another process is preparing the same; wait until it ends.")):
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)  # a file system without locks has none


def remove_unfinished(path: str) -> None:
    """Removes what a stopped preparation wrote of a dataset: TFDS would take it for the whole.

    Args:
      path: of the dataset, which ``check_place`` let pass.
    """
    folder, version = os.path.split(path)
    if "://" not in path and os.path.isdir(path):  # at once: half of it would be taken for somebody's
        os.replace(path, os.path.join(folder, f"incomplete.{os.getpid()}_{version}"))
    beside = tf.io.gfile.listdir(folder) if tf.io.gfile.isdir(folder) else []
    names = (name.rstrip("/") for name in beside)  # as buckets list folders
    begun = [n for n in names if n.startswith("incomplete.") and n.endswith(f"_{version}")]
    for left in [*(os.path.join(folder, name) for name in begun), path]:
        if tf.io.gfile.isdir(left):
            tf.io.gfile.rmtree(left)


def write_whole(path: str, data: bytes) -> None:
    """Writes a file that is whole or does not exist."""
    if "://" not in path:  # TensorFlow does not sync: after a power cut an empty file would have the name
        return write_atomically(path, data)
    aside = f"{path}.{os.getpid()}.part"
    with tf.io.gfile.GFile(aside, "wb") as f:
        f.write(data)
    tf.io.gfile.rename(aside, path, overwrite=True)
