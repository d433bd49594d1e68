"""What there is to prepare, in pieces that are either done or not."""

import collections
import dataclasses
import hashlib
import os
import pathlib
import re
import sys
from collections.abc import Callable, Iterator

import tensorflow as tf

from pcl_tf.data.sources import SUFFIXES
from pcl_tf.data.tree import is_left_out, others, printable, stamp, walk
from pcl_tf.errors import Refused

VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg")
IMAGES_IN_UNIT = 256
_LAYOUT = 2  # of the zips that hold what is done: those of another are not taken up


@dataclasses.dataclass(frozen=True)
class Unit:
    """Files that are prepared together and kept together.

    Attributes:
      name: folder they lie in, relative to the root, with a number where a folder is split.
      identity: who is seen, as far as folders tell.
      files: ((path, its name relative to the root), ...).
      clips: name of the clip each becomes, no two alike in a corpus; printable.
      stamp: changes when a file does, or the name of its clip.
    """

    name: str
    identity: str
    files: tuple[tuple[str, str], ...]
    clips: tuple[str, ...]
    stamp: str


def voxceleb_units(root: str | pathlib.Path) -> list[Unit]:
    """The videos of VoxCeleb1 and 2: trees that end in identity/video/clip.mp4, at any depth.

    Raises:
      Refused: no mp4, or one that lies less deep.
    """
    found = []
    for folder, names in _folders(root, (".mp4",)):
        parts = folder.split("/")
        if len(parts) < 2:
            raise Refused(
                f"{printable(os.path.join(root, folder, names[0]))}: VoxCeleb's videos lie in identity/video/clip.mp4,"
                " for instance id00012/21Uxsk56VDQ/00001.mp4. Give the folder above the identities as --data, or"
                " prepare other videos as 'videos'."
            )
        found.append((folder, parts[-2], folder, names))
    return _units(found, root, "mp4 in identity/video/clip.mp4", clip_of=_without_suffix)


def video_units(root: str | pathlib.Path) -> list[Unit]:
    """All videos below a folder; the name of the folder they lie in is the identity. Raises Refused: none."""
    # One by one, for these may be hours long.
    found = [(f"{folder}/{n}", _last(folder), folder, [n]) for folder, names in _folders(root, VIDEOS) for n in names]
    return _units(found, root, f"video ({', '.join(VIDEOS)})", clip_of=_without_suffix)


def image_units(root: str | pathlib.Path) -> list[Unit]:
    """All images below a folder; the name of the folder they lie in is the identity. Raises Refused: none."""
    found = []
    for folder, names in _folders(root, SUFFIXES):
        for start in range(0, len(names), IMAGES_IN_UNIT):
            some = names[start : start + IMAGES_IN_UNIT]
            found.append((f"{folder}#{start // IMAGES_IN_UNIT}", _last(folder), folder, some))
    return _units(found, root, f"image ({', '.join(SUFFIXES)})", clip_of=printable)


def _without_suffix(name: str) -> str:
    """The clip of a video: its name without the suffix, where that can be nobody else's, else its name."""
    stem, _ = os.path.splitext(name)
    # The parts of a long video are called stem+1, stem+2 ..
    mistaken = re.search(r"\+\d+$", stem) or stem.lower().endswith(VIDEOS)
    return printable(name if mistaken else stem)


def _units(
    found: list[tuple[str, str, str, list[str]]], root: str | pathlib.Path, what: str, *, clip_of: Callable[[str], str]
) -> list[Unit]:
    """Units of [(name, identity, folder, names of files)]; ``clip_of`` gives the clip of a file's relative name."""
    if not found:
        raise Refused(f"--data={printable(root)}: holds no {what}.")
    relative = [[f"{folder}/{n}".lstrip("/") for n in names] for _, _, folder, names in found]
    # Telephones leave IMG_1.mov beside IMG_1.mp4: then both keep their suffix.
    often = collections.Counter(clip_of(r) for some in relative for r in some)
    taken = set()

    def clip(r: str) -> str:
        name = clip_of(r) if often[clip_of(r)] == 1 else printable(r)
        while name in taken:  # two names that are printed alike
            name += "'"
        taken.add(name)
        return name

    return [
        _unit(root, name, printable(identity), relative=some, clips=tuple(map(clip, some)))
        for (name, identity, _, _), some in zip(found, relative, strict=True)
    ]


def _last(folder: str) -> str:
    return folder.rsplit("/", 1)[-1]


def _folders(root: str | pathlib.Path, suffixes: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    """(folder relative to root, sorted names of its files) wherever there are such files; says what others there are."""
    seen = []
    root = str(root).rstrip("/") or "/"
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


def _unit(root: str | pathlib.Path, name: str, identity: str, *, relative: list[str], clips: tuple[str, ...]) -> Unit:
    files = tuple((os.path.join(str(root), r), r) for r in relative)
    digest = hashlib.sha256(repr((_LAYOUT, name, clips)).encode())
    for path, r in files:
        if "://" in path:
            stat = tf.io.gfile.stat(path)
            digest.update(repr((r, stat.length, stat.mtime_nsec)).encode())
        else:
            digest.update(repr((r, *stamp(path))).encode())
    return Unit(name, identity, files, clips, digest.hexdigest()[:16])
