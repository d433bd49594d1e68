"""A head: a linear layer on a feature, what its outputs mean, and how well it was measured. One format, wherever it lies."""

import dataclasses
import io
import json
import pathlib
import zipfile
from typing import Any

import numpy as np

from pcl_tf.errors import Refused

MEMBER = "head.npz"  # in a .keras from images to answers, which is a zip


@dataclasses.dataclass(frozen=True, eq=False)
class Head:
    """What a linear layer makes of a feature. ``to_bytes`` is its file: alone in a box, as a member of a .keras."""

    name: str  # what it tells: 'expression', 'pose', or the name of its task
    kind: str  # 'classification', 'multilabel', 'regression', or 'verification': whether two faces are one person's
    feature: str  # that it takes: 'face_aware', 'face', 'pose' or 'face+pose'
    names: tuple[str, ...]  # of the K classes, labels or numbers; () of a verification
    units: tuple[str, ...]  # of each of these, 'degrees' or ''
    size: int  # side in pixels of the faces it was learnt on
    encoder: str  # digest of the encoder it was learnt on; '' of one that was fine-tuned with it
    measured: dict[str, Any]  # its error: task, metric, value, interval of 95 %, detail .., as in ``result.json``
    weights: np.ndarray  # float32 [D, K]
    bias: np.ndarray  # float64 [K]
    # of a verification: the cosine of two vectors of K numbers above which they are one person's
    threshold: float | None = None
    # side of the squares around the faces it was learnt on, in longer sides of a face's box; None if none were looked for
    margin: float | None = None

    def __repr__(self) -> str:
        return f"<head {self.name!r}: {', '.join(self.names) or 'one person or two'}>"

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Features float [n, D] -> float64 [n, K]: logits, numbers in their units, or vectors to be compared."""
        return np.asarray(x, np.float32) @ self.weights + np.asarray(self.bias, np.float64)

    @property
    def error(self) -> str:
        """The metric that was measured, its value and 95 % interval, as 'MAE 3.4 [3.2, 3.6] degrees'."""
        low, high = self.measured["interval"]
        unit = next(iter({*self.units} - {""}), "")
        return f"{self.measured['metric']} {self.measured['value']:.4g} [{low:.4g}, {high:.4g}] {unit}".strip()

    def to_bytes(self) -> bytes:
        """An .npz of weights, bias and a JSON text of the rest."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in ("weights", "bias")}
        held = io.BytesIO()
        np.savez(held, weights=self.weights, bias=self.bias, about=np.array(json.dumps(fields)))
        return held.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, place: str) -> "Head":
        """Reads what ``to_bytes`` wrote; nothing in it is run.

        Raises:
          Refused: it is something else; place is its name for the error.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as f:
                about = json.loads(str(f["about"]))
                about |= {key: tuple(about[key]) for key in ("names", "units")}
                return cls(**about, weights=f["weights"], bias=f["bias"])
        except Exception as error:  # numpy, zipfile and zlib raise a dozen kinds
            raise Refused(f"{place}: no head of pcl_tf ({str(error).partition(chr(10))[0]}).") from error


def attach(head: Head, path: pathlib.Path) -> None:
    """Puts a head into the .keras of its network; Keras passes over it."""
    with zipfile.ZipFile(path, "a") as z:
        z.writestr(MEMBER, head.to_bytes())


def attached(path: str | pathlib.Path) -> Head | None:
    """The head in a .keras, or None. Raises Refused: what is in the place of a head is none."""
    try:
        with zipfile.ZipFile(path) as z:
            data = z.read(MEMBER) if MEMBER in z.namelist() else None
    except (OSError, zipfile.BadZipFile):
        return None
    return None if data is None else Head.from_bytes(data, str(path))
