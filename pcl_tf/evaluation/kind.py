"""What a kind of task decides: labels of a manifest, loss, answers, metric. ``pcl_tf.evaluation.kinds`` has the four kinds."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf

    from pcl_tf.evaluation.task import Task


@dataclasses.dataclass(frozen=True)
class Scored:
    """Images or pairs of the test, in the order of the folds, with a model's answers."""

    rows: np.ndarray  # int [N], of the task's images; of verification, of its pairs
    folds: np.ndarray  # int [N], the fold that tests each
    labels: np.ndarray  # the truth: int [N] classes, 0/1 [N, K] labels, float [N, K] targets, 0/1 [N] same person
    # float [N, K]: probabilities of classes or labels, predicted targets; of verification [N], similarities
    scores: np.ndarray
    predicted: np.ndarray  # the answers, in the form of the labels

    def of(self, rows: np.ndarray) -> "Scored":
        """Those at some places: int [n]."""
        return Scored(*(getattr(self, field.name)[rows] for field in dataclasses.fields(self)))


@dataclasses.dataclass(frozen=True)
class Adam:
    """The paper's training of a linear layer on frozen features; see ``pcl_tf.evaluation.linear``."""

    learning_rate: float
    batch: int
    cosine: bool = False  # whether the rate falls to 0 along a cosine
    batch_norm: bool = True  # whether one stands before the layer, which then begins as PyTorch's
    coupled: float = 0.0  # decay that is part of the gradient
    decoupled: float = 0.0  # decay of AdamW


class Kind:
    """A kind of task whose images have labels; N images, K classes, labels or targets."""

    name: ClassVar[str]  # of ``KINDS``
    metric: ClassVar[str]  # name of the metric
    samples: ClassVar[str] = "images"  # what the test consists of
    labelled: ClassVar[bool] = True  # whether images have labels that a layer can be fitted to
    by_fold: ClassVar[bool] = False  # whether the metric is taken in each fold and averaged; else once, over all images
    activation: ClassVar[str]  # of the layer, by its name in Keras and in tf.nn ('linear' is none)
    # names of the two outputs of an export: of the names, and of the values in their order
    outputs: ClassVar[tuple[str, str]] = ("classes", "scores")
    hub: ClassVar[tuple[str, str]]  # the task and the metric as model hubs call them
    adam: ClassVar[Adam]  # settings of the paper's training
    picture: ClassVar[str]  # of ``pcl_tf.results.pictures``
    columns: ClassVar[tuple[str, ...]] = ("path",)  # that a manifest must have
    # column of a manifest that is predicted if no other is stated; '' is all columns without another meaning
    target: ClassVar[str] = ""
    most: ClassVar[int | None] = None  # targets that a manifest may state; None is any number

    def check(self, task: "Task") -> None:
        """Raises Refused where the test of a task has no meaning."""

    def read(self, cells: Mapping[str, str]) -> Any:
        """The label of an image from a manifest: {target: text} -> numbers [K].

        Raises:
          ValueError: what is wrong with them.
        """
        if wrong := [f"{name} is '{text}'" for name, text in cells.items() if not -1e100 <= _number(text) <= 1e100]:
            raise ValueError(f"{', '.join(wrong)}, no number within 1e100 (--targets=COLUMN,.. names the targets)")
        return [*map(float, cells.values())]

    def collect(self, labels: Sequence[Any], targets: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
        """(names, labels) of a ``Task`` from what ``read`` returned for each image.

        Raises:
          Refused: a task of them has no meaning.
        """
        return tuple(targets), np.array(labels, np.float64)

    def targets(self, labels: np.ndarray, count: int) -> np.ndarray:
        """What a layer is fitted to: labels of a task, K names -> float [N, K], float32 where the labels are."""
        return np.asarray(labels, np.result_type(labels, np.float32))

    def classes(self, labels: np.ndarray) -> np.ndarray | None:
        """int [N], of each of which a training row must remain where rows are left out; None where there are none."""
        return None

    def scale(self, targets: np.ndarray) -> tuple[Any, Any]:
        """(low, span) by which targets [N, K] of the training rows are standardised: (targets - low) / span."""
        return 0.0, 1.0

    def loss(self, targets: "tf.Tensor", scores: "tf.Tensor", *, smooth: bool = False) -> "tf.Tensor":
        """Loss of each row: float32 [N, K] of ``targets``, [N, K] logits or standardised targets -> float32 [N].

        smooth: whether it must have a gradient everywhere, as L-BFGS needs.
        """
        raise NotImplementedError

    def error(self, targets: np.ndarray, scores: np.ndarray) -> float | None:
        """What a penalty is chosen by on held-out rows, the less the better; None: by ``loss``, which falls and then rises."""
        return None

    def answers(self, scores: np.ndarray, *, logits: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """(scores, predicted) of ``Scored`` from float [N, K]: logits of a layer; or of neighbours shares in [0, 1]; or targets."""
        return scores, scores

    def contributions(self, labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        """What each image adds to the means of which the metric is a function: float64 [N], [N, K] or [N, K, 3]."""
        return (predicted == labels).astype(np.float64)

    def parts(self, means: np.ndarray) -> np.ndarray:
        """The metric of each label or target, of other kinds of all images, from means of contributions: float64 [K] or [1]."""
        return np.atleast_1d(means)

    def value(self, parts: np.ndarray) -> float:
        """The metric from ``parts``."""
        return float(parts.mean())

    def shown(self, labels: np.ndarray) -> np.ndarray:
        """Of which ``parts`` images can tell anything: bool [K] or [1]."""
        return np.ones(labels.shape[1:] or 1, bool)

    def detail(self, scored: Scored, names: Sequence[Any], parts: Any, *, folds: Any = None) -> dict[str, float]:
        """The metric by name of classes, labels or targets; names of which it is NaN are left out.

        Args:
          scored, names: the answers, and what they are of.
          parts: float [K] or [1], of all images together, or the mean of the folds'.
          folds: int [N] of those that are averaged; None is none.
        """
        return {name: float(part) for name, part in zip(names, parts, strict=True) if not np.isnan(part)}

    def columns_of(self, names: Sequence[Any], scored: Scored) -> dict[str, np.ndarray]:
        """Columns [N] of the CSV of predictions, beside images and folds; names: of classes, labels or targets."""
        each = {"label": scored.labels, "predicted": scored.predicted}
        return {f"{what}_{name}": of[:, k] for k, name in enumerate(names) for what, of in each.items()}

    def answer_types(self, name: str, names: Sequence[str]) -> dict[str, type]:
        """{column: type} of the answers of a head of this name for a face; names: of classes, labels or targets."""
        return dict.fromkeys(names, float)

    def answer_values(self, names: Sequence[str], scores: np.ndarray, predicted: np.ndarray) -> list[list[Any]]:
        """Of each of these columns n values, from ``answers`` for n faces."""
        return scores.T.tolist()


def _number(text: str) -> float:
    """NaN if a text is no number."""
    try:
        return np.nan if "_" in text else float(text)  # Python reads 1_5 as 15
    except ValueError:
        return np.nan
