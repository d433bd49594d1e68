"""A whole preparation: lists the units, does those that are not done, writes a TFDS dataset of clips.

A record is a clip, so that a training step decodes one frame of each it draws.
"""

import concurrent.futures
import dataclasses
import glob
import io
import json
import os
import pathlib
import shutil
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from tqdm import tqdm

from pcl_tf.data.clips import SPEC
from pcl_tf.data.files import some
from pcl_tf.data.index import INDEX
from pcl_tf.errors import Refused
from pcl_tf.prepare import work
from pcl_tf.prepare.work import Notes, Settings, Unit
from pcl_tf.store import alone, read_json, sync, write_atomically


@dataclasses.dataclass(frozen=True)
class Limits:
    """Shares of files above which nothing is written: of unreadable ones, and of those without a face."""

    unreadable: float = 0.05
    no_face: float = 0.2


class Clips(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Clips of faces of one kind: 'frames' JPEG [T], 'times' float32 [T] in seconds, 'identity', 'clip'.

    Args:
      kind: 'voxceleb', 'videos' or 'images', which names the dataset.
      units: list of ``Unit``.
      settings: ``Settings``.
      folder: of the zips of ``work.prepare``.
      on_beam: whether Beam does the units and writes the records; else the units are done, and this process writes.
      **kwargs: data_dir.
    """

    VERSION = tfds.core.Version("1.0.0")

    def __init__(
        self, kind: str, units: list[Unit], *, settings: Settings, folder: str, on_beam: bool, **kwargs: Any
    ) -> None:
        self.name, self.units, self.settings, self.folder, self.on_beam = kind, units, settings, folder, on_beam
        config = tfds.core.BuilderConfig(name=settings.name, description=f"Clips of faces ({kind}).")
        # Training reads records in any order, which no other format allows.
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
        settings, folder = self.settings, self.folder  # Beam copies what the function refers to
        if not self.on_beam:
            return (e for unit in self.units for e in _examples(unit, settings, folder))
        import apache_beam as beam

        return (
            beam.Create(self.units)
            | "spread" >> beam.Reshuffle()
            | "prepare" >> beam.FlatMap(lambda unit: _examples(unit, settings, folder))
        )


def _examples(unit: Unit, settings: Settings, folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for clip, frames in work.clips(work.prepare(unit, settings, folder)):
        times, jpegs = zip(*frames, strict=True)
        row = {"frames": [io.BytesIO(f) for f in jpegs], "times": np.array(times, np.float32)}
        yield clip, {**row, "identity": unit.identity, "clip": clip}


def finish(builder: tfds.core.DatasetBuilder, files: int, notes: Notes, *, sheet: bytes) -> dict[str, int]:
    """Writes the files beside the records of a dataset, the index last; returns the counts of prepared.json.

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
        (work.SHEET, sheet),
        ("prepared.json", (json.dumps(counts, indent=1) + "\n").encode()),
        (INDEX, index.getvalue()),
    ):
        if name == INDEX:
            sync(pathlib.Path(folder))  # where the index is the records are whole
        write_atomically(os.path.join(folder, name), data)
    return counts


def finished(path: str) -> dict[str, int] | None:
    """The counts of a dataset that is whole, as one with an index is, else None."""
    return read_json(os.path.join(path, "prepared.json")) if os.path.exists(os.path.join(path, INDEX)) else None


def prepare_clips(
    kind: str,
    data: str | pathlib.Path,
    out: str | pathlib.Path,
    *,
    settings: Settings,
    limits: Limits = Limits(),  # noqa: B008
    workers: int = 0,
    beam_options: list[str] | None = None,
) -> tuple[str, dict[str, int]]:
    """Turns a tree of videos or images into a dataset of clips. The same call goes on where one was stopped.

    Args:
      kind, data: 'voxceleb', 'videos' or 'images', and their tree.
      out: TFDS's folder; the dataset is out/KIND/SETTINGS/VERSION.
      settings, limits: how faces are cut out, and what may be left out.
      workers: threads on this machine; 0 is one a core.
      beam_options: list of Beam's pipeline options; with any, Beam's runner does the units and writes the records.

    Returns:
      (path of the dataset, dict of counts).

    Raises:
      Refused: no such files, too many unreadable or without a face, or another call does the same now.
    """
    # Beside the dataset. Its name has the settings: with others the work begins anew.
    folder = os.path.join(str(out), f".{kind}-{settings.name}")

    # From its parts: a builder would read what a power cut left there.
    path = os.path.join(str(out), kind, settings.name, str(Clips.VERSION))
    todo: list[Unit] = []
    if finished(path) is None:
        _check_place(path)
        todo = work.list_units(kind, data)
    os.makedirs(folder, exist_ok=True)
    busy = Refused(f"{folder}: another process is preparing the same; wait until it ends.")
    with alone(os.path.join(folder, ".lock"), busy):
        counts = finished(path)  # again, for another call may have finished it meanwhile
        if counts is not None:
            print(f"{path} is prepared already; remove it to prepare it again.", flush=True)
        else:
            _remove_unfinished(path)  # before the builder below, which would read it
            on_beam = bool(beam_options)
            builder = Clips(kind, todo, settings=settings, folder=folder, on_beam=on_beam, data_dir=str(out))
            if beam_options:
                _build(builder, folder, beam_options)
            else:
                _on_this_machine(todo, settings, folder, workers=workers)
            paths = [work.path_of(unit, folder) for unit in todo]
            every = [work.notes_of(p) for p in paths]
            notes = Notes([row for n in every for row in n.unreadable], [row for n in every for row in n.no_face])
            seen = work.draw_sheet(paths)
            write_atomically(os.path.join(folder, work.SHEET), seen)  # to look at if the rest is refused
            files = sum(len(u.files) for u in todo)
            _check_shares(notes, files, limits, folder=folder)
            if not beam_options:
                _build(builder, folder, None)
            counts = finish(builder, files, notes, sheet=seen)
        shutil.rmtree(folder)
    return path, counts


def _check_place(path: str) -> None:
    """Raises Refused if path is a file, or a folder of files that are no dataset, whole or begun."""
    found = os.listdir(path) if os.path.isdir(path) else []
    if os.path.isfile(path) or found and "dataset_info.json" not in found:
        raise Refused(f"{path}: is no dataset and stands where one would be written; move it, or give another --out.")


def _remove_unfinished(path: str) -> None:
    """Removes the part of a dataset that a stopped preparation wrote: TFDS would take it for the whole."""
    folder, version = os.path.split(path)
    for pattern in (version, f"incomplete.*_{version}"):
        for part in glob.glob(os.path.join(glob.escape(folder), pattern)):
            shutil.rmtree(part)


def _on_this_machine(todo: list[Unit], settings: Settings, folder: str, *, workers: int) -> None:
    """Does the units in threads: decoding and TensorFlow release Python's lock; processes would load TensorFlow."""
    left = [unit for unit in todo if not os.path.exists(work.path_of(unit, folder))]
    with concurrent.futures.ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        jobs = [pool.submit(work.prepare, unit, settings, folder) for unit in left]
        bar = tqdm(desc="preparing", total=len(todo), initial=len(todo) - len(left), unit="unit", mininterval=1.0)
        try:
            for job in concurrent.futures.as_completed(jobs):
                job.result()
                bar.update()
        finally:
            bar.close()
            pool.shutdown(wait=False, cancel_futures=True)  # after an error the others finish the unit they are at


def _build(builder: tfds.core.DatasetBuilder, folder: str, beam_options: list[str] | None) -> None:
    options = None
    if beam_options:
        from apache_beam.options.pipeline_options import PipelineOptions

        options = PipelineOptions(beam_options)
    config = tfds.download.DownloadConfig(beam_options=options)
    builder.download_and_prepare(download_dir=os.path.join(folder, "downloads"), download_config=config)


def _check_shares(notes: Notes, files: int, limits: Limits, *, folder: str) -> None:
    """Prints which files are left out. Raises Refused: too many, or all."""
    without = [(name, "no face found") for name in notes.without_face]
    nothing = len(notes.unreadable) + len(without) == files  # whatever shares are allowed
    look = f"Look at {os.path.join(folder, work.SHEET)}; remove them, or leave out --detect"
    for rows, most, what, remedy, flag in (
        (notes.unreadable, limits.unreadable, "are unreadable", "Mend or remove them", "max_unreadable_share"),
        (without, limits.no_face, "show no face that was found", look, "max_no_face_share"),
    ):
        if not rows:
            continue
        named = some([f"{name} ({why})" for name, why in rows])
        message = f"{len(rows)} of {files} files ({len(rows) / files:.1%}) {what}: {named}."
        if nothing or len(rows) / files > most:
            before, more = ("Nothing is left: ", "") if nothing else ("", f", or allow more with --{flag}")
            raise Refused(f"{before}{message} {remedy}{more}.")
        print(f"Left out: {message}", file=sys.stderr, flush=True)
