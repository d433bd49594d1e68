"""One unit of work: its clips as JPEG in a zip, which appears when it is whole. What is there is not done again."""

import contextlib
import dataclasses
import io
import json
import os
import pathlib
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from pcl_tf.data.decoding import reason
from pcl_tf.data.images import centre, decode_upright
from pcl_tf.data.sources import Broken
from pcl_tf.data.tree import printable
from pcl_tf.data.videos import video_frames
from pcl_tf.errors import Refused
from pcl_tf.prepare import crop
from pcl_tf.prepare.units import VIDEOS, Unit
from pcl_tf.store import alone, write_atomically

FRAMES_IN_CLIP = 512  # a longer video becomes several clips, so that no record grows beyond a few megabytes
THUMBNAIL = 96  # pixels of the pictures in which no face was found, for the contact sheet
_JPEG_QUALITY = 95
_NOTES = "notes.json"  # in a zip; the entries of clips have a slash in them, those of notes have none


@dataclasses.dataclass(frozen=True)
class Settings:
    """How faces are cut out.

    Attributes:
      size: side of the faces in pixels.
      fps: frames a second taken from videos.
      share: of the shorter side that the central square takes.
      margin: detect faces and cut them out with this margin; 0 takes the centre.
      align: turn detected faces upright by their landmarks.
      longest: frames of a clip; a longer video becomes several.
    """

    size: int = 64
    fps: float = 6.0
    share: float = 1.0
    margin: float = 0.0
    align: bool = False
    longest: int = FRAMES_IN_CLIP

    @property
    def name(self) -> str:
        """Names the dataset: 64px_6fps, 64px_6fps_centre0.8, 64px_6fps_mtcnn1.5, 64px_6fps_mtcnn1.5_aligned."""
        return f"{self.size}px_{self.fps:g}fps{cut_name(self.share, self.margin, self.align)}"


def cut_name(share: float = 1.0, margin: float = 0.0, align: bool = False) -> str:
    """The part of a dataset's name that says how faces are cut out; '' for the whole central square."""
    if margin:
        return f"_mtcnn{margin:g}{'_aligned' if align else ''}"
    return f"_centre{share:g}" if share != 1 else ""


@dataclasses.dataclass(frozen=True)
class Notes:
    """What a unit's zip says about its files besides their faces.

    Attributes:
      broken: [(file, why it is left out), ..].
      no_face: [(file, frames without a face, frames), ..] of files that have any such frame.
    """

    broken: list[tuple[str, str]]
    no_face: list[tuple[str, int, int]]

    @property
    def faceless(self) -> list[str]:
        """Files in no frame of which a face was found."""
        return [name for name, missed, frames in self.no_face if missed == frames]


def path_of(unit: Unit, folder: str | pathlib.Path) -> str:
    """Where the zip of a unit is, or will be."""
    return os.path.join(str(folder), unit.stamp[:2], f"{unit.stamp}.zip")


def prepare(unit: Unit, settings: Settings, folder: str | pathlib.Path) -> str:
    """Does a unit, unless it is done.

    Args:
      unit: ``Unit``.
      settings: ``Settings``.
      folder: of the zips, in any file system TensorFlow knows.

    Returns:
      path of the zip: CLIP/000000.jpg .., ``Notes``, and the first frame without a face of each file that has one.
    """
    path = path_of(unit, folder)
    if tf.io.gfile.exists(path):
        return path
    held, notes = io.BytesIO(), Notes([], [])
    with zipfile.ZipFile(held, "w", zipfile.ZIP_STORED) as z:
        for (file, name), clip in zip(unit.files, unit.clips, strict=True):
            name = printable(name)
            try:
                # A clip is broken or whole: nothing of it is written before its end is reached.
                for entry, data in [*_faces(file, name, settings)]:
                    if entry == _NOTES:
                        missed, frames, first = data
                        z.writestr(f"{len(notes.no_face)}.jpg", first)
                        notes.no_face.append((name, missed, frames))
                    else:
                        z.writestr(f"{clip}{entry}", data)
            except Broken as error:
                notes.broken.append((name, str(error)))
        z.writestr(_NOTES, json.dumps(dataclasses.asdict(notes)))
    tf.io.gfile.makedirs(os.path.dirname(path))
    write_whole(path, held.getvalue())
    return path


def check_place(path: str) -> None:
    """Refuses to write a dataset where something else stands, which would be lost or in the way.

    Args:
      path: where the dataset will be, in any file system TensorFlow knows; what an earlier call wrote of it may be there.

    Raises:
      Refused: a file, or a folder with something in it that is no dataset.
    """
    found = tf.io.gfile.listdir(path) if tf.io.gfile.isdir(path) else []
    is_file = tf.io.gfile.exists(path) and not tf.io.gfile.isdir(path)
    if is_file or found and "dataset_info.json" not in found:
        raise Refused(f"{path}: is no dataset and stands where one would be written; move it, or give another --out.")


@contextlib.contextmanager
def alone_at(folder: str) -> Iterator[None]:
    """Within, no other call works in a folder. Buckets have no locks: there two can.

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
            lock.unlink(missing_ok=True)  # not there where a file system has no locks


def remove_unfinished(path: str) -> None:
    """Removes what a preparation that stopped wrote of a dataset, whole or not: TFDS would take it for all there is.

    Args:
      path: of the dataset, which ``check_place`` let pass, in any file system TensorFlow knows.
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
    """Writes bytes that are whole or not there, in any file system TensorFlow knows."""
    if "://" not in path:  # TensorFlow does not sync: after a power cut an empty file would have the name
        return write_atomically(path, data)
    aside = f"{path}.{os.getpid()}.part"
    with tf.io.gfile.GFile(aside, "wb") as f:
        f.write(data)
    tf.io.gfile.rename(aside, path, overwrite=True)


def _faces(file: str, name: str, settings: Settings) -> Iterator[tuple[str, Any]]:
    """(entry behind the clip's name, JPEG) of the faces of a file; last (_NOTES, (frames without a face, frames, the
    first such as JPEG)) where there are any."""
    if "://" not in file and os.path.exists(file) and not os.path.getsize(file):
        raise Broken("the file is empty")
    found, frames = 0, 0
    missed: list[Any] = []
    pictures = video_frames(file, settings.fps) if name.lower().endswith(VIDEOS) else [_decoded(file)]

    def squares() -> Iterator[np.ndarray]:
        nonlocal frames
        for picture in pictures:
            frames += 1
            square = crop.square(picture, settings.share, settings.margin, align=settings.align)
            if square is not None:
                yield square
            else:
                missed.append(None if missed else picture)

    for face in crop.resized(squares(), settings.size):
        part = f"+{found // settings.longest}" if found >= settings.longest else ""
        yield f"{part}/{found:06}.jpg", _jpeg(face)
        found += 1
    if missed:
        yield _NOTES, (len(missed), frames, _jpeg(*crop.resized([centre(missed[0])], THUMBNAIL)))


def _jpeg(image: np.ndarray) -> bytes:
    return tf.io.encode_jpeg(image, quality=_JPEG_QUALITY, chroma_downsampling=False).numpy()


def _decoded(file: str) -> np.ndarray:
    try:
        with tf.io.gfile.GFile(file, "rb") if "://" in file else open(file, "rb") as f:
            return decode_upright(f.read()).numpy()
    except tf.errors.OpError as error:
        raise Broken(reason(error)) from error
    except OSError as error:  # it may not be read, or has gone
        raise Broken(error.strerror or str(error)) from error


def clips(path: str) -> list[tuple[str, list[bytes]]]:
    """What a zip holds: [(clip, list of JPEG), ...]."""
    found: dict[str, list[bytes]] = {}
    with _opened(path) as z:
        for entry in z.namelist():
            clip, slash, _ = entry.rpartition("/")
            if slash:
                found.setdefault(clip, []).append(z.read(entry))
    return list(found.items())


def notes_of(path: str) -> Notes:
    """``Notes`` of a zip; nothing else of it is read."""
    with _opened(path) as z:
        return Notes(**{key: [tuple(row) for row in rows] for key, rows in json.loads(z.read(_NOTES)).items()})


def samples(path: str, faces: int, missed: int) -> tuple[list[bytes], list[tuple[str, bytes]]]:
    """Some pictures of a zip for a contact sheet.

    Args:
      path: of the zip.
      faces, missed: at most so many of faces and of pictures without one, spread evenly.

    Returns:
      (list of JPEG of faces, list of (file, JPEG) of pictures without a face).
    """
    with _opened(path) as z:
        names, notes = z.namelist(), json.loads(z.read(_NOTES))
        shown = [z.read(name) for name in spread([n for n in names if "/" in n], faces)]
        rows = spread(list(enumerate(notes["no_face"])), missed)
        return shown, [(row[0], z.read(f"{number}.jpg")) for number, row in rows]


def spread(rows: list[Any], count: int) -> list[Any]:
    """At most ``count`` of a list, evenly spread."""
    if len(rows) <= count:
        return rows
    return [rows[int(i)] for i in np.linspace(0, len(rows) - 1, count)] if count else []


def _opened(path: str) -> zipfile.ZipFile:
    # A zip is read at random places, which Python's file objects do faster than TensorFlow's.
    return zipfile.ZipFile(tf.io.gfile.GFile(path, "rb") if "://" in path else path)
