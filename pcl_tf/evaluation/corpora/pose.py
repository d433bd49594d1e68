"""Head pose (Table 4): 300W-LP to AFLW2000 by angle, BU-3DFE by class."""

import numpy as np
import tensorflow as tf

from pcl_tf.data.sources import DataError, Source, fingerprint
from pcl_tf.evaluation.corpora.expression import tree_task
from pcl_tf.evaluation.corpora.layout import need
from pcl_tf.evaluation.task import Task

ANGLES = ("yaw", "pitch", "roll")
LARGEST = 99.0  # degrees; faces turned further are left out, as customary for these two


def bu3dfe(root, image_size):
    """Renderings of the models in folders ``train/POSE/*`` and ``test/POSE/*``."""
    return tree_task("bu3dfe", root, image_size)


def _mat(path, points):
    """(yaw, pitch, roll in degrees, landmarks [68, 2]) of a .mat file beside an image."""
    from scipy.io import loadmat

    try:
        mat = loadmat(path)
        pitch, yaw, roll = np.rad2deg(mat["Pose_Para"][0, :3])
        return (yaw, pitch, roll), np.asarray(mat[points][:2], np.float32).T
    except (OSError, KeyError, ValueError, TypeError, IndexError) as error:
        raise DataError(f"{path}: no Pose_Para and {points} in it ({error}).") from error


def face_box(landmarks):
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


def crop(image, box):
    """Cuts a square out of uint8 [H, W, 3], repeating the edge outside."""
    left, top, side = box
    rows = np.clip(np.arange(top, top + side), 0, image.shape[0] - 1)
    columns = np.clip(np.arange(left, left + side), 0, image.shape[1] - 1)
    return image[rows][:, columns]


def _posed(folder, points):
    """Rows (image path, angles, box) of a folder of images with .mat files beside them."""
    images = sorted(p for p in folder.rglob("*.jpg"))
    if not images:
        raise DataError(f"{folder} holds no .jpg.")
    rows = []
    for image in images:
        angles, landmarks = _mat(need(image.parent, f"{image.stem}.mat"), points)
        if max(map(abs, angles)) <= LARGEST:
            rows.append((image, angles, face_box(landmarks)))
    return rows


def aflw2000(root, image_size):
    """Taught on ``300W_LP/*/*.jpg``, judged on ``AFLW2000/*.jpg``, a .mat beside each image."""
    train = _posed(need(root, "300W_LP"), "pt2d")
    test = _posed(need(root, "AFLW2000"), "pt3d_68")
    rows = train + test

    def items():
        for path, _, box in rows:
            try:
                image = tf.io.decode_image(path.read_bytes(), channels=3, expand_animations=False).numpy()
                yield str(path), crop(image, box)
            except (OSError, tf.errors.OpError) as error:
                yield str(path), error

    stamps = ((str(p.relative_to(root)), p.stat().st_size, box) for p, _, box in rows)
    return Task(
        name="aflw2000",
        kind="regression",
        source=Source("aflw2000", fingerprint(stamps), len(rows), items),
        image_size=image_size,
        names=ANGLES,
        labels=np.array([angles for _, angles, _ in rows], np.float32),
        splits=((np.arange(len(train)), np.arange(len(train), len(rows))),),
    )
