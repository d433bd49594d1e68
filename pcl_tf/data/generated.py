"""Generated faces with ground truth: identity, expression through AUs, pose, light, background.

Analytic and small: a head is an ellipsoid seen by a parallel camera; its
features (brows, eyes, nose, mouth, hairline) are painted on the surface in head
coordinates, so that they turn, foreshorten and hide with the pose; Lambert
shading on top. A whole batch at a time in numpy.
"""

import os
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from pcl_tf.choices import AUS
from pcl_tf.data.threads import in_order

EXPRESSIONS = ("neutral", "happy", "sad", "surprise", "fear", "anger", "disgust")
# Which AUs an expression consists of (EMFACS, as far as these eight go), columns as in AUS.
_RECIPE = np.array(
    [
        [0, 0, 0, 0, 0, 0, 0, 0],  # neutral
        [0, 0, 0, 1, 0, 1, 1, 0],  # happy: 6 12 25
        [1, 0, 1, 0, 0, 0, 0, 0],  # sad: 1 4 (15 is not among the eight: see mouth)
        [1, 1, 0, 0, 0, 0, 1, 1],  # surprise: 1 2 25 26
        [1, 1, 1, 0, 0, 0, 1, 0],  # fear: 1 2 4 25
        [0, 0, 1, 0, 0, 0, 0, 0],  # anger: 4 (lids tighten)
        [0, 0, 1, 0, 1, 0, 0, 0],  # disgust: 4 9
    ],
    np.float32,
)
_AHEAD = 4  # blocks; fifty faces of 224 pixels need 350 MB while they are rendered
TRAITS = 12  # numbers that make an identity
MAX_ANGLES = np.array([60.0, 30.0, 25.0], np.float32)  # yaw, pitch, roll in degrees


def sample_labels(count: int, seed: int, identities: int = 64) -> dict[str, np.ndarray]:
    """Draws the ground truth of ``count`` faces.

    Args:
      count: number of faces.
      seed: int.
      identities: how many different people; person k looks the same under every seed.

    Returns:
      dict: 'identity' int32 [N], 'expression' int32 [N] (index into EXPRESSIONS),
      'aus' float32 [N, 8] in [0, 1] (intensity / 5), 'angles' float32 [N, 3]
      (yaw, pitch, roll in degrees), 'traits' [N, 12], 'light' [N, 3] and 'scene'
      [N, 9] in [0, 1] (background, camera).
    """
    r = np.random.RandomState(seed % (2**32))
    identity = r.randint(identities, size=count).astype(np.int32)
    expression = r.randint(len(EXPRESSIONS), size=count).astype(np.int32)
    people = np.random.RandomState(20_231).rand(identities, TRAITS).astype(np.float32)
    intensity = r.uniform(0.5, 1.0, (count, 1)).astype(np.float32)
    aus = np.clip(_RECIPE[expression] * intensity + r.uniform(-0.08, 0.08, (count, 8)), 0, 1).astype(np.float32)
    angles = np.clip(r.normal(size=(count, 3)) * MAX_ANGLES / 2.0, -MAX_ANGLES, MAX_ANGLES).astype(np.float32)
    light = r.normal(size=(count, 3)).astype(np.float32) * np.array([0.8, 0.5, 0.0], np.float32) + np.array(
        [0.0, -0.3, 1.0], np.float32
    )
    return {
        "identity": identity,
        "expression": expression,
        "aus": aus,
        "angles": angles,
        "traits": people[identity],
        "light": (light / np.linalg.norm(light, axis=1, keepdims=True)).astype(np.float32),
        "scene": r.rand(count, 9).astype(np.float32),
    }


def rotation(angles: np.ndarray) -> np.ndarray:
    """Head-to-camera rotation of [N, 3] yaw, pitch, roll in degrees: float32 [N, 3, 3].

    Positive yaw turns the nose to the image's right, positive pitch down,
    positive roll turns the image clockwise (x right, y down, z to the camera).
    """
    yaw, pitch, roll = np.deg2rad(angles).T
    one, zero = np.ones_like(yaw), np.zeros_like(yaw)

    def matrix(*entries: np.ndarray) -> np.ndarray:
        return np.stack(entries, axis=1).reshape(-1, 3, 3)

    cos, sin = np.cos, np.sin
    ry = matrix(cos(yaw), zero, sin(yaw), zero, one, zero, -sin(yaw), zero, cos(yaw))
    rx = matrix(one, zero, zero, zero, cos(pitch), sin(pitch), zero, -sin(pitch), cos(pitch))
    rz = matrix(cos(roll), -sin(roll), zero, sin(roll), cos(roll), zero, zero, zero, one)
    return (rz @ ry @ rx).astype(np.float32)


def _soft(distance: np.ndarray, edge: float = 0.03) -> np.ndarray:
    """1 inside (distance < 0), 0 outside, with a soft edge."""
    return 1.0 / (1.0 + np.exp(np.clip(distance / edge, -30, 30)))


def _paint(base: np.ndarray, colour: np.ndarray | np.float32, mask: np.ndarray) -> np.ndarray:
    return base + mask[..., None] * (colour - base)


def render(labels: Mapping[str, np.ndarray], size: int) -> np.ndarray:
    """Renders faces.

    Args:
      labels: as ``sample_labels`` returns.
      size: side in pixels.

    Returns:
      uint8 [N, size, size, 3].
    """
    n = len(labels["identity"])
    t = [labels["traits"][:, i, None, None] for i in range(TRAITS)]
    au = {k: labels["aus"][:, i, None, None] for i, k in enumerate(AUS)}
    s = [labels["scene"][:, i, None, None] for i in range(9)]
    grid = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
    zoom = 1.12 + 0.15 * s[0]
    x = (grid[None, None, :] - 0.12 * (s[1] - 0.5)) * zoom
    y = (grid[None, :, None] - 0.12 * (s[2] - 0.5)) * zoom
    x, y = np.broadcast_arrays(x, y)

    # The ray of each pixel against the ellipsoid, in head coordinates.
    turn = rotation(labels["angles"])
    radii = np.stack([0.68 + 0.14 * t[0], 0.9 + 0.1 * t[1], 0.8 + 0 * t[0]], axis=-1)[:, 0, 0]  # [N, 3]
    origin = np.einsum("nhwc,ncd->nhwd", np.stack([x, y, np.zeros_like(x)], -1), turn) / radii[:, None, None]
    ray = (turn[:, 2, :] / radii)[:, None, None]
    a, b = (ray**2).sum(-1), (origin * ray).sum(-1)
    disc = b**2 - a * ((origin**2).sum(-1) - 1.0)
    inside = disc > 0
    u = origin + ray * ((-b + np.sqrt(np.maximum(disc, 0))) / a)[..., None]  # point on the unit sphere
    normal = np.einsum("nhwd,ncd->nhwc", u / radii[:, None, None], turn)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-6
    px, py, front = u[..., 0], u[..., 1], u[..., 2]

    face = _features(px, py, front, t=t, au=au, expression=labels["expression"])
    shade = 0.45 + 0.65 * np.maximum(0, (normal * labels["light"][:, None, None]).sum(-1))
    face = face * shade[..., None]

    far = np.stack([s[3], s[4], s[5]], -1) * 0.8 + 0.1
    stripes = 0.5 + 0.5 * np.sin((x * np.cos(6 * s[6]) + y * np.sin(6 * s[6])) * (3 + 9 * s[7]))
    background = far * (0.65 + 0.35 * stripes[..., None])
    image = np.where(inside[..., None], face, background)
    noise = np.random.RandomState(int(labels["scene"].sum() * 1e3) % (2**31)).normal(0, 0.01, (n, size, size, 1))
    return (np.clip(image + noise, 0, 1) * 255 + 0.5).astype(np.uint8)


def rendered(blocks: Iterable[Mapping[str, np.ndarray]], size: int) -> Iterator[np.ndarray]:
    """Faces of ``render`` block by block, in their order; some blocks ahead on other cores, each of which needs memory.

    Args:
      blocks: labels as ``sample_labels`` returns, some tens of faces each, which stay in a processor's cache.
      size: side in pixels.

    Yields:
      uint8 [N, size, size, 3] for each block.
    """
    return in_order(lambda labels: render(labels, size), blocks, min(_AHEAD, os.cpu_count() or 1))


def _features(
    px: np.ndarray,
    py: np.ndarray,
    front: np.ndarray,
    *,
    t: list[np.ndarray],
    au: dict[int, np.ndarray],
    expression: np.ndarray,
) -> np.ndarray:
    """Colour of each surface point: float [N, H, W, 3]."""
    skin = np.stack([0.95 - 0.5 * t[2], 0.78 - 0.5 * t[2] + 0.05 * t[3], 0.66 - 0.5 * t[2]], -1)
    hair = np.stack([0.1 + 0.6 * t[4], 0.07 + 0.4 * t[4], 0.05 + 0.15 * t[4]], -1)
    colour = np.broadcast_to(skin, (*px.shape, 3)).copy()
    visible = _soft(-front, 0.05)

    hairline = -0.5 - 0.2 * t[5] + 0.3 * px**2
    colour = _paint(colour, hair, np.maximum(_soft(py - hairline), _soft(front + 0.1 + 0.3 * t[5], 0.05)))

    eye_x, eye_y = 0.3 + 0.06 * t[6], -0.12 + 0.08 * t[7]
    down = (expression == 2).astype(np.float32)[:, None, None]  # lip corners of sadness (AU 15)
    tight = (expression == 5).astype(np.float32)[:, None, None]  # lids of anger (AU 7)
    for side in (-1, 1):
        dx = side * px - eye_x  # grows outwards on both sides
        lid = 0.075 + 0.03 * t[8] + 0.05 * au[2] - 0.035 * au[6] - 0.03 * tight
        opening = (dx / 0.15) ** 2 + ((py - eye_y) / lid) ** 2 - 1
        colour = _paint(colour, np.float32(1.0), _soft(opening, 0.25) * visible)
        iris = np.stack([0.1 + 0.2 * t[9], 0.1 + 0.35 * t[9], 0.1 + 0.5 * t[9]], -1)
        pupil = (dx / 0.06) ** 2 + ((py - eye_y) / 0.065) ** 2 - 1
        colour = _paint(colour, iris, _soft(pupil, 0.3) * _soft(opening, 0.25) * visible)
        # AU 1 lifts the inner end of the brow, AU 2 the outer, AU 4 lowers and draws together.
        inner, outer = _soft(dx, 0.06), _soft(-dx, 0.06)
        brow_y = eye_y - 0.2 - 0.1 * au[1] * inner - 0.1 * au[2] * outer + 0.09 * au[4] * inner + 0.03 * au[4]
        brow = np.maximum(np.abs(dx + 0.04 * au[4]) - 0.19, np.abs(py - brow_y) - 0.03 - 0.02 * t[10])
        colour = _paint(colour, hair * 0.7, _soft(brow, 0.015) * visible)

    nose_y = 0.2 + 0.06 * t[11]
    nose = np.maximum(np.abs(px) - 0.05 - 0.05 * t[1] * (py + 0.2) - 0.03 * au[9], np.abs(py - nose_y + 0.14) - 0.16)
    colour = _paint(colour, skin * 0.78, 0.7 * _soft(nose, 0.02) * visible)
    wrinkle = np.abs(np.abs(px) + 0.5 * py - 0.16) - 0.02  # AU 9 wrinkles the root of the nose
    colour = _paint(colour, skin * 0.55, au[9] * _soft(wrinkle, 0.02) * _soft(np.abs(py - 0.02) - 0.12, 0.03) * visible)
    cheek = (np.abs(px) - 0.42) ** 2 + (py - 0.16) ** 2 - 0.02  # AU 6 raises and reddens the cheek
    colour = _paint(colour, skin * np.array([1.0, 0.7, 0.7], np.float32), 0.7 * au[6] * _soft(cheek, 0.015) * visible)

    # AU 12 pulls the corners up and out, AU 25 parts the lips, AU 26 drops the jaw.
    half = 0.2 + 0.05 * t[3] + 0.08 * au[12]
    middle = 0.47 + 0.04 * t[7] - (0.14 * au[12] - 0.12 * down) * (px / half) ** 2 + 0.05 * au[26]
    gap = 0.05 * au[25] + 0.13 * au[26]
    lips = np.maximum(np.abs(px) - half, np.abs(py - middle) - gap - 0.045)
    colour = _paint(colour, skin * np.array([0.95, 0.45, 0.5], np.float32), _soft(lips, 0.015) * visible)
    mouth = np.maximum(np.abs(px) - half * 0.85, np.abs(py - middle) - gap)
    return _paint(
        colour, np.array([0.25, 0.05, 0.08], np.float32), _soft(mouth, 0.012) * visible * np.minimum(1, 12 * gap)
    )
