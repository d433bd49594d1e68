"""TFDS datasets of clips: a record is a clip, so that a training step decodes one frame of each it draws."""

import io
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from pcl_tf.data.clips import INDEX, SPEC
from pcl_tf.prepare.units import Unit
from pcl_tf.prepare.work import SHEET, Notes, Settings, clips, prepare, write_whole
from pcl_tf.store import sync


class Clips(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Clips of faces of one kind: 'frames' JPEG [T], 'times' float32 [T] in seconds, 'identity', 'clip'.

    Args:
      kind: 'voxceleb', 'videos' or 'images', which names the dataset.
      units: list of ``Unit``.
      settings: ``Settings``.
      folder: of the zips of ``work.prepare``.
      on_beam: whether Beam does the rest too; otherwise the units are done and this process writes the records.
      **kwargs: data_dir.
    """

    VERSION = tfds.core.Version("1.0.0")

    def __init__(
        self, kind: str, units: list[Unit], *, settings: Settings, folder: str, on_beam: bool, **kwargs: Any
    ) -> None:
        self.name, self.units, self.settings, self.folder, self.on_beam = kind, units, settings, folder, on_beam
        config = tfds.core.BuilderConfig(name=settings.name, description=f"Clips of faces ({kind}).")
        # Training reads records at random places, which no other format allows.
        super().__init__(config=config, file_format="array_record", **kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        side = self.settings.size
        frames = tfds.features.Sequence(tfds.features.Image(shape=(side, side, 3), encoding_format="jpeg"))
        times = tfds.features.Sequence(tfds.features.Scalar(np.float32))
        rows = {"frames": frames, "times": times, "identity": tfds.features.Text(), "clip": tfds.features.Text()}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(rows))

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Any:
        settings, folder = self.settings, self.folder  # Beam takes a copy of what the function names
        if not self.on_beam:
            return (e for unit in self.units for e in _examples(unit, settings, folder))
        import apache_beam as beam

        return (
            beam.Create(self.units)
            | "spread" >> beam.Reshuffle()
            | "prepare" >> beam.FlatMap(lambda unit: _examples(unit, settings, folder))
        )


def _examples(unit: Unit, settings: Settings, folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for clip, frames in clips(prepare(unit, settings, folder)):
        times, jpegs = zip(*frames, strict=True)
        row = {"frames": [io.BytesIO(f) for f in jpegs], "times": np.array(times, np.float32)}
        yield clip, {**row, "identity": unit.identity, "clip": clip}


def finish(builder: tfds.core.DatasetBuilder, files: int, notes: Notes, *, sheet: bytes) -> dict[str, int]:
    """Writes what lies beside the records of a prepared dataset, the index last; returns the counts of prepared.json.

    files: their number; notes: of all of them; sheet: PNG bytes.
    """
    source = builder.as_data_source(split="train", deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES)
    frames: Any = []
    times: list[np.ndarray] = []
    people: list[str] = []
    for start in range(0, len(source), 256):
        records = source.__getitems__(range(start, min(start + 256, len(source))))
        parsed = tf.io.parse_example(tf.constant(records), SPEC)
        frames.append(parsed["frames"].row_lengths().numpy())
        times.append(parsed["times"].values.numpy())
        people += [name.decode() for name in parsed["identity"].numpy()]
    frames = np.concatenate(frames).astype(np.int32)
    names, identity = np.unique(people, return_inverse=True)
    counts = {
        "clips": len(frames),
        "frames": int(frames.sum()),
        "identities": len(names),
        "bytes": int(builder.info.dataset_size),
        "files": files,
        "unreadable": len(notes.unreadable),
        "without a face": len(notes.without_face),
        "frames without a face": sum(missed for _, missed, _ in notes.no_face),
    }
    rows = (f"{name}\t{missed} of {frames} frames\n" for name, missed, frames in notes.no_face)
    index = io.BytesIO()
    held = {"frames": frames, "times": np.concatenate(times), "identity": identity.astype(np.int32), "names": names}
    np.savez(index, **held)
    folder = str(builder.data_path)
    for name, data in (
        ("unreadable.txt", "".join(f"{name}\t{why}\n" for name, why in notes.unreadable).encode()),
        ("no_face.txt", "".join(rows).encode()),
        (SHEET, sheet),
        ("prepared.json", (json.dumps(counts, indent=1) + "\n").encode()),
        (INDEX, index.getvalue()),
    ):
        if name == INDEX and "://" not in folder:
            sync(pathlib.Path(folder))  # the index means that the records are whole
        write_whole(os.path.join(folder, name), data)
    return counts


def finished(path: str) -> dict[str, int] | None:
    """The counts of a dataset that is whole, which its index tells, else None."""
    if not tf.io.gfile.exists(os.path.join(path, INDEX)):
        return None
    with tf.io.gfile.GFile(os.path.join(path, "prepared.json")) as f:
        return json.load(f)
