"""Head pose (Table 4): 300W-LP to AFLW2000 by angle, BU-3DFE by class."""

import pathlib

import numpy as np

from pcl_tf.choices import ANGLES
from pcl_tf.data.files import Unreadable, files_below
from pcl_tf.data.images import decode
from pcl_tf.data.sources import Items, Source, fingerprint
from pcl_tf.errors import Refused
from pcl_tf.evaluation.corpora.layout import need, tree_task
from pcl_tf.evaluation.task import Task

_Angles = tuple[float, float, float]  # yaw, pitch, roll in degrees
_Box = tuple[int, int, int]  # left, top, side in pixels
_FARTHEST = 1e5  # pixels, or degrees
LARGEST = 99.0  # degrees; faces turned further are left out, as customary for these two


def bu3dfe(root: pathlib.Path, image_size: int) -> Task:
    """Renderings of the models in folders ``train/POSE/*`` and ``test/POSE/*``."""
    return tree_task("bu3dfe", root, image_size)


def _mat(path: pathlib.Path, points: str) -> tuple[_Angles, np.ndarray]:
    """(yaw, pitch, roll in degrees, landmarks [68, 2]) of a .mat file beside an image."""
    from scipy.io import loadmat

    try:
        mat = loadmat(path)
        pitch, yaw, roll = np.rad2deg(np.asarray(mat["Pose_Para"], np.float64)[0, :3])
        landmarks = np.asarray(mat[points], np.float32)
    except Exception as error:  # a damaged file raises a dozen kinds; of 7.3 scipy names the format
        why = f"{type(error).__name__}: {error}"
        raise Refused(f"{path}: cannot be read as a MATLAB file of Pose_Para and {points} ({why}).") from error
    if not (np.abs([yaw, pitch, roll, *landmarks[:2].ravel()]) < _FARTHEST).all():  # NaN is not either
        raise Refused(f"{path}: its angles or landmarks are no numbers of a face in a picture; mend or remove it.")
    return (yaw, pitch, roll), landmarks[:2].T


def face_box(landmarks: np.ndarray) -> _Box:
    """Square around landmarks, float [68, 2], x and y in pixels, with the room for forehead and chin that pose networks use.

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


def aflw2000(root: pathlib.Path, image_size: int) -> Task:
    """Trained on ``300W_LP/*/*.jpg``, tested on ``AFLW2000/*.jpg``, a .mat beside each image.

    TFDS's aflw2k3d does not serve: it carries no angles.
    """
    images: list[pathlib.Path] = []
    angles: list[_Angles] = []
    boxes: list[_Box] = []
    away, parts = 0, []
    for name, points in (("300W_LP", "pt2d"), ("AFLW2000", "pt3d_68")):
        folder, first = need(root, name), len(images)
        # 300W-LP brings its MATLAB code
        found = [p for p in files_below(folder, lambda name: name.lower().endswith(".jpg")) if "Code" not in p.parts]
        if not found:
            raise Refused(f"{folder} holds no .jpg.")
        for image in found:
            turned, landmarks = _mat(need(image.parent, f"{image.stem}.mat"), points)
            if max(map(abs, turned)) > LARGEST:
                away += 1
                continue
            images.append(image)
            angles.append(turned)
            boxes.append(face_box(landmarks))
        parts.append(np.arange(first, len(images)))

    def items() -> Items:
        for image, box in zip(images, boxes, strict=True):
            try:
                yield str(image), crop(decode(image.read_bytes(), upright=False), box)
            except Unreadable as error:
                yield str(image), error

    stamps = [(str(p.relative_to(root)), p.stat().st_size, box) for p, box in zip(images, boxes, strict=True)]
    return Task(
        name="aflw2000",
        kind="regression",
        source=Source("aflw2000", fingerprint(stamps), len(images), items),
        image_size=image_size,
        names=ANGLES,
        labels=np.array(angles),
        splits=((parts[0], parts[1]),),
        notes=(f"aflw2000: {away} faces turned beyond {LARGEST:g} degrees are left out.",) if away else (),
    )
