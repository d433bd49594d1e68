"""From the traits of people and the actions of their faces to a mesh of head, eyes, teeth and tongue.

The mesh is MakeHuman's, and so are the targets that bend it (CC0; ``make_mesh`` made the file). Axes: x to the person's
left, y up, z to the front; decimetres; the middle between the eyes is the origin.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Mapping

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import ndtri

from pcl_tf.heads.people import ACTIONS, AGE, FORM, FORMS, ORIGINS, SEX, SHAPES, WEIGHT

_EYE_LINE = 7.284  # height of the eyes of the base mesh
LEFT_EYE, RIGHT_EYE, TEETH, TONGUE = 1, 2, 3, 4  # parts; 0 is skin and hair
LANDMARKS = {  # where they are on the base head; left is the person's
    "left brow, outer": (0.42, 0.24, 1.33),
    "left brow, inner": (0.13, 0.22, 1.47),
    "right brow, inner": (-0.13, 0.22, 1.47),
    "right brow, outer": (-0.42, 0.24, 1.33),
    "nose": (0.0, -0.36, 1.73),
    "left wing of the nose": (0.14, -0.38, 1.5),
    "right wing of the nose": (-0.14, -0.38, 1.5),
    "left corner of the mouth": (0.25, -0.67, 1.41),
    "right corner of the mouth": (-0.25, -0.67, 1.41),
    "lower lip": (0.0, -0.74, 1.55),
    "chin": (0.0, -1.05, 1.45),
}
_UNITS: dict[int, dict[str, float]] = {  # what an action does, in Face Units; those of a side stand for both
    1: {"browInnerUp": 1.3},
    2: {"browOuterUp": 1.0},
    4: {"browDown": 1.2},
    5: {"eyeWide": 1.0},
    6: {"cheekSquint": 1.0, "eyeSquint": 0.3},
    7: {"eyeSquint": 1.0},
    9: {"noseSneer": 1.4},
    12: {"mouthSmile": 1.0},
    15: {"mouthFrown": 1.3},
    17: {"mouthShrugLower": 1.0},
    18: {"mouthPucker": 1.0},
    20: {"mouthStretch": 1.0},
    23: {"mouthPress": 1.0},
    25: {"mouthLowerDown": 1.0, "mouthUpperUp": 0.8, "jawOpen": 0.08},
    26: {"jawOpen": 0.7},
    45: {"eyeBlink": 1.0},
}


@dataclasses.dataclass(frozen=True)
class Mesh:
    """The head before it is bent.

    Attributes:
      rest: float32 [V, 3], where each vertex lies in the base head: the coordinates in which skin and hair are painted.
      triangles: int32 [T, 3]; parts: uint8 [T].
      outwards: float32 [V, 3], unit, the way in which hair grows.
      skin: bool [V], of neither eyes, teeth nor tongue; lips, mouth: float32 [V] in [0, 1].
      eyes: indices of the left and of the right eye's vertices.
      targets: float32 [K, V * 3]; rows: {name: row of targets}.
      corners: sparse [V, T], which triangles meet in a vertex.
    """

    rest: np.ndarray
    triangles: np.ndarray
    parts: np.ndarray
    outwards: np.ndarray
    skin: np.ndarray
    lips: np.ndarray
    mouth: np.ndarray
    eyes: tuple[np.ndarray, np.ndarray]
    targets: np.ndarray
    rows: Mapping[str, int]
    corners: csr_matrix


@functools.cache
def mesh() -> Mesh:
    """The mesh, read once."""
    with np.load(pathlib.Path(__file__).with_name("mesh.npz")) as data:
        triangles, part, base = data["triangles"].astype(np.int32), data["part"], data["base"]
        kinds = ("macro", "forms", "shapes", "units")
        targets = [data[kind].astype(np.float32).reshape(-1, base.size) for kind in kinds]
        names = [*data["macro_names"], *data["forms_names"]]
        names += [f"{name}{way}" for name in data["shapes_names"] for way in "+-"]
        names += list(data["units_names"])
        lips, mouth = data["masks"].astype(np.float32).T
    corner = triangles.ravel(), np.repeat(np.arange(len(triangles)), 3)
    skin = np.zeros(len(base), bool)
    skin[triangles[part == 0].ravel()] = True
    rest = base - np.array([0, _EYE_LINE, 0], np.float32)
    outwards = rest - np.array([0, 0.25, 0.1], np.float32)
    return Mesh(
        rest,
        triangles,
        part,
        outwards / np.linalg.norm(outwards, axis=1, keepdims=True),
        skin,
        lips,
        mouth,
        (np.unique(triangles[part == LEFT_EYE]), np.unique(triangles[part == RIGHT_EYE])),
        np.concatenate(targets),
        {str(name): row for row, name in enumerate(names)},
        csr_matrix((np.ones(len(corner[0]), np.float32), corner), (len(base), len(triangles))),
    )


def origin(traits: np.ndarray) -> np.ndarray:
    """Shares of the three origins that MakeHuman has (African, Asian, Caucasian): [N, 160] -> [N, 3]; mostly one."""
    share = (-np.log(traits[:, ORIGINS] + 1e-6)) ** 3
    return share / share.sum(1, keepdims=True)


def male(traits: np.ndarray) -> np.ndarray:
    """How male a head is: [N, 160] -> [N] in [0, 1], mostly near the ends."""
    return np.clip((traits[:, SEX] - 0.5) * 4 + 0.5, 0, 1)


def age(traits: np.ndarray) -> np.ndarray:
    """Years: [N, 160] -> [N], 10 to 80."""
    return 10 + 70 * traits[:, AGE]


def _weights(labels: Mapping[str, np.ndarray]) -> np.ndarray:
    """How much of each target: [N, K]."""
    traits, m = labels["traits"], mesh()
    out = np.zeros((len(traits), len(m.targets)), np.float32)

    def add(name: str, weight: np.ndarray) -> None:
        if name in m.rows:  # some targets move no vertex of the head
            out[:, m.rows[name]] += weight

    years = age(traits)
    ages = {"old": np.clip((years - 30) / 50, 0, 1), "child": np.clip((20 - years) / 12, 0, 1)}
    ages["young"] = 1 - ages["old"] - ages["child"]
    weight = np.clip(0.5 * ndtri(traits[:, WEIGHT]), -1, 1)
    for sex, share in (("male", male(traits)), ("female", 1 - male(traits))):
        for name, time in ages.items():
            for i, place in enumerate(("african", "asian", "caucasian")):
                add(f"{place}-{sex}-{name}", share * time * origin(traits)[:, i])
            for way, amount in (("max", weight), ("min", -weight)):
                add(f"universal-{sex}-{name}-averagemuscle-{way}weight", share * time * np.maximum(amount, 0))
    forms = (-np.log(traits[:, FORMS] + 1e-6)) ** 1.5
    forms *= traits[:, FORM, None] / forms.sum(1, keepdims=True)
    pairs = [name for name in m.rows if name.endswith("+")]
    first = m.rows[pairs[0]]
    out[:, first - forms.shape[1] : first] = forms
    amount = np.clip(0.38 * ndtri(np.clip(traits[:, SHAPES : SHAPES + len(pairs)], 1e-3, 1 - 1e-3)), -1, 1)
    out[:, first : first + 2 * len(pairs) : 2] = np.maximum(amount, 0)
    out[:, first + 1 : first + 2 * len(pairs) : 2] = np.maximum(-amount, 0)
    for action, strength in zip(ACTIONS, labels["actions"].T, strict=True):
        for unit, share_of in _UNITS[action].items():
            for name in (unit, f"{unit}Left", f"{unit}Right"):
                add(name, strength * share_of)
    return out


def vertices(labels: Mapping[str, np.ndarray]) -> np.ndarray:
    """The bent heads: labels as ``people.sample_labels`` returns -> float32 [N, V, 3], without hair."""
    m = mesh()
    moved = np.stack([w[on] @ m.targets[on] for w in _weights(labels) for on in [np.flatnonzero(w)]])
    v = m.rest + moved.reshape(-1, *m.rest.shape)
    middle = np.mean([v[:, eye].mean(1) for eye in m.eyes], axis=0)
    return (v - middle[:, None]).astype(np.float32)


def normals(v: np.ndarray) -> np.ndarray:
    """Unit normals of one head's vertices: [V, 3] -> [V, 3]."""
    m = mesh()
    a, b, c = (v.take(corner, 0).T for corner in m.triangles.T)
    (x, y, z), (p, q, r) = b - a, c - a
    n = (m.corners @ np.stack([y * r - z * q, z * p - x * r, x * q - y * p], 1)).T
    return (n / (np.sqrt(np.square(n).sum(0)) + np.float32(1e-9))).T


@functools.cache
def landmarks() -> dict[str, int]:
    """The vertex of each of LANDMARKS."""
    m = mesh()
    apart = {name: np.linalg.norm(m.rest - place, axis=1) + ~m.skin for name, place in LANDMARKS.items()}
    return {name: int(distance.argmin()) for name, distance in apart.items()}
