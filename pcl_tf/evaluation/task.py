"""A downstream task: images, their labels, and which of them are for training and which for testing."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from pcl_tf.data.sources import Source
from pcl_tf.errors import Refused
from pcl_tf.evaluation.kinds import KINDS
from pcl_tf.store import digest

Splits = tuple[tuple[np.ndarray, np.ndarray], ...]  # (train rows, test rows) for each fold


@dataclasses.dataclass(frozen=True)
class Task:
    """Labelled images of one downstream task.

    Attributes:
      name: as reported.
      kind: one of KINDS.
      source: the images, in the order of the labels.
      image_size: side in pixels at which they are evaluated.
      names: of classes, labels or targets.
      labels: as the classes of ``pcl_tf.evaluation.kinds`` have them; of verification None.
      splits: (train rows, test rows) for each fold, int arrays.
      subjects: who is on each image [N], or None where that is not known.
      pairs, same, folds: verification alone: int [P, 2] rows, 0/1 [P], int [P].
      origin: path it was read from, '' where it was made; tells tasks of one name apart.
      notes: what was left out, a sentence each.
      groups: {column: str [N], of verification [P]}: the group of each row, '' for none; errors are told by them.

    Raises:
      Refused: a row or a subject is in both the training and the test split, or a class is tested that no training image has,
        or of a multilabel no test image shows any label.
    """

    name: str
    kind: str
    source: Source
    image_size: int
    names: tuple[str, ...] = ()
    labels: np.ndarray | None = None
    splits: Splits = ()
    subjects: np.ndarray | None = None
    pairs: np.ndarray | None = None
    same: np.ndarray | None = None
    folds: np.ndarray | None = None
    origin: str = ""
    notes: tuple[str, ...] = ()
    groups: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for train, test in self.splits:
            if not len(train) or not len(test):
                raise Refused(f"{self.name}: a fold has {len(train)} training and {len(test)} test images.")
            if both := np.intersect1d(train, test).size:
                raise Refused(f"{self.name}: {both} images are in the training and the test part of one fold.")
            if self.subjects is not None:
                shared = np.intersect1d(self.subjects[train], self.subjects[test])
                if shared.size:
                    some = ", ".join(map(str, shared[:5]))
                    raise Refused(
                        f"{self.name}: {shared.size} subjects are in both the training and the test split: {some}."
                    )
        KINDS[self.kind].check(self)

    @property
    def digest(self) -> str:
        """Sixteen hex digits that change with the images, their labels, and which of them are tested."""
        arrays = (self.labels, self.subjects, self.pairs, self.same, self.folds, *sum(self.splits, ()))
        texts = (None if array is None else np.asarray(array).tolist() for array in arrays)
        return digest(self.kind, self.names, self.source.fingerprint, self.image_size, *texts)


def exclusive_folds(subjects: Sequence[Any] | np.ndarray, count: int) -> Splits:
    """Folds of nearly even size that share no subject.

    Args:
      subjects: [N], any type.
      count: number of folds.

    Returns:
      tuple of (train rows, test rows).

    Raises:
      Refused: fewer subjects than folds.
    """
    from sklearn.model_selection import GroupKFold  # a second, which other tasks need not wait

    if (people := len(np.unique(subjects))) < count:
        raise Refused(f"{count} subject-exclusive folds need at least {count} subjects, not {people}.")
    return tuple(GroupKFold(count).split(subjects, groups=subjects))


def folds_from(numbers: Sequence[int] | np.ndarray) -> Splits:
    """(train rows, test rows) for each value of a fold number per row."""
    numbers = np.asarray(numbers)
    return tuple((np.flatnonzero(numbers != f), np.flatnonzero(numbers == f)) for f in np.unique(numbers))
