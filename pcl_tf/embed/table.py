"""Embeddings on disk: names beside features, as .npz, .csv or .parquet."""

import csv
import dataclasses
import pathlib
from typing import Any

import numpy as np

from pcl_tf.errors import Refused
from pcl_tf.store import atomic_path

SUFFIXES = (".npz", ".csv", ".parquet")
_ABOUT = ("names", "rows", "data", "model", "size")  # of an .npz, beside its features


@dataclasses.dataclass(frozen=True)
class Embeddings:
    """Features of images.

    Attributes:
      names: str [N], of the images, as their source names them.
      rows: int64 [N], places of the images in the source, without those of unreadable images.
      features: {feature: float32 [N, D]}.
      data: source of the images, in the words of --data with absolute paths.
      model: name of the encoder.
      size: side in pixels at which they were embedded.
    """

    names: np.ndarray
    rows: np.ndarray
    features: dict[str, np.ndarray]
    data: str
    model: str
    size: int


def check_suffix(path: str | pathlib.Path) -> None:
    """Raises Refused unless the path names a format that ``write`` writes."""
    if pathlib.Path(path).suffix not in SUFFIXES:
        raise Refused(f"--out={path}: the name must end in {', '.join(SUFFIXES)}.")


def write(embeddings: Embeddings, path: str | pathlib.Path) -> None:
    """Writes a table: whole, or not at all.

    ``.npz`` holds ``names``, ``rows``, ``data``, ``model``, ``size`` and an array a feature. ``.csv`` and ``.parquet`` have a
    row an image: ``name``, then ``face_aware_0 .. face_aware_511`` (CSV) or one column of lists a feature (Parquet).

    Args:
      embeddings: ``Embeddings``.
      path: its suffix decides the format.

    Raises:
      Refused: another suffix.
    """
    check_suffix(path)
    names, features = embeddings.names, embeddings.features
    with atomic_path(path) as aside:
        if aside.suffix == ".npz":
            arrays: dict[str, Any] = {**{k: np.array(getattr(embeddings, k)) for k in _ABOUT}, **features}
            np.savez(aside, **arrays)
        elif aside.suffix == ".csv":
            with open(aside, "w", newline="", encoding="utf-8") as f:
                out = csv.writer(f)
                out.writerow(["name", *(f"{k}_{i}" for k, x in features.items() for i in range(x.shape[1]))])
                for i, name in enumerate(names):
                    out.writerow([name, *(f"{v:.7g}" for x in features.values() for v in x[i])])
        else:
            import pyarrow
            import pyarrow.parquet

            columns = {"name": pyarrow.array(names.tolist(), pyarrow.string())}
            for key, x in features.items():
                columns[key] = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(x.ravel()), x.shape[1])
            about = {"data": embeddings.data, "model": embeddings.model}
            pyarrow.parquet.write_table(pyarrow.table(columns, metadata=about), aside)


def read(path: str | pathlib.Path) -> Embeddings:
    """Reads an .npz of ``write``.

    Raises:
      Refused: no such file, or another one.
    """
    try:
        with np.load(path, allow_pickle=False) as f:
            names, rows, data, model, size = (f[k] for k in _ABOUT)
            features = {k: f[k] for k in f.files if k not in _ABOUT}
    except FileNotFoundError as error:
        raise Refused(f"--embeddings={path}: no such file.") from error
    except Exception as error:  # numpy, zipfile and zlib raise a dozen kinds; all mean the same to the user
        why = (
            "another kind of file" if "pickle" in str(error) else str(error).partition("\n")[0]
        )  # no advice to load it
        raise Refused(f"--embeddings={path}: no .npz of pcl_tf.embed ({why}); --out=E.npz writes one.") from error
    return Embeddings(names, rows, features, str(data), str(model), int(size))
