"""The work of a preparation in units: files whose faces are kept in one zip."""

import dataclasses
import os
import pathlib
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
    """Files that are prepared together."""

    identity: str  # the person, by the names of folders
    files: tuple[tuple[str, str], ...]  # ((path, its name relative to the root), ...)
    clips: tuple[str, ...]  # name of the clip each becomes, no two alike in a corpus; printable
    stamp: str  # changes when a file does, or the name of its clip


def list_units(kind: str, root: str | pathlib.Path) -> list[Unit]:
    """The units of a tree of files in any file system TensorFlow knows.

    Args:
      kind: 'voxceleb', trees that end in identity/video/clip.mp4, a video's folder a unit, clips without their suffix;
        'videos', any tree, a video a unit, for it may be hours long; 'images', any tree, 256 of a folder a unit. Of the
        last two the folder's name is the identity.
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
                while clips[at] in taken:  # names that are printed alike
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


def _stamp(path: str) -> tuple[object, ...]:
    """What changes with a file: videos are too long to be read for it. A change of who may read it is one."""
    if "://" in path:
        stat = tf.io.gfile.stat(path)
        return stat.length, stat.mtime_nsec
    of = os.stat(path, follow_symlinks=os.path.exists(path))
    return of.st_size, of.st_mtime_ns, of.st_mode
