"""Reconstruction sheets as in Fig. 4: what the decoder makes of every combination of features."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from pcl_tf.drawing import sheet
from pcl_tf.losses.reconstruction import COMBINATIONS, combine

if TYPE_CHECKING:
    from pcl_tf.methods.base import Method

COLUMNS = ("source", "mirror", *COMBINATIONS, "face", "pose")


def reconstructions(model: "Method", faces: np.ndarray, noise_std: float = 0.0) -> np.ndarray:
    """Rebuilds faces, uint8 [N, S, S, 3], from their features: float32 [N, 8, S, S, 3] in [0, 1], columns as in ``COLUMNS``.

    The decoder has only ever seen features of noisy faces, and those of clean ones lie elsewhere: without the noise of
    training, of a standard deviation, the pictures are glaring and twice to three times as far off.
    """
    images = np.asarray(faces, np.float32) / 255.0
    mirror = images[:, :, ::-1]
    out = _encoded(model, np.concatenate([images, mirror]), noise_std)
    n = len(images)
    face, pose = out["face"], out["pose"]
    codes = combine(face[:n], pose[:n], augmented_face=face[n:], augmented_pose=pose[n:])
    parts = [np.asarray(model.decoder(c, training=False)) for c in (codes, face[:n], pose[:n])]
    decoded = np.concatenate(parts).reshape(6, n, *images.shape[1:])
    return np.clip(np.concatenate([images[None], mirror[None], decoded]).swapaxes(0, 1), 0, 1)


def _encoded(model: "Method", images: np.ndarray, noise_std: float) -> dict[str, Any]:
    noise = np.random.RandomState(0).normal(0.0, noise_std, images.shape).astype(np.float32)  # the same in every sheet
    return model.encoder(images + noise, training=False)


def _decoded(model: "Method", codes: np.ndarray) -> np.ndarray:
    return np.clip(np.asarray(model.decoder(codes, training=False), np.float32), 0, 1)


def swaps(model: "Method", faces: np.ndarray, noise_std: float = 0.0) -> np.ndarray:
    """Every face with every pose, F_f of row i and F_p of column j, decoded: float32 [N, N, S, S, 3]; as ``reconstructions``."""
    out = _encoded(model, np.asarray(faces, np.float32) / 255.0, noise_std)
    face, pose = (np.asarray(out[k], np.float32) for k in ("face", "pose"))
    return np.stack([_decoded(model, f + pose) for f in face])


def decoded_pairs(model: "Method", faces: np.ndarray, noise_std: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Faces, float32 [N, S, S, 3], decoded in their own poses and in those of the next: two of that shape; as ``reconstructions``."""
    out = _encoded(model, faces, noise_std)
    face, pose = (np.asarray(out[k], np.float32) for k in ("face", "pose"))
    return _decoded(model, face + pose), _decoded(model, face + np.roll(pose, -1, axis=0))


def draw_swaps(faces: np.ndarray, swapped: np.ndarray, scale: int = 1) -> Image.Image:
    """Draws swaps under and beside their sources: uint8 [N, S, S, 3], float32 [N, N, S, S, 3] -> PIL image."""
    rows = [[face, *poses] for face, poses in zip(faces, swapped, strict=True)]
    return sheet([["face of row, pose of column"], ["", *faces], *rows], scale * faces.shape[1], smooth=False)


def draw(columns: np.ndarray, scale: int = 1) -> Image.Image:
    """Draws a sheet with column titles: float32 [N, 8, S, S, 3] -> PIL image."""
    titles = [title.replace("+", "\n+") for title in COLUMNS]
    return sheet([titles, *([*row] for row in columns)], scale * columns.shape[2], smooth=False)


def flow_colours(flows: np.ndarray) -> np.ndarray:
    """Flows [N, S, T, 2] as colours, uint8 [N, S, T, 3]: the hue is their direction, the longest of an image is full."""
    length = np.hypot(flows[..., 0], flows[..., 1])
    hue = (np.arctan2(flows[..., 1], flows[..., 0]) / (2 * np.pi)) % 1.0
    share = length / np.maximum(length.max(axis=(1, 2), keepdims=True), 1e-6)
    colours = (255 * np.stack([hue, share, np.ones_like(hue)], axis=-1)).astype(np.uint8)
    return np.stack([np.asarray(Image.fromarray(each, "HSV").convert("RGB")) for each in colours])


def draw_pictures(pictures: Mapping[str, Any], scale: int = 1) -> Image.Image:
    """Draws what ``Method.pictures`` gives, a column a title."""
    columns = [np.asarray(x, np.float32) for x in pictures.values()]
    side = columns[0].shape[1]
    columns = [flow_colours(x) if x.shape[-1] == 2 else x for x in columns]
    titles = [title.replace(" ", "\n") for title in pictures]
    return sheet([titles, *map(list, zip(*columns, strict=True))], scale * side, smooth=False)
