"""An encoder as people use it: opened by a name, asked with any pictures."""

import functools
import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from pcl_tf.choices import MARGIN
from pcl_tf.encoders.encoder import Encoder, combined, open_encoder
from pcl_tf.encoders.features import extract
from pcl_tf.errors import Refused
from pcl_tf.faces.answers import Answers
from pcl_tf.faces.cut import Crop, cut, encoded
from pcl_tf.faces.pictures import Data, Pictures
from pcl_tf.faces.table import Origin, Table
from pcl_tf.quiet import quiet


def load(name: str | os.PathLike[str] = "heads64", *, image_size: int = 0, margin: float = 0.0) -> "FaceModel":
    """Opens an encoder.

    Args:
      name: of an encoder that comes with the package ('heads64', 'faces64' for research), or workdir of ``pcl_tf.train``,
        an export, a box, a fine-tuning, a probe's or any other .keras, an .onnx or .tflite file, or 'pixels', 'lbp', 'hog'.
      image_size: side in pixels at which it sees faces; 0 is the side its heads were learnt at, without heads the side it was
        trained at, 64 if it does not say.
      margin: side of the square that is cut out around a face that is found, in longer sides of its box; 0 is that of the
        box, of other encoders 1.5.

    Returns:
      FaceModel.

    Raises:
      Refused: nothing is there, or nothing that can be loaded.

    >>> import numpy as np, pcl_tf
    >>> table = pcl_tf.load("pixels").embed(np.zeros([2, 64, 64, 3], np.uint8))
    >>> table.names.tolist(), table.features["face_aware"].shape
    (['image#0', 'image#1'], (2, 1024))
    """
    quiet()
    return FaceModel(open_encoder(os.fspath(name)), image_size, margin)


opened = functools.lru_cache(maxsize=4)(load)  # for processes that are sent names of models


class FaceModel:
    """A frozen encoder, of ``load``. Several threads may use one.

    Args:
      encoder: ``pcl_tf.encoders.encoder.Encoder``.
      image_size, margin: as of ``load``.

    Attributes:
      name: by which it was opened.
      encoder: as given.
      size: side in pixels at which it sees faces.
      margin: of the squares it sees, as of ``load``.
      heads: tuple of ``pcl_tf.encoders.head.Head``, what it can answer.
    """

    def __init__(self, encoder: Encoder, image_size: int = 0, margin: float = 0.0) -> None:
        self.encoder, self.name, self.heads = encoder, encoder.name, encoder.heads
        learnt = next((head.size for head in self.heads), 0)  # a head fits features of one size
        self.size = image_size or encoder.side or learnt or int((encoder.recipe or {}).get("image_size", 64))
        self.margin = margin or encoder.margin or MARGIN

    @property
    def crop(self) -> Crop:
        """How it sees faces."""
        return self.size, self.margin

    def __repr__(self) -> str:
        return f"pcl_tf.load({self.name!r})"

    def __deepcopy__(self, memo: Any) -> "FaceModel":
        return self  # nothing in it changes, and scikit-learn's clone() copies

    def embed(
        self,
        data: "Data | Pictures",
        *,
        detect: bool = False,
        align: bool = False,
        fps: float | None = None,
        features: Sequence[str] = (),
        cache: str | pathlib.Path | None = None,
        bar: bool = False,
    ) -> Table:
        """Features of all faces.

        Args:
          data: path of a picture, a video, a folder of both, a zip or a CSV that names pictures, a list of paths or of PIL
            images, or uint8 [N, H, W, 3]: as of ``pcl_tf.faces.pictures.Pictures``.
          detect: find the faces of each picture first; else each picture is a face, its central square.
          align: turn faces that are found upright by their landmarks.
          fps: frames a second that are taken of videos; None is all.
          features: 'face_aware', 'face', 'pose', 'face+pose'; by default all that the encoder has.
          cache: folder of features, which the probe shares: of photographs without ``detect`` what it holds is not computed
            again, and an extraction that was stopped resumes. None writes nothing.
          bar: whether a progress bar is shown.

        Returns:
          Table, a row a face; unreadable pictures are in its ``unreadable``.

        Raises:
          Refused: the data are not there, no face is in them, or the encoder has no such feature.
        """
        pictures = data if isinstance(data, Pictures) else Pictures(data, size=self.size, fps=fps)
        if cache is None or detect or pictures.source is None:
            table = self.table(pictures, features, detect=detect, align=align, bar=bar)
        else:
            table = self._cached(pictures, features, cache)
        if not len(table.names):
            what = "no face is found in it" if detect else "nothing in it is readable"
            raise pictures.useless(what, table.unreadable)
        return table

    def predict(
        self, data: "Data | Pictures", *, detect: bool = False, align: bool = False, fps: float | None = None
    ) -> Answers:
        """What the heads say of all faces.

        Args:
          data, detect, align, fps: as of ``embed``.

        Returns:
          Answers, an iterable of dicts, a row a face, which are made while they are read; ``to_pandas()`` reads all.

        Raises:
          Refused: the data are not there, or the model has no heads: it is no fine-tuning, probe or box; at the end of the
            answers, that nothing was readable.
        """
        pictures = data if isinstance(data, Pictures) else Pictures(data, size=self.size, fps=fps)
        return Answers([self], pictures, detect=detect, align=align)

    def same_person(self, a: Any, b: Any, *, detect: bool = False) -> tuple[bool, float]:
        """Whether two pictures show one person, by the head of pairs.

        Args:
          a, b: a picture each, as of ``embed``, of which the largest face counts.
          detect: find the faces first.

        Returns:
          (whether they do, by how much the cosine lies above the threshold).

        Raises:
          Refused: the model has no such head, or a picture no face.
        """
        head = next((head for head in self.heads if head.threshold is not None), None)
        if head is None or head.threshold is None:
            raise Refused(f"{self.name}: has no head of pairs; a probe of a verification has.")
        faces = [self.embed(one, detect=detect, features=[head.feature]).by()[:1] for one in (a, b)]
        x, y = (head(face)[0] for face in faces)
        above = float(x @ y / max(float(np.linalg.norm(x) * np.linalg.norm(y)), 1e-12)) - head.threshold
        return above > 0, above

    def _cached(self, pictures: Pictures, features: Sequence[str], cache: str | pathlib.Path) -> Table:
        assert pictures.source is not None
        found = extract(self.encoder, pictures.source, self.size, cache=cache, max_unreadable_share=1.0)
        names = found.names
        rows = np.array([row for row in range(len(names)) if row not in found.unreadable], np.int64)
        values = {key: np.asarray(found[key])[rows] for key in features or found.keys}
        unreadable = {names[row]: why for row, (_, why) in sorted(found.unreadable.items())}
        return self._table(pictures, np.array(names)[rows], rows, values, unreadable=unreadable)

    def table(
        self, pictures: Pictures, features: Sequence[str], *, detect: bool, align: bool, bar: bool = False
    ) -> Table:
        """``embed`` of ``Pictures`` without a cache; the table is empty where no face is found."""
        names, rows, boxes, unreadable = list[str](), list[int](), list[Any](), dict[str, str]()
        values: dict[str, list[np.ndarray]] = {}
        seen = encoded(cut(pictures, [self.crop], detect=detect, align=align), [self])
        for row, (one, (found,)) in enumerate(shown(seen, pictures, bar)):
            name = one.picture.name
            names += [name if i == 0 else f"{name}#{i + 1}" for i in range(len(one.boxes))]
            rows += [row] * len(one.boxes)
            boxes += one.boxes
            if one.why:
                unreadable[name] = one.why
            for key in (features or found) if one.boxes else ():
                values.setdefault(key, []).append(combined(found, key, self.name))
        if not names:
            blank = self.encoder.embed(np.zeros((1, self.size, self.size, 3), np.uint8))
            values = {key: [combined(blank, key, self.name)[:0]] for key in features or blank}
        joined = {key: np.concatenate(parts) for key, parts in values.items()}
        at = np.array(boxes, np.float32).reshape(-1, 4) if detect else None
        return self._table(pictures, np.array(names), np.array(rows, np.int64), joined, unreadable=unreadable, boxes=at)

    def _table(
        self, pictures: Pictures, names: np.ndarray, rows: np.ndarray, features: dict[str, np.ndarray], **more: Any
    ) -> Table:
        origin = Origin(self.name, self.size, **pictures.opened)
        return Table(names, rows, features, origin, model=self, pictures=pictures, **more)


def shown(rows: Iterable[Any], pictures: Pictures, bar: bool) -> Iterable[Any]:
    """The rows, with a progress bar if one is wanted."""
    unit = "frame" if pictures.one_video else "img"
    return tqdm(rows, total=pictures.count, unit=unit, mininterval=1.0) if bar else rows
