"""A table of features: names and vectors of faces, which of them are alike, and files that other tools read."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pcl_tf.data.files import printable
from pcl_tf.errors import Refused
from pcl_tf.faces import search
from pcl_tf.faces.cut import crop_of
from pcl_tf.faces.pictures import Pictures
from pcl_tf.store import atomic_path, check
from pcl_tf.tables import writer

if TYPE_CHECKING:
    from pcl_tf.faces.model import FaceModel

SUFFIXES = (".npz", ".csv", ".parquet")
_ARRAYS = ("names", "rows", "boxes")  # of an .npz, beside its features


class Near(NamedTuple):
    """A face that is like another: its name, their cosine, its row in the table."""

    name: str
    cosine: float
    row: int


@dataclasses.dataclass(frozen=True)
class Origin:
    """What a table was made from.

    Attributes:
      model: name of the encoder.
      size: side in pixels at which it saw them.
      data: the pictures, with absolute paths; '' of what was in memory.
      fingerprint: of all pictures, so that no others are shown for them; only in files, for it reads whole videos.
      fps, generated_images: as of ``Pictures``.
    """

    model: str
    size: int
    data: str = ""
    fingerprint: str = ""
    fps: float | None = None
    generated_images: int = 256


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """Features of N faces.

    Attributes:
      names: str [N], relative to the folder, zip or CSV that was given; of a frame file#number, of the second face of a
        picture file#2.
      rows: int64 [N], place of the picture among all pictures, unreadable ones too.
      features: {feature: float32 [N, D]}.
      origin: ``Origin``.
      boxes: float32 [N, 4], where the faces were found: left, top, width, height in pixels of the picture; or None.
      unreadable: {name of a picture: why}; not in files.
      model: ``FaceModel`` that made it; None of a table that was read: a file names its model but never loads it.
      pictures: that were given, or None.
    """

    names: np.ndarray
    rows: np.ndarray
    features: dict[str, np.ndarray]
    origin: Origin
    boxes: np.ndarray | None = None
    unreadable: dict[str, str] = dataclasses.field(default_factory=dict)
    model: "FaceModel | None" = dataclasses.field(default=None, repr=False)
    pictures: Pictures | None = dataclasses.field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        lengths = ", ".join(f"{key} {x.shape[1]}" for key, x in self.features.items())
        return f"<table of {len(self)} faces: {lengths}>"

    def by(self, feature: str | None = None) -> np.ndarray:
        """float32 [N, D] of a feature, by default the first.

        Raises:
          Refused: the table does not hold it.
        """
        if feature is not None and feature not in self.features:
            raise Refused(f"--feature={feature}: the embeddings hold {', '.join(self.features)}.")
        return self.features[feature or next(iter(self.features))]

    def find(self, name: str) -> list[int]:
        """Rows of the faces of this name; where there are none, of those whose names end so, behind a / : or #.

        Where there are none of these either, of the path of a picture in the folder that was embedded.
        """
        found, data = search.named(name, self.names), self.origin.data
        if found or not os.path.exists(data) or data.lower().endswith(".zip"):
            return found
        inside = os.path.relpath(name, data if os.path.isdir(data) else os.path.dirname(data))
        return np.flatnonzero(self.names == printable(inside)).tolist()

    def nearest(self, image: Any, by: str | None = None, k: int = 8, *, detect: bool = False) -> list[Near]:
        """The faces most like one, by cosine.

        Args:
          image: a name in the table, or any picture that ``FaceModel.embed`` takes, of which the largest face counts.
          by: feature; by default the first of the table.
          k: how many, at most.
          detect: find the face in a picture first.

        Returns:
          list of ``Near``, most alike first, without the face itself.

        Raises:
          Refused: several names end so, or the picture is not in a table that was read from a file.

        >>> import numpy as np, pcl_tf
        >>> faces = np.random.default_rng(0).integers(0, 256, [5, 32, 32, 3], np.uint8)
        >>> table = pcl_tf.load("pixels").embed(faces)
        >>> table.nearest(faces[3], k=1)[0].name, len(table.nearest("image#3"))
        ('image#3', 4)
        """
        x, own = self.by(by), self.find(str(image)) if isinstance(image, (str, os.PathLike)) else []
        if len(own) > 1:
            raise Refused(f"{image}: {len(own)} names end so, {' and '.join(self.names[own[:2]])} first.")
        if own:
            query = x[own]
        elif self.model is None:
            raise Refused(
                f"{image}: is not in the table, which has no model; pcl_tf.load({self.origin.model!r}) embeds it."
            )
        else:
            query = self.model.embed(image, detect=detect, features=[by] if by else ()).by(by)[:1]
        (order,), (cosine,) = search.nearest(query, x, k + len(own))
        pairs = zip(order.tolist(), cosine.tolist(), strict=True)
        return [Near(str(self.names[i]), c, i) for i, c in pairs if i not in own][:k]

    def clusters(self, count: int, by: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Groups of like faces, by k-means on directions.

        Args:
          count: of groups.
          by: feature; by default the first.

        Returns:
          (int [N], group of each face from 0 on, the largest first; float [N], its cosine to the centre of the group).

        Raises:
          Refused: there are fewer different faces than groups.
        """
        return search.clusters(self.by(by), count)

    def duplicates(self, threshold: float = 0.995, by: str | None = None) -> list[list[str]]:
        """Groups of near copies: names of faces that are linked by cosines of at least a threshold in (0, 1]."""
        return [self.names[rows].tolist() for rows in search.duplicates(self.by(by), threshold)]

    def to_pandas(self) -> Any:
        """A pandas.DataFrame, a row a face: name, then x, y, width, height where faces were found, then face_0, face_1 .."""
        import pandas

        return pandas.DataFrame(self.columns())

    def columns(self) -> dict[str, Any]:
        """{column: [N]} of ``to_pandas``."""
        boxes = {} if self.boxes is None else dict(zip(("x", "y", "w", "h"), self.boxes.T, strict=True))
        numbers = {f"{key}_{i}": column for key, x in self.features.items() for i, column in enumerate(x.T)}
        return {"name": self.names.tolist(), **boxes, **numbers}

    def faces(self, rows: Sequence[int] | np.ndarray, side: int = 96) -> np.ndarray:
        """Faces of some rows, read again where they were read: uint8 [n, side, side, 3]; grey where one is unreadable now.

        Raises:
          Refused: there are other pictures now, or they were in memory when the table was written.
        """
        at, origin = np.asarray(rows, int), self.origin
        if not (self.pictures or origin.data):
            raise Refused(
                "The pictures of this table were in memory and are not in its file; embed files to draw them."
            )
        pictures = self.pictures or Pictures(
            origin.data, size=origin.size, fps=origin.fps, generated_images=origin.generated_images
        )
        if not self.pictures and pictures.fingerprint != origin.fingerprint:
            raise Refused(f"{origin.data}: holds other images than were embedded; embed again.")
        out = np.zeros((len(at), side, side, 3), np.uint8)
        wanted = {int(place): np.flatnonzero(self.rows[at] == place) for place in self.rows[at]}
        for place, picture in enumerate(pictures if wanted else ()):
            if place in wanted:
                for i in wanted.pop(place):
                    box = None if self.boxes is None else self.boxes[at[i]]
                    face = crop_of(picture, side, box)
                    out[i] = 127 if face is None else face
            if not wanted:
                break
        return out

    def save(self, path: str | pathlib.Path) -> None:
        """Writes the table: whole, or not at all.

        ``.npz`` is what ``read`` reads. ``.csv`` and ``.parquet`` have a row a face: ``name``, then ``face_aware_0 ..
        face_aware_511`` (CSV) or a column of lists a feature (Parquet).

        Args:
          path: its suffix, of ``SUFFIXES``, decides the format.

        Raises:
          Refused: another suffix, or a place that cannot be written to.
        """
        check(path, "path", suffix=SUFFIXES)
        suffix = pathlib.Path(path).suffix.lower()
        if suffix == ".csv":
            columns = self.columns()
            with writer(path, dict.fromkeys(columns, float)) as write:
                for row in zip(*columns.values(), strict=True):
                    write(dict(zip(columns, row, strict=True)))
            return
        with atomic_path(path) as aside:
            if suffix == ".npz":
                arrays: dict[str, Any] = {key: getattr(self, key) for key in _ARRAYS if getattr(self, key) is not None}
                stamp = self.pictures.fingerprint if self.pictures else self.origin.fingerprint
                about = {**dataclasses.asdict(self.origin), "fingerprint": stamp}
                arrays |= {"about": np.array(json.dumps(about)), **self.features}
                with open(aside, "wb") as held:
                    np.savez(held, **arrays)
            else:
                self._write_parquet(aside)

    def _write_parquet(self, path: pathlib.Path) -> None:
        import pyarrow
        import pyarrow.parquet

        columns = {"name": pyarrow.array(self.names.tolist(), pyarrow.string())}
        for key, x in (self.features if self.boxes is None else {"box": self.boxes, **self.features}).items():
            columns[key] = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(x.ravel()), x.shape[1])
        about = {"data": self.origin.data, "model": self.origin.model}
        pyarrow.parquet.write_table(pyarrow.table(columns, metadata=about), path)

    @classmethod
    def read(cls, path: str | pathlib.Path, flag: str = "--embeddings") -> "Table":
        """Reads an .npz of ``save``; no model is loaded for it. flag: that gave the path, for errors.

        Raises:
          Refused: no such file, or another one.
        """
        try:
            with np.load(path, allow_pickle=False) as f:
                origin = Origin(**json.loads(str(f["about"])))
                names, rows, boxes = f["names"], f["rows"], f["boxes"] if "boxes" in f else None
                features = {key: f[key] for key in f.files if key not in (*_ARRAYS, "about")}
            if len(names) != len(rows) or not features:
                raise ValueError("no features")
        except FileNotFoundError as error:
            raise Refused(f"{flag}={path}: no such file.") from error
        except Exception as error:  # numpy, zipfile and zlib raise a dozen kinds; all mean the same to the user
            pickled = "pickle" in str(error)
            why = "another kind of file" if pickled else str(error).partition("\n")[0]  # no advice to load it
            raise Refused(f"{flag}={path}: no .npz of pcl_tf.embed ({why}); --out=E.npz writes one.") from error
        return cls(names, rows, features, origin, boxes)
