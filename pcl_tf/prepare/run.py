"""A whole preparation: list the units, do those that are not done, write the records."""

import concurrent.futures
import contextlib
import os
import pathlib
import sys
import threading
from typing import cast

import tensorflow as tf
import tensorflow_datasets as tfds
from tqdm import tqdm

from pcl_tf.errors import Refused
from pcl_tf.prepare import clips, detector, sheet, units, work

KINDS = {
    "voxceleb": (units.voxceleb_units, clips.Voxceleb),
    "videos": (units.video_units, clips.Videos),
    "images": (units.image_units, clips.Images),
}


def prepare_clips(
    kind: str,
    manual_dir: str | pathlib.Path,
    data_dir: str | pathlib.Path,
    *,
    settings: work.Settings,
    workers: int = 0,
    beam_options: list[str] | None = None,
    max_broken_share: float = 0.05,
    max_no_face_share: float = 0.2,
) -> tuple[str, dict[str, int]]:
    """Turns a tree of videos or images into a dataset of clips. The same call goes on where one was stopped.

    Args:
      kind: 'voxceleb', 'videos' or 'images'.
      manual_dir: the tree.
      data_dir: TFDS's folder; the dataset is data_dir/KIND/SETTINGS/VERSION.
      settings: ``Settings``.
      workers: threads on this machine; 0 is one a core.
      beam_options: list of Beam's pipeline options; with any, Beam's runner does the units and writes the records.
      max_broken_share: share of broken files above which nothing is written.
      max_no_face_share: the same of files in which no face is found.

    Returns:
      (path of the dataset, dict of counts).

    Raises:
      Refused: nothing there, too much of it broken or without a face, nothing left, or another call does it now.
    """
    list_units, make = KINDS[kind]
    # Beside the dataset, whose name says the settings: other settings are other work.
    folder = os.path.join(str(data_dir), f".{kind}-{settings.name}")
    builder = make([], settings, folder, data_dir=str(data_dir))
    path = str(builder.data_path)
    todo: list[units.Unit] = []
    if clips.finished(builder) is None:
        work.check_place(path)
        if settings.margin:
            detector.check_installed()
        todo = list_units(manual_dir)
    # A folder is left beside a dataset where a call was killed as it ended.
    with work.alone_at(folder) if todo or tf.io.gfile.isdir(folder) else contextlib.nullcontext():
        counts = clips.finished(builder)  # asked again: another call may have ended meanwhile
        if counts is not None:
            print(f"{path} is prepared already; remove it to prepare it again.", flush=True)
        else:
            work.remove_unfinished(path)  # before the builder below, which reads what is there
            with _Progress(todo, folder):
                if not beam_options:
                    _on_this_machine(todo, settings, folder, workers=workers)
                builder = make(todo, settings, folder, on_beam=bool(beam_options), data_dir=str(data_dir))
                if beam_options:
                    _build(builder, folder, beam_options)
            paths = [work.path_of(unit, folder) for unit in todo]
            every = [work.notes_of(path) for path in paths]
            notes = work.Notes([row for n in every for row in n.broken], [row for n in every for row in n.no_face])
            seen = sheet.of_units(paths)
            work.write_whole(os.path.join(folder, sheet.NAME), seen)  # to be looked at where the rest is refused
            files = sum(len(u.files) for u in todo)
            _check_shares(notes, files, max_broken_share, max_no_face=max_no_face_share, folder=folder)
            if not beam_options:
                _build(builder, folder)
            counts = clips.finish(builder, files, notes, sheet=seen)
        if tf.io.gfile.isdir(folder):
            tf.io.gfile.rmtree(folder)
    return path, counts


def _on_this_machine(todo: list[units.Unit], settings: work.Settings, folder: str, *, workers: int) -> None:
    """Does the units in threads: decoding and TensorFlow leave Python's lock, and a process more would load TensorFlow."""
    left, lock, ended = iter(todo), threading.Lock(), threading.Event()

    def do_units() -> None:
        while not ended.is_set():
            with lock:
                unit = next(left, None)
            if unit is None:
                return
            try:
                work.prepare(unit, settings, folder)
            except BaseException:
                ended.set()  # the others finish the unit they are at: it is kept
                raise

    workers = workers or cast(int, os.cpu_count())
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        try:
            for done in [pool.submit(do_units) for _ in range(workers)]:
                done.result()
        finally:
            ended.set()


def _build(builder: tfds.core.DatasetBuilder, folder: str, beam_options: list[str] | None = None) -> None:
    options = None
    if beam_options:
        from apache_beam.options.pipeline_options import PipelineOptions

        options = PipelineOptions(beam_options)
    config = tfds.download.DownloadConfig(beam_options=options)
    builder.download_and_prepare(download_dir=os.path.join(folder, "downloads"), download_config=config)


def _check_shares(notes: work.Notes, files: int, max_broken: float, *, max_no_face: float, folder: str) -> None:
    """Says what is left out. Raises Refused: it is too much, or everything."""
    faceless = [(name, "no face found") for name in notes.faceless]
    looked_at = f"Look at {os.path.join(folder, sheet.NAME)}"
    if len(notes.broken) + len(faceless) == files:  # whatever shares are allowed
        remedies = [*(["Mend or replace them."] if notes.broken else [])]
        remedies += [f"{looked_at}; replace them, or leave out --detect."] if faceless else []
        raise Refused(
            f"Nothing is left: of {files} files {len(notes.broken)} are broken, and {len(faceless)} show no face that was"
            f" found. The first:\n{_first([*notes.broken, *faceless])}\n{' '.join(remedies)}"
        )
    kinds = (
        (
            notes.broken,
            max_broken,
            "are broken",
            "Mend or remove them, or allow more with --max_bad_share",
            "broken.txt",
        ),
        (
            faceless,
            max_no_face,
            "show no face that was found",
            f"{looked_at}; remove them, leave out --detect, or allow more with --max_no_face_share",
            "no_face.txt",
        ),
    )
    for rows, most, what, remedy, listed in kinds:
        if not rows:
            continue
        message = f"{len(rows)} of {files} files ({len(rows) / files:.1%}) {what}. The first:\n{_first(rows)}"
        if len(rows) / files > most:
            raise Refused(f"{message}\n{remedy}.")
        print(f"Left out: {message}\nAll are named in {listed} beside the records.", file=sys.stderr, flush=True)


def _first(rows: list[tuple[str, str]]) -> str:
    return "\n".join(f"  {name}: {why}" for name, why in rows[:5])


class _Progress:
    """A bar over the units that are done, whichever machine does them: it looks at what is there.

    Args:
      todo: list of ``Unit``.
      folder: of their zips.
      every: seconds between looks.
    """

    def __init__(self, todo: list[units.Unit], folder: str, every: float = 1.0) -> None:
        self.left = {work.path_of(u, folder) for u in todo}
        self.bar = tqdm(total=len(todo), desc="preparing", unit="unit", file=sys.stderr, mininterval=1.0)
        self.every, self.done = every, threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "_Progress":
        self._look()
        self.bar.initial = self.bar.n  # what an earlier run did does not count for the speed
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.done.set()
        self.thread.join()
        self._look()
        self.bar.close()

    def _watch(self) -> None:
        while not self.done.wait(self.every):
            self._look()

    def _look(self) -> None:
        here: set[str] = set()
        for folder in {os.path.dirname(p) for p in self.left}:
            if tf.io.gfile.isdir(folder):
                here.update(os.path.join(folder, n) for n in tf.io.gfile.listdir(folder))
        found = self.left & here
        self.left -= found
        self.bar.update(len(found))
