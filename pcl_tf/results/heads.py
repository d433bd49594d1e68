"""A head as it is handed on: the layer of a result with its names and its measured error."""

from typing import Any

from pcl_tf.choices import ANGLES
from pcl_tf.encoders.head import Head
from pcl_tf.evaluation.corpora import CORPORA
from pcl_tf.evaluation.linear import Linear
from pcl_tf.evaluation.task import Task

_MEASURED = ("task", "metric", "value", "interval", "detail", "detail_intervals", "resampled", "units", "counts")


def head_of(row: dict[str, Any], task: Task, layer: Linear, *, encoder: str) -> Head:
    """The ``Head`` of a result.

    Args:
      row: of ``result.json``.
      task: that was learnt; one of a corpus or of generated faces gives its role as the name: 'expression', 'pose' ..
      layer: on the raw feature.
      encoder: digest of the encoder it was learnt on, '' if that was taught with it.
    """
    names = tuple(map(str, task.names))
    row = {**row, **(row["learnt"] or {})}  # of pairs, what was measured with the layer
    threshold = next(iter(row["protocol"]["thresholds"].values())) if task.pairs is not None else None
    return Head(
        name=CORPORA[task.name].role if task.name in CORPORA else task.name.removeprefix("generated_"),
        kind=task.kind,
        feature=row["feature"],
        names=names,
        units=tuple("degrees" if name in ANGLES else "" for name in names),
        size=task.image_size,
        encoder=encoder,
        measured={key: row[key] for key in _MEASURED},
        weights=layer.weights,
        bias=layer.bias,
        threshold=threshold,
    )
