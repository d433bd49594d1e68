"""Head pose (Table 4): 300W-LP to AFLW2000 by angle, BU-3DFE by class."""

import dataclasses
import itertools
import pathlib
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pcl_tf.choices import ANGLES
from pcl_tf.data.files import Unreadable, files_below
from pcl_tf.data.images import decode
from pcl_tf.data.sources import Items, Source, fingerprint
from pcl_tf.errors import Refused
from pcl_tf.evaluation.corpora.expression import tree_task
from pcl_tf.evaluation.corpora.layout import need
from pcl_tf.evaluation.task import Task

_Angles = tuple[float, float, float]  # yaw, pitch, roll in degrees
_Box = tuple[int, int, int]  # left, top, side in pixels
_FARTHEST = 1e5  # pixels
LARGEST = 99.0  # degrees; faces turned further are left out, as customary for these two


def bu3dfe(root: pathlib.Path, image_size: int) -> Task:
    """Renderings of the models in folders ``train/POSE/*`` and ``test/POSE/*``."""
    return tree_task("bu3dfe", root, image_size)


def _mat(path: pathlib.Path, points: str) -> tuple[_Angles, np.ndarray]:
    """(yaw, pitch, roll in degrees, landmarks [68, 2]) of a .mat file beside an image."""
    from scipy.io import loadmat

    try:
        mat = loadmat(path)
    except (
        Exception
    ) as error:  # a damaged file raises a dozen kinds: of zlib, of struct, of scipy; of 7.3 it names the format
        raise Refused(f"{path}: cannot be read as a MATLAB file ({type(error).__name__}: {error}).") from error
    try:
        pitch, yaw, roll = np.rad2deg(np.asarray(mat["Pose_Para"], np.float64)[0, :3])
        landmarks = np.asarray(mat[points], np.float32)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise Refused(f"{path}: no Pose_Para and {points} in it ({error}).") from error
    if landmarks.ndim != 2 or len(landmarks) not in (2, 3) or landmarks.shape[1] < 3:
        raise Refused(f"{path}: {points} is {list(landmarks.shape)}, not [2, 68] or [3, 68].")
    _check(path, (yaw, pitch, roll), landmarks[:2])
    return (yaw, pitch, roll), landmarks[:2].T


def _check(name: str | pathlib.Path, angles: _Angles, landmarks: np.ndarray) -> None:
    """Raises Refused: angles or landmarks are no numbers, or lie where no picture is."""
    if not np.isfinite(angles).all() or not (np.abs(landmarks) < _FARTHEST).all():
        raise Refused(
            f"{name}: its angles or landmarks are not numbers of a face in a picture (NaN?); mend or remove it."
        )


def face_box(landmarks: np.ndarray) -> _Box:
    """Square around the landmarks with the room for forehead and chin that pose networks use.

    Args:
      landmarks: float [68, 2], x and y in pixels.

    Returns:
      (left, top, side) in pixels, ints; may reach beyond the image.
    """
    low, high = landmarks.min(0), landmarks.max(0)
    width, height = high - low
    left, right = low[0] - 0.4 * width, high[0] + 0.4 * width
    top, bottom = low[1] - 0.4 * height, high[1] + 0.12 * height
    side = max(right - left, bottom - top)
    return round((left + right - side) / 2), round((top + bottom - side) / 2), max(1, round(side))


def crop(image: np.ndarray, box: _Box) -> np.ndarray:
    """Cuts a square out of uint8 [H, W, 3], repeating the edge outside."""
    left, top, side = box
    rows = np.clip(np.arange(top, top + side), 0, image.shape[0] - 1)
    columns = np.clip(np.arange(left, left + side), 0, image.shape[1] - 1)
    return image[rows][:, columns]


@dataclasses.dataclass(frozen=True)
class _Half:
    """Training or test part: rows (stamp, angles, box), a generator of (name, image bytes) in their order, faces left out."""

    rows: list[tuple[Any, _Angles, _Box]]
    encoded: Callable[[], Iterator[tuple[str, bytes]]]
    turned_away: int


def _folder(folder: pathlib.Path, points: str) -> _Half:
    """Images in folders, with .mat files beside them."""
    # 300W-LP brings its MATLAB code
    images = [p for p in files_below(folder, lambda name: name.lower().endswith(".jpg")) if "Code" not in p.parts]
    if not images:
        raise Refused(f"{folder} holds no .jpg.")
    rows, kept = [], []
    for image in images:
        angles, landmarks = _mat(need(image.parent, f"{image.stem}.mat"), points)
        if max(map(abs, angles)) <= LARGEST:
            rows.append(((str(image.relative_to(folder)), image.stat().st_size), angles, face_box(landmarks)))
            kept.append(image)

    def encoded() -> Iterator[tuple[str, bytes]]:
        for image in kept:
            yield str(image), image.read_bytes()

    return _Half(rows, encoded, len(images) - len(kept))


def _tfds(folder: pathlib.Path) -> _Half:
    """TFDS's ``the300w_lp``, which holds the images that are not mirrored."""
    import tensorflow_datasets as tfds

    versions = sorted(p for p in folder.iterdir() if p.is_dir())
    if not versions:
        raise Refused(f"{folder} holds no prepared version.")
    builder = tfds.builder_from_directory(versions[-1])
    dataset = builder.as_dataset("train", decoders={"image": tfds.decode.SkipDecoding()}, shuffle_files=False)
    rows, kept, i = [], set(), -1
    for i, example in enumerate(dataset.as_numpy_iterator()):
        pitch, yaw, roll = np.rad2deg(example["pose_params"][:3])
        _check(f"{folder}#{i}", (yaw, pitch, roll), example["landmarks_origin"])
        if max(abs(pitch), abs(yaw), abs(roll)) <= LARGEST:
            rows.append(
                ((i, zlib.crc32(example["image"])), (yaw, pitch, roll), face_box(example["landmarks_origin"] * 450))
            )
            kept.add(i)

    def encoded() -> Iterator[tuple[str, bytes]]:
        for i, example in enumerate(dataset.as_numpy_iterator()):
            if i in kept:
                yield f"the300w_lp#{i}", example["image"]

    return _Half(rows, encoded, i + 1 - len(kept))


def aflw2000(root: pathlib.Path, image_size: int) -> Task:
    """Trained on ``300W_LP/*/*.jpg`` (or TFDS's ``the300w_lp``), tested on ``AFLW2000/*.jpg``, a .mat beside each image.

    TFDS's aflw2k3d does not serve: it carries no angles.
    """
    place = need(root, "300W_LP", "the300w_lp")
    train = _tfds(place) if place.name == "the300w_lp" else _folder(place, "pt2d")
    test = _folder(need(root, "AFLW2000"), "pt3d_68")
    rows = train.rows + test.rows

    def items() -> Items:
        for (name, data), (_, _, box) in zip(itertools.chain(train.encoded(), test.encoded()), rows, strict=True):
            try:
                yield name, crop(decode(data, upright=False), box)
            except Unreadable as error:
                yield name, error

    away = train.turned_away + test.turned_away
    return Task(
        name="aflw2000",
        kind="regression",
        source=Source("aflw2000", fingerprint((stamp, box) for stamp, _, box in rows), len(rows), items),
        image_size=image_size,
        names=ANGLES,
        labels=np.array([angles for _, angles, _ in rows]),
        splits=((np.arange(len(train.rows)), np.arange(len(train.rows), len(rows))),),
        notes=(f"aflw2000: {away} faces turned beyond {LARGEST:g} degrees are left out.",) if away else (),
    )
