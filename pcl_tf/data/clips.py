"""Faces of a dataset of clips: one frame of one clip a draw, and nothing but that frame is decoded."""

import glob
import io
import os
import pathlib
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from pcl_tf.data.in_graph import decode_face
from pcl_tf.data.order import Order
from pcl_tf.errors import Refused

INDEX = "clips.npz"  # beside the records: how many frames each has and whom it shows, in their order
SPEC = {
    "frames": tf.io.RaggedFeature(tf.string, row_splits_dtype=tf.int64),
    "identity": tf.io.FixedLenFeature([], tf.string),
}


def read_index(folder: str | pathlib.Path) -> dict[str, np.ndarray]:
    """Reads the index of a dataset of clips, in any file system TensorFlow knows.

    Returns:
      dict of 'frames' int32 [N], 'identity' int32 [N] and 'names' string [I].

    Raises:
      Refused: it is damaged, or missing.
    """
    path = os.path.join(str(folder), INDEX)
    try:
        # TensorFlow takes no names that are not UTF-8.
        with tf.io.gfile.GFile(path, "rb") if "://" in path else open(path, "rb") as f:
            return dict(np.load(io.BytesIO(f.read())))
    except (OSError, ValueError, zipfile.BadZipFile, EOFError, zlib.error, RuntimeError, tf.errors.OpError) as error:
        why = str(error).splitlines()[0]
        raise Refused(f"--data={path}: cannot be read ({why}); remove its folder and prepare it again.") from error


def find_clips(path: str | pathlib.Path) -> str | None:
    """The folder at or below path that holds a dataset of clips, or None.

    Raises:
      Refused: several do, or it is in a file system that TensorFlow cannot read.
    """
    path = str(path).rstrip("/")
    deeper = ("", "*", "*/*", "*/*/*")  # KIND/SETTINGS/VERSION
    find = tf.io.gfile.glob if "://" in path else glob.glob  # TensorFlow takes no names that are not UTF-8
    try:
        found = [f for pattern in deeper for f in find(os.path.join(glob.escape(path), pattern, INDEX))]
    except tf.errors.OpError as error:
        raise Refused(f"--data={path}: cannot be looked into ({str(error).splitlines()[0]}).") from error
    if len(found) > 1:
        raise Refused(
            f"--data={path}: holds several datasets; give one of\n  " + "\n  ".join(map(os.path.dirname, found))
        )
    return os.path.dirname(found[0]) if found else None


class ClipFaces:
    """Draws of faces from clips; memory is the index, eight bytes a clip.

    Args:
      folder: of the dataset.
      size: side of the faces in pixels.
      sampling: 'clip', every clip once an epoch, a random frame of it; 'identity', a random frame of a random clip of
        a random person; 'frame', any frame as likely as any other. The last two draw with replacement.
    """

    def __init__(self, folder: str | pathlib.Path, size: int, sampling: str = "clip") -> None:
        import tensorflow_datasets as tfds

        self.size, self.sampling = size, sampling
        builder = tfds.builder_from_directory(str(folder))
        raw = tfds.decode.DeserializeMethod.RAW_BYTES
        self.source = builder.as_data_source(split="train", deserialize_method=raw)
        index = read_index(folder)
        self.frames = index["frames"]
        if len(self.frames) != len(self.source):
            raise Refused(f"--data={folder}: {INDEX} is of other records; remove it and prepare again.")
        if sampling == "identity":
            self.by_person = np.argsort(index["identity"], kind="stable")
            counts = np.bincount(index["identity"])
            self.start, self.count = np.cumsum(counts) - counts, counts
        if sampling == "frame":
            self.ends = np.cumsum(self.frames, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.frames)

    def rows(self, batch: int, seed: int) -> Callable[[int], np.ndarray]:
        """``rows(step)``: int64 [batch, 2], clip and frame of every draw of a step; a pure function of (seed, step)."""
        order = Order(len(self), batch, seed)

        def rows(step: int) -> np.ndarray:
            random = np.random.Generator(np.random.Philox(key=[seed, 2**32 + int(step)]))  # Order's keys are epochs
            if self.sampling == "frame":
                at = random.integers(self.ends[-1], size=batch)
                clip = np.searchsorted(self.ends, at, side="right")
                return np.stack([clip, at - self.ends[clip] + self.frames[clip]], axis=1)
            if self.sampling == "identity":
                person = random.integers(len(self.count), size=batch)
                clip = self.by_person[self.start[person] + random.integers(self.count[person])]
            else:
                clip = order.rows(step)
            return np.stack([clip, random.integers(self.frames[clip])], axis=1)

        return rows

    def fetch(self, rows: tf.Tensor) -> tf.Tensor:
        """int64 [n, 2] -> uint8 [n, size, size, 3]; a graph function for tf.data."""
        records = tf.numpy_function(self._read, [rows[:, 0]], tf.string, stateful=False)
        records.set_shape([None])
        frames = tf.io.parse_example(records, {"frames": SPEC["frames"]})["frames"]
        chosen = tf.gather(frames.values, frames.row_starts() + rows[:, 1])
        shape = tf.TensorSpec([self.size, self.size, 3], tf.uint8)
        return tf.map_fn(lambda data: decode_face(data, self.size), chosen, fn_output_signature=shape)

    def _read(self, clips: np.ndarray) -> np.ndarray:
        return np.array(self.source.__getitems__(clips.tolist()), dtype=object)

    def head(self, count: int) -> np.ndarray:
        """uint8 [count, size, size, 3]: the middle frames of the first clips."""
        clips = np.arange(min(count, len(self)))
        return self.fetch(tf.constant(np.stack([clips, self.frames[clips] // 2], axis=1))).numpy()
