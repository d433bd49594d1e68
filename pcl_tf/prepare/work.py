"""The work of a preparation in units: files whose faces become JPEG in one zip. A unit is done when its zip exists."""

import dataclasses
import io
import itertools
import json
import os
import pathlib
import sys
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from pcl_tf import drawing
from pcl_tf.data.files import SUFFIXES, VIDEOS, Unreadable, is_left_out, others, printable, read_file, walk
from pcl_tf.data.images import centre, decode, resized
from pcl_tf.data.videos import numbered_frames
from pcl_tf.errors import Refused
from pcl_tf.prepare import detector
from pcl_tf.store import digest, write_atomically

# Endings of files of a kind, and what the error for a folder without any calls them.
WANTED = {
    "voxceleb": ((".mp4",), "mp4 in identity/video/clip.mp4"),
    "videos": (VIDEOS, f"video ({', '.join(VIDEOS)})"),
    "images": (SUFFIXES, f"image ({', '.join(SUFFIXES)})"),
}
IMAGES_IN_UNIT = 256
FRAMES_IN_CLIP = 512  # a longer video becomes several clips, so that no record grows beyond a few megabytes
THUMBNAIL = 96  # pixels of a picture on the contact sheet
SHEET = "sheet.png"
_COLUMNS = 12
_FACES, _MISSED = 8 * _COLUMNS, 3 * _COLUMNS  # on the sheet
_JPEG_QUALITY = 95
_NOTES = "notes.json"  # in a zip; the entries of clips have a slash in them, those of notes have none


@dataclasses.dataclass(frozen=True)
class Unit:
    """Files that are prepared together."""

    identity: str  # the person, by the names of folders
    files: tuple[tuple[str, str], ...]  # ((path, its name relative to the root), ...)
    clips: tuple[str, ...]  # name of the clip of each file, printable, no two alike in a corpus
    stamp: str  # changes with the files and the names of their clips


@dataclasses.dataclass(frozen=True)
class Settings:
    """How faces are cut out."""

    size: int = 64  # side of the faces in pixels
    fps: float = 6.0  # frames a second taken from videos
    share: float = 1.0  # of the shorter side that the central square takes
    margin: float = 0.0  # detect faces and cut them out with this margin; 0 takes the centre
    align: bool = False  # turn detected faces upright by their landmarks

    @property
    def name(self) -> str:
        """Names the dataset: 64px_6fps, 64px_6fps_centre0.8, 64px_6fps_mtcnn1.5, 64px_6fps_mtcnn1.5_aligned."""
        cut = f"_centre{self.share:g}" if self.share != 1 else ""
        if self.margin:
            cut = f"_mtcnn{self.margin:g}{'_aligned' if self.align else ''}"
        return f"{self.size}px_{self.fps:g}fps{cut}"


@dataclasses.dataclass(frozen=True)
class Notes:
    """Files of a unit that gave no face or fewer."""

    unreadable: list[tuple[str, str]] = dataclasses.field(default_factory=list)  # [(file, why it is left out), ..]
    # [(file, frames without a face, frames), ..] of files that have any such frame
    no_face: list[tuple[str, int, int]] = dataclasses.field(default_factory=list)

    @property
    def without_face(self) -> list[str]:
        """Files without a face in any frame."""
        return [name for name, missed, frames in self.no_face if missed == frames]


def list_units(kind: str, root: str | pathlib.Path) -> list[Unit]:
    """The units of a tree of files.

    Args:
      kind: 'voxceleb', trees that end in identity/video/clip.mp4: a unit is a folder of clips, which are named without
        suffix; 'videos', any tree: a unit is a video, which may be hours long; 'images', any tree: a unit is 256 images
        of a folder. In the last two the folder's name is the identity.
      root: of the tree.

    Raises:
      Refused: no such folder, no such files in it, or one of VoxCeleb that lies less deep.
    """
    root = str(root).rstrip("/") or "/"
    units, taken = [], set()
    for folder, names in _folders(root, WANTED[kind][0]):
        files, parents = [f"{folder}/{n}".lstrip("/") for n in names], folder.split("/")
        if kind == "voxceleb" and len(parents) < 2:
            raise Refused(
                f"{printable(os.path.join(root, files[0]))}: VoxCeleb's videos lie in identity/video/clip.mp4, for"
                " instance id00012/21Uxsk56VDQ/00001.mp4. Give the folder above the identities as --data, or prepare"
                " other videos as 'videos'."
            )
        size = {"voxceleb": len(files), "videos": 1, "images": IMAGES_IN_UNIT}[kind]
        for some in (files[i : i + size] for i in range(0, len(files), size)):
            clips = [printable(os.path.splitext(name)[0] if kind == "voxceleb" else name) for name in some]
            for at in range(len(clips)):
                while clips[at] in taken:  # two names may be printed alike
                    clips[at] += "'"
                taken.add(clips[at])
            paths = [os.path.join(root, name) for name in some]
            identity = printable(parents[-2 if kind == "voxceleb" else -1])
            stamp = digest(some, clips, list(map(_stamp, paths)))
            units.append(Unit(identity, tuple(zip(paths, some, strict=True)), tuple(clips), stamp))
    if not units:
        raise Refused(f"--data={printable(root)}: holds no {WANTED[kind][1]}.")
    return units


def _folders(root: str, suffixes: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    """(folder relative to root, sorted names of its files) of folders with such files; prints the endings of others."""
    seen = []
    if not os.path.isdir(root):
        raise Refused(f"--data={printable(root)}: no such folder.")
    for folder, inner, names in walk(root):
        if "dataset_info.json" in names:  # a dataset that was prepared below the corpus
            inner.clear()
            continue
        inner[:] = sorted(n for n in inner if not is_left_out(n))  # as our own work in .KIND-SETTINGS is
        names = sorted(n for n in names if not is_left_out(n))
        seen += [n for n in names if not n.lower().endswith(suffixes)]
        names = [n for n in names if n.lower().endswith(suffixes)]
        if names:
            yield folder[len(root) :].strip("/"), names
    if kinds := others(seen, suffixes):  # .heic of a telephone, .3gp of an older one
        print(f"Files of other endings are not looked at: {kinds}.", file=sys.stderr, flush=True)


def _stamp(path: str) -> tuple[object, ...]:
    """Identifies a file by size, time and mode, which may let it be read: videos are too long for a checksum."""
    of = os.stat(path, follow_symlinks=os.path.exists(path))
    return of.st_size, of.st_mtime_ns, of.st_mode


def path_of(unit: Unit, folder: str) -> str:
    """Path of the zip of a unit, which exists once the unit is done."""
    return os.path.join(folder, unit.stamp[:2], f"{unit.stamp}.zip")


def prepare(unit: Unit, settings: Settings, folder: str) -> str:
    """Does a unit, unless it is done, in a folder of zips.

    Returns:
      path of the zip: CLIP/MICROSECONDS.jpg .., ``Notes``, and the first frame without a face of each file that has one.
    """
    path = path_of(unit, folder)
    if os.path.exists(path):
        return path
    held, notes = io.BytesIO(), Notes()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_STORED) as z:
        for (file, name), clip in zip(unit.files, unit.clips, strict=True):
            try:
                faces, missed, example = _cut(file, settings)
            except Unreadable as error:
                notes.unreadable.append((printable(name), str(error)))
                continue
            for number, (seconds, face) in enumerate(faces):
                part = f"+{number // FRAMES_IN_CLIP}" if number >= FRAMES_IN_CLIP else ""
                z.writestr(f"{clip}{part}/{round(1e6 * seconds):012}.jpg", face)
            if example is not None:
                z.writestr(f"{len(notes.no_face)}.jpg", example)
                notes.no_face.append((printable(name), missed, len(faces) + missed))
        z.writestr(_NOTES, json.dumps(dataclasses.asdict(notes)))
    write_atomically(path, held.getvalue())
    return path


def _cut(file: str, settings: Settings) -> tuple[list[tuple[float, bytes]], int, bytes | None]:
    """([(seconds, JPEG)] of faces in a file, frames without one, JPEG of the first of them or None); raises Unreadable."""
    pictures = numbered_frames(file, settings.fps) if file.lower().endswith(VIDEOS) else [(0, 0.0, _decoded(file))]
    missed, example = 0, None
    times = []

    def squares() -> Iterator[np.ndarray]:
        nonlocal missed, example
        for _, seconds, picture in pictures:
            square = detector.square(picture, settings.share, settings.margin, align=settings.align)
            if square is not None:
                times.append(seconds)
                yield square
            else:
                missed += 1
                example = picture if example is None else example

    faces = [_jpeg(face) for face in resized(squares(), settings.size)]
    seen = None if example is None else _jpeg(*resized([centre(example)], THUMBNAIL))
    return list(zip(times, faces, strict=True)), missed, seen


def _jpeg(image: np.ndarray) -> bytes:
    return tf.io.encode_jpeg(image, quality=_JPEG_QUALITY, chroma_downsampling=False).numpy()


def _decoded(file: str) -> np.ndarray:
    if isinstance(data := read_file(file), Unreadable):
        raise data
    return decode(data)


def clips(path: str) -> list[tuple[str, list[tuple[float, bytes]]]]:
    """Content of a zip: [(clip, [(seconds since the video's first frame, JPEG), ...]), ...]."""
    with zipfile.ZipFile(path) as z:
        entries = ((name.rpartition("/"), name) for name in z.namelist() if "/" in name)
        return [
            (clip, [(int(frame.removesuffix(".jpg")) / 1e6, z.read(name)) for (_, _, frame), name in same])
            for clip, same in itertools.groupby(entries, key=lambda entry: entry[0][0])
        ]


def notes_of(path: str) -> Notes:
    """``Notes`` of a zip, read alone."""
    with zipfile.ZipFile(path) as z:
        return Notes(**{key: [tuple(row) for row in rows] for key, rows in json.loads(z.read(_NOTES)).items()})


def draw_sheet(paths: list[str]) -> bytes:
    """PNG bytes of a contact sheet of zips, to look at before training: faces, pictures without one, evenly spread."""
    faces: list[drawing.Cell] = []
    missed: list[drawing.Cell] = []
    some = _spread(paths, 48)  # zips are opened one by one
    for path in some:
        with zipfile.ZipFile(path) as z:
            names = [name for name in z.namelist() if name != _NOTES]
            for found, count, slash in ((faces, _FACES, True), (missed, _MISSED, False)):
                chosen = _spread([name for name in names if ("/" in name) == slash], -(-count // len(some)))
                found += [Image.open(io.BytesIO(z.read(name))).convert("RGB") for name in chosen]
    rows: list[Sequence[drawing.Cell]] = []
    for title, pictures in (("cut out", _spread(faces, _FACES)), ("no face found in", _spread(missed, _MISSED))):
        if pictures:
            rows += [[f"{title} ({len(pictures)} of them)", "", ""], *drawing.wrapped(pictures, _COLUMNS)]
    return drawing.png(drawing.sheet(rows or [["no pictures"]], THUMBNAIL))


def _spread(rows: list[Any], count: int) -> list[Any]:
    return rows if len(rows) <= count else [rows[int(i)] for i in np.linspace(0, len(rows) - 1, count)]
