"""What was scored, row by row, of every kind of task in one form."""

import dataclasses
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Scored:
    """The images or pairs of the test, in the order of the folds, and what was said of each.

    Attributes:
      rows: int [N], of the task's images; of verification, of its pairs.
      folds: int [N], in which fold each was tested.
      labels: what is true: int [N] classes, 0/1 [N, K] labels, float [N, K] targets, 0/1 [N] same.
      scores: float [N, K]: probabilities of classes or labels, predicted targets; of verification [N, 1] similarities, and
        [N, 2] where a layer was learnt on pairs: the second is its.
      predicted: what is said, in the form of the labels; of verification 0/1 [N, 1 or 2], a column a similarity.
    """

    rows: np.ndarray
    folds: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    predicted: np.ndarray


def of_scores(
    kind: str, *, rows: np.ndarray, folds: np.ndarray, labels: np.ndarray, scores: np.ndarray, logits: bool = True
) -> Scored:
    """``Scored`` of a task with labels.

    Args:
      kind: 'classification', 'multilabel' or 'regression'.
      rows, folds, labels: as in ``Scored``.
      scores: float [N, K]: what metrics are taken of: the highest is the class, above 0 the label is there.
      logits: whether they are log-odds, as a layer gives; else shares of neighbours, of labels less a half.
    """
    scores = np.asarray(scores, np.float64)
    if kind == "regression":
        return Scored(rows, folds, labels, scores, scores)
    if kind == "multilabel":
        shares = _sigmoid(scores) if logits else scores + 0.5
        return Scored(rows, folds, labels, shares, (scores > 0).astype(np.int64))
    return Scored(rows, folds, labels, _softmax(scores) if logits else scores, scores.argmax(1))


def of_pairs(
    rows: np.ndarray, folds: np.ndarray, same: np.ndarray, *, found: Sequence[tuple[np.ndarray, np.ndarray]]
) -> Scored:
    """``Scored`` of a verification.

    Args:
      rows, folds: as in ``Scored``.
      same: 0/1 [N].
      found: list of (similarities [N], right [N]): of the features, then of what a layer learnt makes of them.
    """
    scores = np.stack([values for values, _ in found], axis=1)
    predicted = np.stack([np.where(right == 1, same, 1 - same) for _, right in found], axis=1)
    return Scored(rows, folds, same, scores, predicted)


def _softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x - x.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * x))
