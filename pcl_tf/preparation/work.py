"""One unit of work: its clips as JPEG in a zip, which appears when it is whole. What is there is not done again."""

import dataclasses
import io
import os
import zipfile

import tensorflow as tf

from pcl_tf.data.images import decode_upright
from pcl_tf.data.sources import Broken
from pcl_tf.data.videos import video_frames
from pcl_tf.preparation import crop
from pcl_tf.preparation.units import VIDEOS

FRAMES_IN_CLIP = 512  # a longer video becomes several clips, so that no record grows beyond a few megabytes
_JPEG_QUALITY = 95
_BROKEN = "broken.txt"


@dataclasses.dataclass(frozen=True)
class Settings:
    """How faces are cut out.

    Attributes:
      size: side of the faces in pixels.
      fps: frames a second taken from videos.
      share: of the shorter side that the central square takes.
      margin: detect faces and cut them out with this margin; 0 takes the centre.
    """

    size: int = 64
    fps: float = 6.0
    share: float = 1.0
    margin: float = 0.0

    @property
    def name(self):
        """Names the dataset: 64px_6fps, 64px_6fps_centre0.8, 64px_6fps_detect1.5."""
        how = f"_detect{self.margin:g}" if self.margin else f"_centre{self.share:g}" if self.share != 1 else ""
        return f"{self.size}px_{self.fps:g}fps{how}"


def path_of(unit, folder):
    """Where the zip of a unit is, or will be."""
    return os.path.join(str(folder), unit.stamp[:2], f"{unit.stamp}.zip")


def prepare(unit, settings, folder):
    """Does a unit, unless it is done.

    Args:
      unit: ``Unit``.
      settings: ``Settings``.
      folder: of the zips, in any file system TensorFlow knows.

    Returns:
      path of the zip: CLIP/000000.jpg .., and where files were broken broken.txt, name and reason a line.
    """
    path = path_of(unit, folder)
    if tf.io.gfile.exists(path):
        return path
    held, broken = io.BytesIO(), []
    with zipfile.ZipFile(held, "w", zipfile.ZIP_STORED) as z:
        for file, name in unit.files:
            try:
                # A clip is broken or whole: nothing of it is written before its end is reached.
                for entry, data in [*_faces(file, name, settings)]:
                    z.writestr(entry, data)
            except Broken as error:
                broken.append(f"{name}\t{error}\n")
        if broken:
            z.writestr(_BROKEN, "".join(broken))
    tf.io.gfile.makedirs(os.path.dirname(path))
    write_whole(path, held.getvalue())
    return path


def write_whole(path, data):
    """Writes bytes aside and renames, in any file system TensorFlow knows (``pcl_tf.files`` knows local ones alone)."""
    aside = f"{path}.{os.getpid()}.part"
    with tf.io.gfile.GFile(aside, "wb") as f:
        f.write(data)
    tf.io.gfile.rename(aside, path, overwrite=True)


def _faces(file, name, settings):
    """(entry of the zip, JPEG) of one file."""
    stem = name.rsplit(".", 1)[0]
    found = 0
    if name.lower().endswith(VIDEOS):
        pictures = video_frames(file, settings.fps)
    else:
        pictures = [_decoded(file)]
        stem = name  # a.jpg and a.png are two clips
    squares = (crop.square(picture, settings.share, settings.margin) for picture in pictures)
    for face in crop.resized((s for s in squares if s is not None), settings.size):
        part = f"+{found // FRAMES_IN_CLIP}" if found >= FRAMES_IN_CLIP else ""
        data = tf.io.encode_jpeg(face, quality=_JPEG_QUALITY, chroma_downsampling=False).numpy()
        yield f"{stem}{part}/{found:06}.jpg", data
        found += 1
    if not found:
        raise Broken("no face found")


_upright = tf.function(decode_upright, input_signature=[tf.TensorSpec([], tf.string)])


def _decoded(file):
    try:
        return _upright(tf.io.gfile.GFile(file, "rb").read()).numpy()
    except tf.errors.OpError as error:
        raise Broken(error.message.split("\n")[0][:200]) from error


def clips(path):
    """What a zip holds: [(clip, list of JPEG), ...]."""
    found = {}
    with tf.io.gfile.GFile(path, "rb") as f, zipfile.ZipFile(io.BytesIO(f.read())) as z:
        for entry in z.namelist():
            if entry != _BROKEN:
                found.setdefault(entry.rsplit("/", 1)[0], []).append(z.read(entry))
    return list(found.items())


def broken_files(path):
    """[(file, why it is left out), ...] of a zip; nothing else of it is read."""
    with tf.io.gfile.GFile(path, "rb") as f, zipfile.ZipFile(f) as z:
        said = z.read(_BROKEN).decode() if _BROKEN in z.namelist() else ""
    return [tuple(line.split("\t")) for line in said.splitlines()]
