"""Embeddings on disk: names beside features, as .npz, .csv or .parquet."""

import csv
import dataclasses
import io
import pathlib
from typing import Any, cast

import numpy as np

from pcl_tf.errors import Refused
from pcl_tf.store import atomic_path, write_atomically

SUFFIXES = (".npz", ".csv", ".parquet")
_ABOUT = ("names", "rows", "data", "model")  # of an .npz, beside its features


@dataclasses.dataclass(frozen=True)
class Embeddings:
    """Features of images.

    Attributes:
      names: str [N], of the images, as their source names them.
      rows: int64 [N], places of the images in the source; images that could not be read are left out.
      features: {feature: float32 [N, D]}.
      data: what the images were read from, in the words of --data.
      model: what embedded them.
      size: side in pixels at which they were embedded; 0 where that is not known, as of tables of before.
    """

    names: np.ndarray
    rows: np.ndarray
    features: dict[str, np.ndarray]
    data: str
    model: str
    size: int = 0


def check_suffix(path: str | pathlib.Path) -> None:
    """Raises Refused unless the path names a format that ``write`` writes."""
    if pathlib.Path(path).suffix not in SUFFIXES:
        raise Refused(f"--out={path}: the name must end in {', '.join(SUFFIXES)}.")


def write(embeddings: Embeddings, path: str | pathlib.Path) -> None:
    """Writes a table: whole, or not at all.

    ``.npz`` holds ``names``, ``rows``, ``data``, ``model``, ``size`` and an array a feature. ``.csv`` and ``.parquet`` have a row an
    image: ``name``, then ``face_aware_0 .. face_aware_511`` (CSV) or one column of lists a feature (Parquet).

    Args:
      embeddings: ``Embeddings``.
      path: its suffix decides the format.

    Raises:
      Refused: another suffix.
    """
    check_suffix(path)
    path = pathlib.Path(path)
    if path.suffix == ".npz":
        buffer = io.BytesIO()
        about: dict[str, Any] = {k: np.array(getattr(embeddings, k)) for k in (*_ABOUT, "size")}
        np.savez(buffer, **about, **cast(dict[str, Any], embeddings.features))
        write_atomically(path, buffer.getvalue())
    elif path.suffix == ".csv":
        with atomic_path(path) as aside, open(aside, "w", newline="", encoding="utf-8") as f:
            out = csv.writer(f)
            out.writerow(["name", *(f"{k}_{i}" for k, x in embeddings.features.items() for i in range(x.shape[1]))])
            for i, name in enumerate(embeddings.names):
                out.writerow([name, *(f"{v:.7g}" for x in embeddings.features.values() for v in x[i])])
    else:
        import pyarrow
        import pyarrow.parquet

        columns = {"name": pyarrow.array(embeddings.names.tolist(), pyarrow.string())}
        for key, x in embeddings.features.items():
            columns[key] = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(x.ravel()), x.shape[1])
        about = {"data": embeddings.data, "model": embeddings.model}
        with atomic_path(path) as aside:
            pyarrow.parquet.write_table(pyarrow.table(columns, metadata=about), aside)


def read(path: str | pathlib.Path) -> Embeddings:
    """Reads what ``write`` wrote as .npz.

    Raises:
      Refused: no such file, or another one.
    """
    try:
        with np.load(path, allow_pickle=False) as f:
            about = {k: f[k] for k in _ABOUT}
            size = int(f["size"]) if "size" in f.files else 0
            features = {k: f[k] for k in f.files if k not in (*_ABOUT, "size")}
    except FileNotFoundError as error:
        raise Refused(f"--embeddings={path}: no such file.") from error
    except Exception as error:  # numpy, zipfile and zlib raise a dozen kinds; all mean the same to the user
        said = (str(error) or type(error).__name__).splitlines()[0]
        why = "another kind of file" if "pickle" in said else said  # no advice to load it
        raise Refused(f"--embeddings={path}: no .npz of pcl_tf.embed ({why}); --out=E.npz writes one.") from error
    return Embeddings(about["names"], about["rows"], features, str(about["data"]), str(about["model"]), size)
