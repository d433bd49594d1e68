"""Answers of heads for every face of every picture, as rows with readable names of columns."""

from collections.abc import Container, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pcl_tf.encoders.encoder import combined
from pcl_tf.encoders.head import Head
from pcl_tf.errors import Refused
from pcl_tf.evaluation.kinds import KINDS
from pcl_tf.faces.cut import Cut, cut, encoded
from pcl_tf.faces.pictures import Pictures

if TYPE_CHECKING:
    from pcl_tf.faces.model import FaceModel

PLACE = {"file": str, "frame": int, "time": float, "face_found": bool, "x": float, "y": float, "w": float, "h": float}


class Answers:
    """Rows of answers, made while they are iterated over; memory does not grow with their number.

    A row a face, the largest of a picture first; a picture that is unreadable or has no face has one row too. Each is a
    dict of ``columns``, in which None is no answer:
      file: name, relative to what was given.
      frame, time: of a video, from 0 on, in seconds.
      face_found: whether there is a face, None of an unreadable picture; without ``detect`` a readable picture is one.
      x, y, w, h: box of the face in pixels of the picture, without ``detect`` its central square.
      for a head of classes, for instance 'expression', the likeliest, and p_CLASS in [0, 1] for each; for each label 0
      or 1 and p_LABEL; for each number its value, angles in degrees. A name that is taken becomes NAME_2.

    Args:
      models: ``FaceModel`` with heads.
      pictures: ``Pictures``.
      detect, align: as of ``FaceModel.embed``.

    Attributes:
      columns: {name: type}.
      panels: of each head its title, with the model's name if there are several, and {its columns of numbers or
        probabilities: what they are of}.
      unreadable: {name of a picture: why}, so far.
      pictures_read: how many pictures, so far, are readable.
      pictures_without: how many of these have no face.
      looks_whole: how many pictures, so far, were taken as a face and do not look like one.

    Raises:
      Refused: a model has no heads; iterating over them, at its end, that every picture is unreadable.
    """

    def __init__(
        self, models: Sequence["FaceModel"], pictures: Pictures, *, detect: bool = False, align: bool = False
    ) -> None:
        self.models, self.pictures, self.detect, self.align = list(models), pictures, detect, align
        self.columns: dict[str, type] = dict(PLACE)
        self._heads = [(m, head) for m, model in enumerate(self.models) for head in _answering(model)]
        self._rolls: list[str] = []
        self.panels: list[tuple[str, dict[str, str]]] = []
        for m, head in self._heads:
            panel: dict[str, str] = {}
            for name, kind in KINDS[head.kind].answer_types(head.name, head.names).items():
                self.columns[free := _free(name, self.columns)] = kind
                if kind is float:
                    panel[free] = name.removeprefix("p_")
                if name == "roll" and "degrees" in head.units:
                    self._rolls.append(free)
            self.panels.append((f"{self.models[m].name}: {head.name}" if self.models[1:] else head.name, panel))
        self.unreadable: dict[str, str] = {}
        self.pictures_read = self.pictures_without = self.looks_whole = 0

    def __repr__(self) -> str:
        return f"<answers: {', '.join(title for title, _ in self.panels)}; iterate over them, or to_pandas()>"

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for _, rows in self.each():
            yield from rows
        self.check_readable()

    def check_readable(self) -> None:
        """Raises Refused if all pictures, so far, are unreadable."""
        if self.unreadable and not self.pictures_read:
            raise self.pictures.useless("nothing in it is readable", self.unreadable)

    def each(self, *, keep: bool = False) -> Iterator[tuple[Cut, list[dict[str, Any]]]]:
        """(``Cut``, its rows) of every picture; keep: with its pixels."""
        self.unreadable, self.pictures_read, self.pictures_without, self.looks_whole = {}, 0, 0, 0
        crops = [model.crop for model in self.models]
        cuts = cut(self.pictures, crops, detect=self.detect, align=self.align, keep=keep)
        for one, found in encoded(cuts, self.models):
            about = {"file": one.picture.file, "frame": one.picture.frame, "time": one.picture.time}
            if one.why:
                self.unreadable[one.picture.name] = one.why
            self.pictures_read += not one.why
            self.looks_whole += one.looks_whole
            if not one.boxes:
                self.pictures_without += not one.why
                yield one, [dict.fromkeys(self.columns) | about | {"face_found": None if one.why else False}]
                continue
            values: list[list[Any]] = []
            for m, head in self._heads:
                kind, x = KINDS[head.kind], combined(found[m], head.feature, self.models[m].name)
                values += kind.answer_values(head.names, *kind.answers(head(x)))
            of = zip(*zip(*one.boxes, strict=True), *values, strict=True)
            rows = [dict(zip(self.columns, (*about.values(), True, *row), strict=True)) for row in of]
            for row, turned in zip(rows, one.turned, strict=True):  # a head sees the face after it was turned upright
                row.update({name: row[name] + turned for name in self._rolls})
            yield one, rows

    def to_pandas(self) -> Any:
        """All rows as a pandas.DataFrame."""
        import pandas

        return pandas.DataFrame(list(self), columns=list(self.columns))


def _answering(model: "FaceModel") -> list[Head]:
    """Heads of a model that answer for a face. Raises Refused: it has none, or one was learnt at another size."""
    heads = [head for head in model.heads if head.names]
    if not heads:
        raise Refused(f"--model={model.name}: has nothing to answer with; a fine-tuning or a probe's .keras has.")
    for head in heads:
        if head.size != model.size:
            raise Refused(
                f"--model={model.name}: {head.name} was learnt at {head.size} pixels, not {model.size}; give no image size."
            )
    return heads


def _free(name: str, taken: Container[str]) -> str:
    """A name, or NAME_2, NAME_3 .. where it is taken."""
    return next(one for one in (name, *(f"{name}_{i}" for i in range(2, 1000))) if one not in taken)
