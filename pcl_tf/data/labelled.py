"""A folder of class folders, for the online probe."""

import pathlib

import numpy as np

from pcl_tf.data.images import decode_image
from pcl_tf.data.sources import SUFFIXES, DataError


def class_folders(path, size, limit=4000):
    """Reads ``path/CLASS/*.jpg``.

    Args:
      path: the folder.
      size: side in pixels.
      limit: at most this many images, spread evenly over the sorted files.

    Returns:
      (uint8 [N, size, size, 3], int [N], class names); images that cannot be read are left out.

    Raises:
      DataError: fewer than two classes.
    """
    import tensorflow as tf

    root = pathlib.Path(path)
    files = sorted(p for p in root.glob("*/*") if p.suffix.lower() in SUFFIXES)
    names = sorted({p.parent.name for p in files})
    if len(names) < 2:
        raise DataError(f"--recipe.watch.labelled={path}: needs one folder of images per class, at least two.")
    files = files[:: max(1, len(files) // limit)]
    images, labels = [], []
    for p in files:
        try:
            images.append(decode_image(tf.constant(p.read_bytes()), size).numpy())
        except (tf.errors.OpError, OSError):
            continue
        labels.append(names.index(p.parent.name))
    return np.stack(images), np.array(labels), names
