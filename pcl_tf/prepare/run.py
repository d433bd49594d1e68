"""A whole preparation: list the units, do those that are not done, write the records."""

import concurrent.futures
import contextlib
import dataclasses
import os
import pathlib
import sys

import tensorflow as tf
import tensorflow_datasets as tfds
from tqdm import tqdm

from pcl_tf.data.files import some
from pcl_tf.errors import Refused
from pcl_tf.prepare import detector, work
from pcl_tf.prepare.clips import Clips, finish, finished
from pcl_tf.prepare.units import Unit, list_units
from pcl_tf.store import alone


@dataclasses.dataclass(frozen=True)
class Limits:
    """Shares of files above which nothing is written: of unreadable ones, and of those in which no face is found."""

    unreadable: float = 0.05
    no_face: float = 0.2


def prepare_clips(
    kind: str,
    data: str | pathlib.Path,
    out: str | pathlib.Path,
    *,
    settings: work.Settings,
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
    # Beside the dataset; its name has the settings, so other settings are other work.
    folder = os.path.join(str(out), f".{kind}-{settings.name}")

    # By its parts, for a builder would read what a power cut left there.
    path = os.path.join(str(out), kind, settings.name, str(Clips.VERSION))
    todo: list[Unit] = []
    if finished(path) is None:
        _check_place(path)
        if settings.margin:
            detector.check_installed()
        todo = list_units(kind, data)
    with _alone_at(folder):
        counts = finished(path)  # again: another call may have ended meanwhile
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
            notes = work.Notes([row for n in every for row in n.unreadable], [row for n in every for row in n.no_face])
            seen = work.draw_sheet(paths)
            work.write_whole(os.path.join(folder, work.SHEET), seen)  # to look at if the rest is refused
            files = sum(len(u.files) for u in todo)
            _check_shares(notes, files, limits, folder=folder)
            if not beam_options:
                _build(builder, folder, None)
            counts = finish(builder, files, notes, sheet=seen)
        tf.io.gfile.rmtree(folder)
    return path, counts


def _check_place(path: str) -> None:
    """Raises Refused where a file stands, or a folder with something in it that is no dataset, begun or whole."""
    found = tf.io.gfile.listdir(path) if tf.io.gfile.isdir(path) else []
    is_file = tf.io.gfile.exists(path) and not tf.io.gfile.isdir(path)
    if is_file or found and "dataset_info.json" not in found:
        raise Refused(f"{path}: is no dataset and stands where one would be written; move it, or give another --out.")


def _alone_at(folder: str) -> contextlib.AbstractContextManager[None]:
    """Within, no other call works in a folder, or Refused is raised. Buckets have no locks: in them two can."""
    tf.io.gfile.makedirs(folder)
    if "://" in folder:
        return contextlib.nullcontext()
    busy = Refused(f"{folder}: another process is preparing the same; wait until it ends.")
    return alone(os.path.join(folder, ".lock"), busy)


def _remove_unfinished(path: str) -> None:
    """Removes what a stopped preparation wrote of a dataset: TFDS would take it for the whole."""
    folder, version = os.path.split(path)
    beside = tf.io.gfile.listdir(folder) if tf.io.gfile.isdir(folder) else []
    names = (name.rstrip("/") for name in beside)  # as buckets list folders
    for name in names:
        if name == version or name.startswith("incomplete.") and name.endswith(f"_{version}"):
            tf.io.gfile.rmtree(os.path.join(folder, name))


def _on_this_machine(todo: list[Unit], settings: work.Settings, folder: str, *, workers: int) -> None:
    """Does the units in threads, for decoding and TensorFlow leave Python's lock, and processes would load TensorFlow."""
    left = [unit for unit in todo if not tf.io.gfile.exists(work.path_of(unit, folder))]
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


def _check_shares(notes: work.Notes, files: int, limits: Limits, *, folder: str) -> None:
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
