"""The work of a preparation in units: files whose faces are kept in one zip."""

import collections
import dataclasses
import os
import pathlib
import re
import sys
from collections.abc import Iterator

import tensorflow as tf

from pcl_tf.data.files import SUFFIXES, VIDEOS, is_left_out, others, printable, walk
from pcl_tf.errors import Refused
from pcl_tf.store import digest

# Endings of files of a kind, and what the error for a folder without any calls them.
WANTED = {
    "voxceleb": ((".mp4",), "mp4 in identity/video/clip.mp4"),
    "videos": (VIDEOS, f"video ({', '.join(VIDEOS)})"),
    "images": (SUFFIXES, f"image ({', '.join(SUFFIXES)})"),
}
IMAGES_IN_UNIT = 256


@dataclasses.dataclass(frozen=True)
class Unit:
    """Files that are prepared together.

    Attributes:
      identity: the person, by the names of folders.
      files: ((path, its name relative to the root), ...).
      clips: name of the clip each becomes, no two alike in a corpus; printable.
      stamp: changes when a file does, or the name of its clip.
    """

    identity: str
    files: tuple[tuple[str, str], ...]
    clips: tuple[str, ...]
    stamp: str


def list_units(kind: str, root: str | pathlib.Path) -> list[Unit]:
    """The units of a tree of files.

    Args:
      kind: 'voxceleb', trees that end in identity/video/clip.mp4, a video's folder a unit; 'videos', any tree, a video
        a unit, for it may be hours long; 'images', any tree, 256 of a folder a unit. Of the last two the folder's name
        is the identity.
      root: of the tree, in any file system TensorFlow knows.

    Raises:
      Refused: no such folder, no such files in it, or one of VoxCeleb that lies less deep.
    """
    root = str(root).rstrip("/") or "/"
    suffixes, called = WANTED[kind]
    groups: list[tuple[str, list[str]]] = []
    for folder, names in _folders(root, suffixes):
        files, parents = [f"{folder}/{n}".lstrip("/") for n in names], folder.split("/")
        if kind == "voxceleb" and len(parents) < 2:
            raise Refused(
                f"{printable(os.path.join(root, files[0]))}: VoxCeleb's videos lie in identity/video/clip.mp4, for"
                " instance id00012/21Uxsk56VDQ/00001.mp4. Give the folder above the identities as --data, or prepare"
                " other videos as 'videos'."
            )
        size = {"voxceleb": len(files), "videos": 1, "images": IMAGES_IN_UNIT}[kind]
        identity = printable(parents[-2 if kind == "voxceleb" else -1])
        groups += [(identity, files[i : i + size]) for i in range(0, len(files), size)]
    if not groups:
        raise Refused(f"--data={printable(root)}: holds no {called}.")
    clips = _clips([name for _, files in groups for name in files], whole=kind == "images")
    units = []
    for identity, names in groups:
        paths, ours = [os.path.join(root, name) for name in names], tuple(clips[name] for name in names)
        stamp = digest(names, ours, list(map(_stamp, paths)))
        units.append(Unit(identity, tuple(zip(paths, names, strict=True)), ours, stamp))
    return units


def _folders(root: str, suffixes: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    """(folder relative to root, sorted names of its files) of folders with such files; prints the endings of others."""
    seen = []
    if not (tf.io.gfile.isdir(root) if "://" in root else os.path.isdir(root)):
        raise Refused(f"--data={printable(root)}: no such folder.")
    for folder, inner, names in tf.io.gfile.walk(root) if "://" in root else walk(root):
        if "dataset_info.json" in names:  # a dataset that was prepared below the corpus
            inner.clear()
            continue
        inner[:] = sorted(n for n in inner if not is_left_out(n))  # our own work lies in .KIND-SETTINGS
        names = sorted(n for n in names if not is_left_out(n))
        seen += [n for n in names if not n.lower().endswith(suffixes)]
        names = [n for n in names if n.lower().endswith(suffixes)]
        if names:
            yield folder[len(root) :].strip("/"), names
    if kinds := others(seen, suffixes):  # .heic of a telephone, .3gp of an older one
        print(f"Files of other endings are not looked at: {kinds}.", file=sys.stderr, flush=True)


def _clips(names: list[str], *, whole: bool) -> dict[str, str]:
    """{name of a file: its clip}: without the suffix, unless ``whole`` or another file would have the same clip."""

    def short(name: str) -> str:
        stem, _ = os.path.splitext(name)
        # The parts of a long video are called stem+1, stem+2 ..
        mistaken = re.search(r"\+\d+$", stem) or stem.lower().endswith(VIDEOS)
        return printable(name if whole or mistaken else stem)

    # Telephones leave IMG_1.mov beside IMG_1.mp4: then both keep their suffix.
    often = collections.Counter(map(short, names))
    clips: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        clip = short(name) if often[short(name)] == 1 else printable(name)
        while clip in taken:  # two names that are printed alike
            clip += "'"
        taken.add(clip)
        clips[name] = clip
    return clips


def _stamp(path: str) -> tuple[object, ...]:
    """What changes with a file: videos are too long to be read for it.

    Permissions change no time, and what could not be read once is to be looked at again when it can be.
    """
    if "://" in path:
        stat = tf.io.gfile.stat(path)
        return stat.length, stat.mtime_nsec
    exists = os.path.exists(path)
    of = os.stat(path) if exists else os.lstat(path)
    return of.st_size, of.st_mtime_ns, exists and not os.access(path, os.R_OK)
