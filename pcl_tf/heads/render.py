"""What a camera sees of heads: rays traced by Embree, light and shadow, glasses, background, and a camera's faults."""

import dataclasses
import io
from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageFilter

from pcl_tf.heads import shape, skin
from pcl_tf.heads.skin import Look, paint, soft

_CROP = 2.9  # side of a crop in distances between the eyes, or from eyes to mouth: as faces are cut by landmarks
_FAR = np.float32(1e9)


def rotation(angles: np.ndarray) -> np.ndarray:
    """Head-to-camera rotation, axes x right, y up, z to the camera: degrees [3] yaw, pitch, roll -> float32 [3, 3].

    Positive yaw turns the nose to the image's right, positive pitch down, positive roll turns the image clockwise.
    """
    (cy, cp, cr), (sy, sp, sr) = np.cos(a := np.deg2rad(angles * np.array([1, 1, -1]))), np.sin(a)
    yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return (roll @ yaw @ pitch).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class _Rays:
    """Rays of a square of pixels, in the axes of the head: where they begin [3], where to [n, 3]."""

    start: np.ndarray
    way: np.ndarray


def render(labels: Mapping[str, np.ndarray], size: int) -> np.ndarray:
    """Renders faces, a function of the labels alone.

    Args:
      labels: as ``people.sample_labels`` returns.
      size: side in pixels.

    Returns:
      uint8 [N, size, size, 3].
    """
    heads = shape.vertices(labels)
    return np.stack([_picture({k: x[i] for k, x in labels.items()}, v, size) for i, v in enumerate(heads)])


def _picture(label: Mapping[str, np.ndarray], v: np.ndarray, size: int) -> np.ndarray:
    rng, look = np.random.RandomState(int(label["scene"]) % 2**32), Look(label["traits"])
    side, m = 3 * size // 2, shape.mesh()
    eyes = np.stack([v[eye].mean(0) for eye in m.eyes])
    turn = rotation(label["angles"])
    rays = _camera(rng, turn, eyes=eyes, mouth=v[m.lips > 0.5].mean(0), side=side)
    growth, height = skin.hair(look)
    outwards = m.rest - np.array([0, 0.25, 0.1], np.float32)
    v = v + (height / np.linalg.norm(outwards, axis=1))[:, None] * outwards
    light = _background(rng, side).reshape(-1, 3)
    seen, depth = _seen(rng, look, label, v=v.astype(np.float32), rays=rays, turn=turn, growth=growth, eyes=eyes)
    light[depth < _FAR] = seen
    light = _glasses(light, look, rays, depth=depth, eyes=eyes)
    return _developed(np.clip(light * np.exp(rng.normal(0.05, 0.25)), 0, 1), rng, size)


def _camera(rng: np.random.RandomState, turn: np.ndarray, *, eyes: np.ndarray, mouth: np.ndarray, side: int) -> _Rays:
    """A pinhole at some distance and a square cut around the face by its eyes and mouth, with errors."""
    far = np.exp(rng.uniform(np.log(6.0), np.log(25.0)))

    def projected(points: np.ndarray) -> np.ndarray:  # onto the plane through the eyes
        c = points @ turn.T
        return c[..., :2] * (far / (far - c[..., 2:]))

    on, lips = projected(eyes), projected(mouth)
    middle = on.mean(0)
    width = _CROP * max(np.linalg.norm(on[0] - on[1]), np.linalg.norm(middle - lips)) * np.exp(rng.normal(0, 0.08))
    centre = 0.55 * middle + 0.45 * lips + rng.normal(0, 0.04, 2) * width
    grid = ((np.arange(side) + 0.5) / side - 0.5) * width
    x, y = np.meshgrid(centre[0] + grid, centre[1] - grid)
    way = np.stack([x, y, np.full_like(x, -far)], -1).reshape(-1, 3) @ turn
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    return _Rays((np.array([0, 0, far]) @ turn).astype(np.float32), way.astype(np.float32))


def _seen(
    rng: np.random.RandomState,
    look: Look,
    label: Mapping[str, np.ndarray],
    *,
    v: np.ndarray,
    rays: _Rays,
    turn: np.ndarray,
    growth: np.ndarray,
    eyes: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Light from the head: linear [hits, 3], and how far each ray goes: [n], _FAR where it meets nothing."""
    from embreex.mesh_construction import TriangleMesh
    from embreex.rtcore_scene import EmbreeScene

    m, scene = shape.mesh(), EmbreeScene()
    TriangleMesh(scene, v, m.triangles)
    met = scene.run(np.broadcast_to(rays.start, rays.way.shape).copy(), rays.way, output=1)
    hit = met["primID"] >= 0
    corners, parts = m.triangles[met["primID"][hit]], m.parts[met["primID"][hit]]
    share = np.stack([1 - met["u"][hit] - met["v"][hit], met["u"][hit], met["v"][hit]], 1)
    values = np.concatenate([shape.normals(v), m.rest, np.stack([growth, m.lips, m.mouth], 1)], 1).astype(np.float32)
    inside = np.einsum("nkd,nk->nd", values[corners], share)
    way, point = rays.way[hit], rays.start + rays.way[hit] * met["tfar"][hit, None]
    normal = inside[:, :3] / (np.linalg.norm(inside[:, :3], axis=1, keepdims=True) + 1e-9)
    colour, gloss = skin.surface(look, inside[:, 3:6], hair=inside[:, 6], lips=inside[:, 7], mouth=inside[:, 8])
    colour[parts == shape.TEETH] = look.between(36, 0.35, 0.7) * np.array([1, 0.93, 0.8])
    colour[parts == shape.TONGUE] = (0.3, 0.06, 0.06)
    left, up = np.tan(np.deg2rad(label["gaze"]))
    sight = np.array([left, up, 1]) / np.linalg.norm([left, up, 1])
    for part, centre in zip((shape.LEFT_EYE, shape.RIGHT_EYE), eyes, strict=True):
        of = parts == part
        out = point[of] - centre
        out /= np.linalg.norm(out, axis=1, keepdims=True)
        colour[of], gloss[of] = skin.eyeball(look, np.arccos(np.clip(out @ sight, -1, 1))), 0.6

    towards = (label["light"] @ turn).astype(np.float32)
    shadowed = scene.run((point + 0.01 * normal).astype(np.float32), np.repeat(towards[None], len(point), 0)) >= 0
    ambient, hardness = rng.uniform(0.2, 0.7), rng.uniform(0.3, 1.0)
    lit = (1 - hardness * shadowed) * (1 - ambient) * 1.5
    key = np.clip((normal @ towards + 0.15) / 1.15, 0, 1) * lit
    sky = 0.5 + 0.5 * normal @ turn[1]
    light = key[:, None] * np.exp(rng.normal(0, 0.1, 3))
    light = light + (ambient * (0.5 + 0.5 * sky))[:, None] * np.exp(rng.normal(0, 0.1, 3))
    if rng.rand() < 0.35:  # a second lamp
        lamp = np.array([rng.choice((-1, 1)) * rng.uniform(0.5, 1), rng.normal(0, 0.3), rng.uniform(-0.3, 0.6)])
        reached = np.clip(normal @ (lamp / np.linalg.norm(lamp) @ turn), 0, 1)
        light = light + rng.uniform(0.1, 0.5) * reached[:, None] * np.exp(rng.normal(0, 0.2, 3))
    half = towards - way
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    shine = gloss * lit * np.clip((normal * half).sum(1), 0, 1) ** 24
    return colour * light + shine[:, None], np.where(hit, met["tfar"], _FAR)


def _glasses(light: np.ndarray, look: Look, rays: _Rays, *, depth: np.ndarray, eyes: np.ndarray) -> np.ndarray:
    """Spectacles of one person in five: two rims, a bridge, clear or dark glass, in a plane before the eyes."""
    if look[37] > 0.2:
        return light
    plane = eyes[:, 2].mean() + 0.32
    far = (plane - rays.start[2]) / np.where(np.abs(rays.way[:, 2]) < 1e-3, 1e-3, rays.way[:, 2])
    at = rays.start + rays.way * far[:, None]
    before = (far > 0) & (far < depth + 0.05)
    wide, high, power = look.between(38, 0.2, 0.26), look.between(39, 0.13, 0.2), 2.2 if look[40] < 0.5 else 4.0
    rims, glass = np.zeros(len(at)), np.zeros(len(at))
    for eye in eyes:
        x, y = np.abs((at[:, 0] - eye[0]) / wide), np.abs((at[:, 1] - eye[1] + 0.02) / high)
        out = (x**power + y**power) ** (1 / power)
        rims = np.maximum(rims, np.exp(-(((out - 1) / look.between(41, 0.05, 0.14)) ** 4)))
        glass = np.maximum(glass, soft(1 - out, 0.03))
    rims = np.maximum(rims, np.exp(-((at[:, 1] / 0.025) ** 4)) * (np.abs(at[:, 0]) < eyes[0, 0] - wide + 0.04))
    dark = look[42] < 0.2
    light = paint(
        light, np.full(3, 0.005 if dark else 0.8), glass * before * (0.9 if dark else look.between(43, 0, 0.1))
    )
    return paint(light, np.array([look[44], look[45], look[46]]) ** 4, rims * before)


def _background(rng: np.random.RandomState, side: int) -> np.ndarray:
    """Patches of some sizes over one colour, smooth or with edges, mostly pale: linear [side, side, 3]."""
    colour, grey = rng.rand(3), rng.uniform(0.3, 1.0)
    picture = np.full((side, side, 3), colour, np.float32)
    strength = rng.uniform(0.0, 0.8)
    for cells in (2, 4, 9, 20)[: rng.randint(5)]:
        patches = (rng.rand(cells, cells, 3) * 255).astype(np.uint8)
        how = Image.Resampling.BICUBIC if rng.rand() < 0.7 else Image.Resampling.NEAREST
        picture += strength * (
            np.asarray(Image.fromarray(patches).resize((side, side), how)) / np.float32(255) - np.float32(0.5)
        )
        strength *= 0.7
    picture = picture + grey * (picture.mean(-1, keepdims=True) - picture)
    return np.clip(picture, 0, 1).astype(np.float32) ** 2.2


def _developed(light: np.ndarray, rng: np.random.RandomState, size: int) -> np.ndarray:
    """A picture as cameras and files leave it: blurred, small, noisy, grey, compressed; linear [n, 3] -> uint8."""
    side = int(np.sqrt(len(light)))
    picture = Image.fromarray((light.reshape(side, side, 3) ** (1 / 2.2) * 255 + 0.5).astype(np.uint8))
    if rng.rand() < 0.5:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.3) * side / 128))
    picture = picture.resize((size, size), Image.Resampling.HAMMING)
    if rng.rand() < 0.3:
        small = max(8, int(size * rng.uniform(0.4, 0.9)))
        picture = picture.resize((small, small), Image.Resampling.BILINEAR).resize(
            (size, size), Image.Resampling.BICUBIC
        )
    values = np.asarray(picture) + rng.normal(0, rng.uniform(0, 5), (size, size, 3))
    if rng.rand() < 0.35:
        values = np.repeat((values @ np.array([0.299, 0.587, 0.114]))[..., None], 3, -1)
    values = (np.clip(values, 0, 255) + 0.5).astype(np.uint8)
    if rng.rand() < 0.6:
        buffer = io.BytesIO()
        Image.fromarray(values).save(buffer, "JPEG", quality=int(rng.uniform(40, 95)))
        values = np.asarray(Image.open(buffer))
    return values
