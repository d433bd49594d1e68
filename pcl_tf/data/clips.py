"""Faces of a dataset of clips: a draw is one frame of a clip, or two, and only these are decoded."""

import pathlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from pcl_tf.data.in_graph import decode_face
from pcl_tf.data.index import INDEX, read_index
from pcl_tf.data.order import Order, generator
from pcl_tf.errors import Refused

SPEC = {
    "frames": tf.io.RaggedFeature(tf.string, row_splits_dtype=tf.int64),
    "times": tf.io.RaggedFeature(tf.float32, row_splits_dtype=tf.int64),
    "identity": tf.io.FixedLenFeature([], tf.string),
}


class Pairs:
    """Draws a second frame of the same clip.

    Args:
      counts: int [C], how many frames each clip has, two at least.
      times: float [sum of counts], seconds of each frame, rising within a clip; None where they are unknown.
      gap: least distance of the two, in seconds, or in frames if times are unknown; 0 is any two. In a clip without a
        frame so far away the second is its farther end.
    """

    def __init__(self, counts: np.ndarray, times: np.ndarray | None = None, gap: float = 0.0) -> None:
        self.counts = np.asarray(counts, np.int64)
        self.start = np.cumsum(self.counts) - self.counts
        self.gap = max(0.0, gap - 1e-3)  # clocks of videos are rounded
        clip = np.repeat(np.arange(len(self.counts)), self.counts)
        within = np.arange(len(clip)) - self.start[clip] if times is None else np.asarray(times, np.float64)
        # All clips on one axis of time, farther apart than the gap: one search serves a batch.
        self.at = within + clip * (np.ptp(within) + 2.0 * gap + 1.0)

    def other(self, clip: np.ndarray, frame: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """int64 [n], another frame of each clip; clip, frame: int64 [n], the first frames."""
        start, count = self.start[clip], self.counts[clip]
        at = self.at[start + frame]
        before = np.clip(np.searchsorted(self.at, at - self.gap, "right") - start, 0, frame)  # frames 0 .. before - 1
        after = np.clip(np.searchsorted(self.at, at + self.gap, "left") - start, frame + 1, count)
        possible = before + count - after
        drawn = random.integers(np.maximum(possible, 1))
        drawn = drawn + (drawn >= before) * (after - before)
        farther = np.where(self.at[start + count - 1] - at >= at - self.at[start], count - 1, 0)
        return np.where(possible > 0, drawn, farther)


class ClipFaces:
    """Draws faces from clips. In memory is the index alone: eight bytes a clip, for pairs eight more a frame.

    Args:
      folder: of the dataset.
      size: side of the faces in pixels.
      sampling: 'clip', every clip once an epoch, a random frame of it; 'identity', a random frame of a random clip of
        a random person; 'frame', any frame as likely as any other. The last two draw with replacement.
      gap: of ``Pairs``; a draw is then two frames of a clip, if any clip has two. None draws single frames.

    Attributes:
      shape: of a draw, (size, size, 3) or (2, size, size, 3).
    """

    def __init__(
        self, folder: str | pathlib.Path, size: int, sampling: str = "clip", *, gap: float | None = None
    ) -> None:
        import tensorflow_datasets as tfds

        self.size, self.sampling = size, sampling
        builder = tfds.builder_from_directory(str(folder))
        raw = tfds.decode.DeserializeMethod.RAW_BYTES
        self.source = builder.as_data_source(split="train", deserialize_method=raw)
        index = read_index(folder)
        if len(index["frames"]) != len(self.source):
            raise Refused(f"--data={folder}: {INDEX} is of other records; remove it and prepare again.")
        pairs = gap is not None and index["frames"].max() > 1
        use = index["frames"] >= (2 if pairs else 1)
        self.records = np.flatnonzero(use)  # a draw's clip is a place in it
        self.frames = index["frames"][use]
        self.pairs = Pairs(self.frames, index["times"][np.repeat(use, index["frames"])], gap or 0.0) if pairs else None
        self.shape = (2, size, size, 3) if pairs else (size, size, 3)
        if sampling == "identity":
            _, person, self.count = np.unique(index["identity"][use], return_inverse=True, return_counts=True)
            self.by_person = np.argsort(person, kind="stable")
            self.start = np.cumsum(self.count) - self.count
        if sampling == "frame":
            self.ends = np.cumsum(self.frames, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.frames)

    def rows(self, batch: int, seed: int) -> Callable[[int], np.ndarray]:
        """``rows(step)``: int64 [batch, 2], clip and frame of every draw of a step, a pure function of (seed, step).

        Of pairs [batch, 3]: clip, frame, other frame.
        """
        order = Order(len(self), batch, seed)

        def rows(step: int) -> np.ndarray:
            random = generator(seed, step)
            if self.sampling == "frame":
                at = random.integers(self.ends[-1], size=batch)
                clip = np.searchsorted(self.ends, at, side="right")
                frame = at - self.ends[clip] + self.frames[clip]
            else:
                clip = order.rows(step)
                if self.sampling == "identity":
                    person = random.integers(len(self.count), size=batch)
                    clip = self.by_person[self.start[person] + random.integers(self.count[person])]
                frame = random.integers(self.frames[clip])
            others = [self.pairs.other(clip, frame, random)] if self.pairs else []
            return np.stack([clip, frame, *others], axis=1)

        return rows

    def fetch(self, rows: tf.Tensor) -> tf.Tensor:
        """int64 [n, 1 + k] -> uint8 [n, size, size, 3] of k = 1 frame, [n, k, size, size, 3] of more; for tf.data.

        A record is read once for all its frames.
        """
        records = tf.numpy_function(self._read, [rows[:, 0]], tf.string, stateful=False)
        records.set_shape([None])
        frames = tf.io.parse_example(records, {"frames": SPEC["frames"]})["frames"]
        chosen = tf.gather(frames.values, tf.reshape(frames.row_starts()[:, None] + rows[:, 1:], [-1]))
        shape = tf.TensorSpec([self.size, self.size, 3], tf.uint8)
        faces = tf.map_fn(lambda data: decode_face(data, self.size), chosen, fn_output_signature=shape)
        return faces if rows.shape[1] == 2 else tf.reshape(faces, [-1, rows.shape[1] - 1, *shape.shape])

    def _read(self, clips: np.ndarray) -> np.ndarray:
        return np.array(self.source.__getitems__(self.records[clips].tolist()), dtype=object)

    def head(self, count: int) -> np.ndarray:
        """uint8 [count, size, size, 3]: the middle frames of the first clips."""
        clips = np.arange(min(count, len(self)))
        return self.fetch(tf.constant(np.stack([clips, self.frames[clips] // 2], axis=1))).numpy()
