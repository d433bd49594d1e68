"""What there is to prepare, in pieces that are either done or not."""

import dataclasses
import hashlib
import os

import tensorflow as tf

from pcl_tf.data.sources import SUFFIXES, DataError

VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg")
IMAGES_IN_UNIT = 256


@dataclasses.dataclass(frozen=True)
class Unit:
    """Files that are prepared together and kept together.

    Attributes:
      name: folder they lie in, relative to the root, with a number where a folder is split.
      identity: who is seen, as far as folders tell.
      files: ((path, its name relative to the root), ...).
      stamp: changes when a file does.
    """

    name: str
    identity: str
    files: tuple
    stamp: str


def voxceleb_units(root):
    """The videos of VoxCeleb1 and 2: trees that end in identity/video/clip.mp4, at any depth.

    Raises:
      DataError: no mp4, or one that lies less deep.
    """
    found = []
    for folder, names in _folders(root, (".mp4",)):
        parts = folder.split("/")
        if len(parts) < 2:
            raise DataError(
                f"{os.path.join(root, folder, names[0])}: VoxCeleb's videos lie in identity/video/clip.mp4, for"
                " instance id00012/21Uxsk56VDQ/00001.mp4. Give the folder above the identities as --manual_dir, or"
                " prepare other videos as 'videos'."
            )
        found.append(_unit(root, folder, folder, parts[-2], names))
    return _any(found, root, "mp4 in identity/video/clip.mp4")


def video_units(root):
    """All videos below a folder; the name of the folder they lie in is the identity. Raises DataError: none."""
    found = []
    for folder, names in _folders(root, VIDEOS):
        # One by one, for these may be hours long.
        found += [_unit(root, f"{folder}/{name}", folder, _last(folder), [name]) for name in names]
    return _any(found, root, f"video ({', '.join(VIDEOS)})")


def image_units(root):
    """All images below a folder; the name of the folder they lie in is the identity. Raises DataError: none."""
    found = []
    for folder, names in _folders(root, SUFFIXES):
        for start in range(0, len(names), IMAGES_IN_UNIT):
            some = names[start : start + IMAGES_IN_UNIT]
            found.append(_unit(root, f"{folder}#{start // IMAGES_IN_UNIT}", folder, _last(folder), some))
    return _any(found, root, f"image ({', '.join(SUFFIXES)})")


def _any(found, root, what):
    if not found:
        raise DataError(f"--manual_dir={root}: holds no {what}.")
    return found


def _last(folder):
    return folder.rsplit("/", 1)[-1]


def _folders(root, suffixes):
    """(folder relative to root, sorted names of its files) wherever there are such files."""
    root = str(root).rstrip("/")
    if not tf.io.gfile.isdir(root):
        raise DataError(f"--manual_dir={root}: no such folder.")
    for folder, inner, names in tf.io.gfile.walk(root):
        inner.sort()
        names = sorted(n for n in names if n.lower().endswith(suffixes) and not n.startswith("."))
        if names:
            yield folder[len(root) :].strip("/"), names


def _unit(root, name, folder, identity, names):
    relative = [f"{folder}/{n}".lstrip("/") for n in names]
    files = tuple((os.path.join(str(root), r), r) for r in relative)
    digest = hashlib.sha256(name.encode())
    for path, r in files:
        stat = tf.io.gfile.stat(path)
        digest.update(repr((r, stat.length, stat.mtime_nsec)).encode())
    return Unit(name, identity, files, digest.hexdigest()[:16])
