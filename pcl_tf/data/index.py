"""The index of a dataset of clips: where it is, and what it says; of local folders without TensorFlow."""

import glob
import io
import os
import pathlib
from collections.abc import Callable

import numpy as np

from pcl_tf.errors import Refused

INDEX = "clips.npz"  # beside the records: frames, times and person of each, in the order of the records


def read_index(folder: str | pathlib.Path) -> dict[str, np.ndarray]:
    """The index of a dataset of clips: 'frames' int32 [N], 'times' float32 [their sum], 'identity' int32 [N], 'names' text [I].

    Raises:
      Refused: it is damaged, or missing.
    """
    path = os.path.join(str(folder), INDEX)
    try:
        if "://" in path:  # TensorFlow takes no names that are not UTF-8
            import tensorflow as tf

            with tf.io.gfile.GFile(path, "rb") as f:
                data = f.read()
        else:
            data = pathlib.Path(path).read_bytes()
        return dict(np.load(io.BytesIO(data)))
    except Exception as error:  # numpy, zipfile, zlib and TensorFlow raise a dozen kinds for a damaged file
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise Refused(f"--data={path}: cannot be read ({why}); remove its folder and prepare it again.") from error


def find_clips(path: str | pathlib.Path) -> str | None:
    """The folder at or below path that holds a dataset of clips, or None.

    Raises:
      Refused: several do, or it is in a file system that TensorFlow cannot read.
    """
    path = str(path).rstrip("/")
    if "://" not in path:  # TensorFlow takes no names that are not UTF-8
        return _only(glob.glob, path)
    import tensorflow as tf

    try:
        return _only(tf.io.gfile.glob, path)
    except tf.errors.OpError as error:
        raise Refused(f"--data={path}: cannot be looked into ({str(error).splitlines()[0]}).") from error


def _only(find: Callable[[str], list[str]], path: str) -> str | None:
    deeper = ("", "*", "*/*", "*/*/*")  # KIND/SETTINGS/VERSION
    found = [f for pattern in deeper for f in find(os.path.join(glob.escape(path), pattern, INDEX))]
    if len(found) > 1:
        raise Refused(
            f"--data={path}: holds several datasets; give one of\n  " + "\n  ".join(map(os.path.dirname, found))
        )
    return os.path.dirname(found[0]) if found else None
