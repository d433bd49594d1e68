"""What a camera sees of heads: rays traced by Embree, light and shadow, glasses, background, and a camera's faults."""

import functools
import io
from collections.abc import Iterator, Mapping

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from PIL import Image, ImageFilter

from pcl_tf.heads import shape, skin
from pcl_tf.heads.skin import Look, bump, paint, soft

_CROP = 2.9  # side of a crop in distances between the eyes, or from eyes to mouth: as faces are cut by landmarks
_GAMMA = 2.2
_FAR = np.float32(1e9)
_Random = np.random.RandomState


def rotation(angles: np.ndarray) -> np.ndarray:
    """Head-to-camera rotation, axes x right, y up, z to the camera: degrees [3] yaw, pitch, roll -> float32 [3, 3].

    Positive yaw turns the nose to the image's right, positive pitch up, positive roll turns the image clockwise.
    """
    (cy, cp, cr), (sy, sp, sr) = np.cos(a := np.deg2rad(angles * np.array([1, -1, -1]))), np.sin(a)
    yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return (roll @ yaw @ pitch).astype(np.float32)


def render(labels: Mapping[str, np.ndarray], size: int) -> np.ndarray:
    """Renders faces. Each is a function of its labels alone, whatever others there are.

    Args:
      labels: as ``people.sample_labels`` returns.
      size: side in pixels.

    Returns:
      uint8 [N, size, size, 3].
    """
    heads = shape.vertices(labels)
    return np.stack([_picture({k: x[i] for k, x in labels.items()}, v, size) for i, v in enumerate(heads)])


def landmarks(labels: Mapping[str, np.ndarray], size: int) -> np.ndarray:
    """Where ``shape.LANDMARKS`` are in the pictures of ``render``, hidden ones too: float32 [N, 11, 2], x and y in pixels."""
    places = list(shape.landmarks().values())
    return np.stack([head.pixels(v[places]) for head, v in _heads(labels, size)]).astype(np.float32)


def masks(labels: Mapping[str, np.ndarray], size: int) -> np.ndarray:
    """Head and neck in the pictures of ``render``: bool [N, size, size]."""
    return np.stack([head.traced["primID"].reshape(size, size) >= 0 for head, _ in _heads(labels, size)])


def _heads(labels: Mapping[str, np.ndarray], size: int) -> "Iterator[tuple[_Head, np.ndarray]]":
    for i, v in enumerate(shape.vertices(labels)):
        yield _Head({k: x[i] for k, x in labels.items()}, v, size), v


class _Head:
    """A head with its hair before a pinhole at some distance; a square is cut around the face, with errors."""

    def __init__(self, label: Mapping[str, np.ndarray], v: np.ndarray, side: int) -> None:
        m = shape.mesh()
        self.rng, self.look, self.side = _Random(int(label["scene"]) % 2**32), Look(label["traits"]), side
        # 1, or 0 where they do not differ from picture to picture: ``people.without``.
        self.lights, self.backgrounds, self.cameras = (1 - label.get("plain", np.zeros(3))).tolist()
        self.turn = rotation(label["angles"])
        self.eyes = np.stack([v[eye].mean(0) for eye in m.eyes])
        self.far = np.exp(
            self.rng.uniform(np.log(6.0), np.log(25.0)) * self.cameras + np.log(12.0) * (1 - self.cameras)
        )
        left, right, lips = self._plane(np.stack([*self.eyes, v[m.lips > 0.5].mean(0)]))
        middle = (left + right) / 2
        apart = max(np.hypot(*(left - right)), np.hypot(*(middle - lips)))
        self.width = _CROP * apart * np.exp(self.rng.normal(0, 0.08 * self.cameras))
        self.centre = 0.55 * middle + 0.45 * lips + self.rng.normal(0, 0.04 * self.cameras, 2) * self.width
        _, height = skin.hair(self.look, m.rest.T)
        self.v = v + (m.skin * height)[:, None] * m.outwards

    def _plane(self, points: np.ndarray) -> np.ndarray:
        """Points of the head as seen on the plane through the eyes: [n, 3] -> [n, 2]."""
        c = points @ self.turn.T
        return c[:, :2] * (self.far / (self.far - c[:, 2:]))

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Points of the head in the picture: [n, 3] -> [n, 2], x to the right, y down."""
        return ((self._plane(points) - self.centre) * (1, -1) / self.width + 0.5) * self.side

    @functools.cached_property
    def start(self) -> np.ndarray:
        """The pinhole in axes of the head: float32 [3]."""
        return np.float32(self.far) * self.turn[2]

    @functools.cached_property
    def way(self) -> np.ndarray:
        """Where each pixel's ray goes to, in axes of the head: unit float32 [side * side, 3]."""
        grid = (((np.arange(self.side) + 0.5) / self.side - 0.5) * self.width).astype(np.float32)
        x, y = np.float32(self.centre[0]) + grid, np.float32(self.centre[1]) - grid
        on = x[None, :, None] * self.turn[0] + y[:, None, None] * self.turn[1] - self.start
        length = np.sqrt(np.square(x)[None] + np.square(y)[:, None] + np.float32(self.far) ** 2)
        return (on / length[..., None]).reshape(-1, 3)

    @functools.cached_property
    def scene(self) -> EmbreeScene:
        """The head as Embree has it."""
        scene = EmbreeScene()
        TriangleMesh(scene, self.v, shape.mesh().triangles)
        return scene

    @functools.cached_property
    def traced(self) -> dict[str, np.ndarray]:
        """What the rays meet: 'primID' triangle or -1, 'u' and 'v' where in it, 'tfar' how far away."""
        return self.scene.run(np.broadcast_to(self.start, self.way.shape).copy(), self.way, output=1)


def _picture(label: Mapping[str, np.ndarray], v: np.ndarray, size: int) -> np.ndarray:
    head = _Head(label, v, 4 * size // 3)
    light = _background(head.rng, head.side)
    light += np.float32(1 - head.backgrounds) * (np.float32(0.25) - light)
    hit = np.flatnonzero(head.traced["primID"] >= 0)
    light[:, hit] = _seen(head, label, hit)
    depth = np.full(light.shape[1], _FAR)
    depth[hit] = head.traced["tfar"][hit]
    light = _glasses(light, head, depth)
    light *= np.float32(np.exp(head.rng.normal(0.05, 0.25 * head.cameras)))
    return _developed(light, head.rng, size, faults=head.cameras)


def _unit(x: np.ndarray) -> np.ndarray:
    return x / (np.sqrt(np.square(x).sum(0)) + np.float32(1e-9))


def _seen(head: _Head, label: Mapping[str, np.ndarray], hit: np.ndarray) -> np.ndarray:
    """Light from the head: int [hits], rays that meet it -> linear float32 [3, hits]."""
    m, look, rng = shape.mesh(), head.look, head.rng
    triangle, u, v, far = (head.traced[name][hit] for name in ("primID", "u", "v", "tfar"))
    way, parts = head.way.take(hit, 0).T, m.parts[triangle]
    values = np.concatenate([shape.normals(head.v), m.rest, m.lips[:, None], m.mouth[:, None]], 1)
    corners = m.triangles.take(triangle, 0).T
    shares = (1 - u - v, u, v)
    inside = sum(values.take(c, 0) * share[:, None] for c, share in zip(corners, shares, strict=True))
    inside = np.ascontiguousarray(inside.T)
    point, normal = head.start[:, None] + way * far, _unit(inside[:3])
    colour, gloss = skin.surface(look, inside[3:6], lips=inside[6], mouth=inside[7])
    colour[:, parts == shape.TEETH] = look.between(36, 0.35, 0.7) * np.array([[1], [0.93], [0.8]])
    colour[:, parts == shape.TONGUE] = [[0.3], [0.06], [0.06]]
    sight = np.array([*np.tan(np.deg2rad(label["gaze"])), 1])
    for part, centre in zip((shape.LEFT_EYE, shape.RIGHT_EYE), head.eyes, strict=True):
        of = np.flatnonzero(parts == part)
        away = np.clip(sight @ _unit(point[:, of] - centre[:, None]) / np.sqrt(sight @ sight), -1, 1)
        colour[:, of], gloss[of] = skin.eyeball(look, np.arccos(away)), 0.6

    towards = (label["light"] @ head.turn).astype(np.float32)
    facing = np.clip((towards @ normal + np.float32(0.15)) / np.float32(1.15), 0, 1)
    lit = np.flatnonzero(facing)
    origins = np.ascontiguousarray((point + np.float32(0.01) * normal).take(lit, 1).T)
    ambient, hardness = (0.45, 0.65) + (rng.uniform((0.2, 0.3), (0.7, 1.0)) - (0.45, 0.65)) * head.lights
    sun = np.full(len(hit), (1 - ambient) * 1.5, np.float32)
    shaded = head.scene.run(origins, np.repeat(towards[None], len(lit), 0), query="OCCLUDED") >= 0
    sun[lit[shaded]] *= 1 - hardness

    def tint(spread: float) -> np.ndarray:
        return np.exp(rng.normal(0, spread * head.lights, (3, 1))).astype(np.float32)

    light = facing * sun * tint(0.1)
    light += ambient * (0.75 + 0.25 * (head.turn[1] @ normal)) * tint(0.1)
    if rng.rand() < 0.35 * head.lights:  # a second lamp
        lamp = np.array([rng.choice((-1, 1)) * rng.uniform(0.5, 1), rng.normal(0, 0.3), rng.uniform(-0.3, 0.6)])
        reached = np.clip((lamp / np.sqrt(lamp @ lamp) @ head.turn).astype(np.float32) @ normal, 0, 1)
        light += rng.uniform(0.1, 0.5) * reached * tint(0.2)
    half = np.clip((normal * _unit(towards[:, None] - way)).sum(0), 0, 1)
    eighth = np.square(np.square(np.square(half)))
    return colour * light + gloss * sun * eighth * np.square(eighth)


def _glasses(light: np.ndarray, head: _Head, depth: np.ndarray) -> np.ndarray:
    """Spectacles of one person in five: two rims, a bridge, clear or dark glass, in a plane before the eyes."""
    look = head.look
    if look[37] > 0.2:
        return light
    plane, ahead = head.eyes[:, 2].mean() + np.float32(0.32), head.way[:, 2]
    far = (plane - head.start[2]) / np.where(np.abs(ahead) < 1e-3, np.float32(1e-3), ahead)
    x, y = head.start[:2, None] + head.way.T[:2] * far
    before = (far > 0) & (far < depth + np.float32(0.05))
    wide, high, square = look.between(38, 0.2, 0.26), look.between(39, 0.13, 0.2), look[40] > 0.5
    rims, glass = np.zeros_like(x), np.zeros_like(x)
    for eye in head.eyes:
        a, b = np.square((x - eye[0]) / wide), np.square((y - eye[1] + np.float32(0.02)) / high)
        out = np.sqrt(np.sqrt(np.square(a) + np.square(b))) if square else np.sqrt(a + b)
        rims = np.maximum(rims, np.exp(-np.square(np.square((out - 1) / look.between(41, 0.05, 0.14)))))
        glass = np.maximum(glass, soft(1 - out, 0.03))
    rims = np.maximum(rims, bump(np.square(y), 0, 0.025**2) * (np.abs(x) < head.eyes[0, 0] - wide + 0.04))
    dark = look[42] < 0.2
    light = paint(light, (0.005 if dark else 0.8,) * 3, glass * before * (0.9 if dark else look.between(43, 0, 0.1)))
    return paint(light, np.array([look[44], look[45], look[46]]) ** 4, rims * before)


@functools.cache
def _tables() -> tuple[np.ndarray, np.ndarray]:
    """Linear light of the values of pictures, float32 [256], and back: uint8 [65536]."""
    light = (np.arange(256) / 255) ** _GAMMA
    return light.astype(np.float32), ((np.arange(65536) / 65535) ** (1 / _GAMMA) * 255 + 0.5).astype(np.uint8)


def _background(rng: _Random, side: int) -> np.ndarray:
    """Patches of some sizes over one colour, smooth or with edges, mostly pale: linear float32 [3, side * side]."""
    colour, grey = rng.rand(3), rng.uniform(0.3, 1.0)
    picture = np.repeat(colour.astype(np.float32)[:, None], side * side, 1)
    strength = rng.uniform(0.0, 0.8)
    for cells in (2, 4, 9, 20)[: rng.randint(5)]:
        patches = Image.fromarray((rng.rand(cells, cells, 3) * 255).astype(np.uint8))
        how = Image.Resampling.BICUBIC if rng.rand() < 0.7 else Image.Resampling.NEAREST
        picture += np.float32(strength) * (np.asarray(patches.resize((side, side), how)).reshape(-1, 3).T / 255 - 0.5)
        strength *= 0.7
    picture += np.float32(grey) * (picture.mean(0) - picture)
    return _tables()[0].take((np.clip(picture, 0, 1) * 255 + np.float32(0.5)).astype(np.uint8))


def _developed(light: np.ndarray, rng: _Random, size: int, *, faults: float) -> np.ndarray:
    """A picture as cameras and files leave it: blurred, small, noisy, grey, compressed; linear [3, n] -> uint8."""
    side = int(np.sqrt(light.shape[1]))
    # All numbers before the noise, whose count goes by size: a scene is the same at every size.
    blurred, blur, lowered, share, grey, packed, quality, noise = rng.rand(8).tolist()
    values = _tables()[1].take((np.clip(light, 0, 1) * 65535).astype(np.uint16))
    picture = Image.fromarray(np.ascontiguousarray(values.T).reshape(side, side, 3))
    if blurred < 0.5 * faults:
        picture = picture.filter(ImageFilter.GaussianBlur((0.3 + blur) * side / 128))
    picture = picture.resize((size, size), Image.Resampling.HAMMING)
    if lowered < 0.3 * faults:
        small = max(8, int(size * (0.4 + 0.5 * share)))
        picture = picture.resize((small, small), Image.Resampling.BILINEAR)
        picture = picture.resize((size, size), Image.Resampling.BICUBIC)
    values = np.asarray(picture) + rng.normal(0.5, 5 * noise * faults, (size, size, 3)).astype(np.float32)
    picture = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    if grey < 0.35 * faults:
        picture = picture.convert("L")
    if packed < 0.6 * faults:
        picture.save(buffer := io.BytesIO(), "JPEG", quality=int(40 + 55 * quality))
        picture = Image.open(buffer)
    return np.asarray(picture.convert("RGB"))
