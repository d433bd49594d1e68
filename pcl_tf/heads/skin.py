"""What colours a head has: skin by origin and age, lips, brows, hair and beard, eyes, teeth, clothes.

Everything is painted in the coordinates of the base head, so that it moves with the face. Colours are linear in [0, 1].
Points and colours are float32 [3, N]: numpy is several times as fast so as on [N, 3].
"""

import dataclasses
import functools

import numpy as np

from pcl_tf.heads import shape
from pcl_tf.heads.people import LOOK

_TILE = 256
_HAIR = np.array(
    [[0.02, 0.017, 0.014], [0.05, 0.028, 0.015], [0.14, 0.075, 0.035], [0.42, 0.28, 0.12], [0.25, 0.07, 0.02]]
)
_IRIS = np.array([[0.04, 0.018, 0.008], [0.12, 0.06, 0.02], [0.06, 0.14, 0.25], [0.09, 0.15, 0.06]])


@dataclasses.dataclass(frozen=True)
class Look:
    """What is not shape in a person: scalars and colours out of their traits."""

    traits: np.ndarray

    def __getitem__(self, column: int) -> float:
        """A number in [0, 1]; each column says one thing."""
        return float(self.traits[LOOK + column])

    def between(self, column: int, low: float, high: float) -> float:
        """The same in another range."""
        return low + (high - low) * self[column]

    @functools.cached_property
    def male(self) -> float:
        """How male, in [0, 1]."""
        return float(shape.male(self.traits[None])[0])

    @functools.cached_property
    def old(self) -> float:
        """0 up to thirty years, 1 at eighty."""
        return float(np.clip((shape.age(self.traits[None])[0] - 30) / 50, 0, 1))

    @functools.cached_property
    def origin(self) -> np.ndarray:
        """Shares of the three origins."""
        return shape.origin(self.traits[None])[0]

    @functools.cached_property
    def skin(self) -> np.ndarray:
        """Colour of the skin: dark or light by origin and by chance."""
        african, asian, _ = self.origin
        tone = float(np.clip(0.8 * african + 0.2 * asian + self.between(0, -0.08, 0.22), 0, 1))
        light, middle, dark = np.array([0.80, 0.50, 0.37]), np.array([0.45, 0.22, 0.12]), np.array([0.07, 0.03, 0.018])
        return light + (middle - light) * 2 * tone if tone < 0.5 else middle + (dark - middle) * (2 * tone - 1)

    @functools.cached_property
    def hair(self) -> np.ndarray:
        """Colour of the hair: one of five, greyed by age."""
        fair = self.origin[2] > 0.4
        steps = (0.4, 0.7, 0.85, 0.95) if fair else (0.8, 0.96, 1.0, 1.0)
        colour = _HAIR[int(np.searchsorted(steps, self[1]))] * self.between(2, 0.7, 1.4)
        grey = np.clip((self.old * 1.6 - 0.3) * 2 * self[3], 0, 1)
        return colour * (1 - grey) + 0.4 * grey

    @functools.cached_property
    def iris(self) -> np.ndarray:
        """Colour of the iris: one of four."""
        fair = self.origin[2] > 0.4
        return _IRIS[int(np.searchsorted((0.4, 0.6, 0.85) if fair else (0.95, 1.0, 1.0), self[4]))]

    @property
    def bald(self) -> bool:
        """Whether the hairline has gone back; only of men, more of old ones."""
        return self.male > 0.5 and self[5] * (0.25 + self.old) > 0.45


@functools.cache
def _tile() -> np.ndarray:
    """Smooth noise of unit variance that repeats: float32 [256 * 256], the same everywhere."""
    wave = np.fft.fftfreq(_TILE)
    power = 1 / np.maximum(np.hypot(wave[:, None], wave), 4 / _TILE)
    noise = np.fft.ifft2(np.fft.fft2(np.random.RandomState(5).normal(size=(_TILE, _TILE))) * power).real
    return ((noise - noise.mean()) / noise.std()).astype(np.float32).ravel()


def noise(u: np.ndarray, v: np.ndarray, scale: float, place: float) -> np.ndarray:
    """Noise of unit variance at points of a surface.

    Args:
      u, v: float [N], decimetres.
      scale: noise repeats each 256 / scale decimetres.
      place: in [0, 1], another for another person.

    Returns:
      float32 [N].
    """
    row, column = (u * scale + place * 7919).astype(np.int32), (v * scale + place * 104_729).astype(np.int32)
    return _tile().take(row % _TILE * _TILE + column % _TILE)


def soft(x: np.ndarray, edge: float) -> np.ndarray:
    """0 for x far below 0, 1 far above, an edge between."""
    return 1 / (1 + np.exp(np.clip(x / -edge, -30, 30)))


def paint(colours: np.ndarray, colour: np.ndarray | tuple[float, ...], mask: np.ndarray) -> np.ndarray:
    """Colours [3, N] with another, [3] or [3, N], laid over by mask [N]."""
    over = np.asarray(colour, np.float32).reshape(3, -1)
    return colours + mask.astype(np.float32) * (over - colours)


def bump(x: np.ndarray, middle: float, width: float) -> np.ndarray:
    """A Gaussian: 1 in the middle."""
    return np.exp(-np.square((x - middle) * (1 / width)))


def hair(look: Look, rest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where on the skin of the base head hair grows and how high: [3, N] -> [N] in [0, 1], [N] in decimetres."""
    x, y, z = rest
    front = look.between(6, 0.72, 0.98) + 0.4 * look.bald
    if look[7] > 0.7 and not look.bald:
        front = front - 0.35 * np.exp(-np.square(np.square(x / 0.6)))  # a fringe
    side = np.abs(x)
    line = front - 0.15 * side * np.sqrt(side) - 0.75 * np.clip(0.95 - z, 0, 0.4) - 3 * np.maximum(0.55 - z, 0)
    if look[8] > 0.2 + 0.7 * look.male and not look.bald:  # long hair covers the ears, and not the throat
        line = np.where(z < np.minimum(0.85, 0.2 + 0.9 * side), np.minimum(line, -0.2 - 1.2 * look[9]), line)
    mask = soft(y - line, 0.04)
    thick = 0.02 if look.bald else look.between(10, 0.04, 0.35)
    lumps = 1 + 0.25 * noise(np.arctan2(x, z), y, 40, look[11])
    return mask, mask * np.clip((y - line) * 2.5, 0, 1) * thick * lumps


def surface(look: Look, rest: np.ndarray, *, lips: np.ndarray, mouth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Colours and gloss of points of skin and hair.

    Args:
      look: of the person.
      rest: float32 [3, N], where on the base head the points lie.
      lips, mouth: float32 [N] in [0, 1], how much of these they are; mouth is its inside.

    Returns:
      (float32 [3, N] linear colours, float32 [N] gloss).
    """
    x, y, z = rest
    side, around = np.abs(x), np.arctan2(x, z)
    bright = 1 + 0.04 * noise(around, y, 60, look[12]) + 0.03 * noise(around, y, 250, look[13])
    flush = bump(side, 0.38, 0.22) * bump(y, -0.42, 0.2) + 0.8 * bump(x, 0, 0.16) * bump(y, -0.3, 0.16)
    flush *= look.between(14, 0, 0.9)
    if look[15] > 0.75:
        freckles = soft(noise(around, y, 400, look[16]) - 1.2, 0.1) * bump(y, -0.35, 0.3)
        bright *= 1 - 0.3 * freckles
    lines = bump(y, 0.62, 0.22) * np.exp(-np.square(np.square(x / 0.45)))
    lines *= 0.5 + 0.5 * np.sin(60 * y + noise(x, y, 30, look[17]))
    shadows = bump(side, 0.27, 0.15) * bump(y, -0.13, 0.05)
    bright *= 1 - 0.3 * look.old * lines - (0.2 + 0.3 * look.old) * shadows
    pale = np.array([[0.04], [0.3], [0.26]], np.float32)
    skin = look.skin.astype(np.float32)[:, None] * bright * (1 - flush * pale)

    made_up = look.male < 0.5 and look[18] > 0.5
    red = np.array([0.45, look.between(19, 0.02, 0.12), 0.08]) if made_up else look.skin * np.array([0.85, 0.42, 0.42])
    out = paint(skin, red, 0.8 * np.clip(1.2 * lips, 0, 1))
    out = paint(out, (0.03, 0.004, 0.004), (mouth > 0.5) & (z < 1.40))
    rim = np.sqrt(np.square((side - 0.308) / 0.165) + np.square(y / 0.075))
    out *= 1 - (0.75 if made_up else 0.5) * bump(rim, 1, 0.13) * (y > -0.02)

    strands = 1 + 0.35 * noise(60 * around, 2 * y, 3, look[20]) + 0.15 * noise(around, y, 120, look[21])
    hairs = look.hair.astype(np.float32)[:, None] * np.clip(strands, 0.2, 2)
    b = side - 0.31
    arch = look.between(22, 0.18, 0.23) + 0.06 * b - look.between(23, 0.7, 2) * np.square(np.maximum(b - 0.05, 0))
    width = look.between(24, 0.02, 0.045) * (0.85 + 0.3 * look.male) * (1 - 0.5 * np.clip((b - 0.05) / 0.2, 0, 1))
    brow = soft(width - np.abs(y - arch), 0.01) * soft(0.22 - np.abs(b), 0.02) * (z > 0.9)
    out = paint(out, hairs, brow * look.between(25, 0.45, 0.95))
    if look.male > 0.55 and look[26] > 0.5:
        beard = soft(-0.42 - y + 0.03 * noise(x, y, 30, look[27]), 0.05) * soft(z - 0.45, 0.06)
        beard *= 1 - np.exp(-np.square(np.square(side / 0.3)) - np.square(np.square((y + 0.66) / 0.115)))
        beard *= (1, soft(0.33 - side, 0.04), soft(0.32 - side, 0.04) * soft(0.7 + y, 0.05))[int(2.99 * look[28])]
        stubble = np.clip(0.75 + 0.2 * noise(x, y, 300, look[29]), 0, 1)
        out = paint(out, hairs, beard * look.between(30, 0.2, 0.95) * (1 - np.clip(1.5 * lips, 0, 1)) * stubble)
    grown, _ = hair(look, rest)
    out = paint(out, hairs, grown)
    clothes = soft(-1.45 - y + 0.25 * x**2, 0.02)
    out = paint(out, np.array([look[31], look[32], look[33]]) ** 2 * 0.8, clothes)
    gloss = (look.between(34, 0.01, 0.07) * (1 - grown) + 0.05 * grown + 0.06 * lips) * (1 - clothes)
    return out, gloss


def eyeball(look: Look, away: np.ndarray) -> np.ndarray:
    """Colours of points of an eye by their angle from the line of sight: radians [N] -> float32 [3, N]."""
    white = np.array([[0.62], [0.58], [0.56]], np.float32)
    out = paint(white, look.iris, soft(0.44 - away, 0.02))
    out = paint(out, look.iris * 0.3, 0.7 * bump(away, 0.43, 0.05))
    return paint(out, (0, 0, 0), soft(look.between(35, 0.13, 0.2) - away, 0.02))
