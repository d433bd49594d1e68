"""A downstream task: images, their labels, and which of them are for training and which for testing."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from pcl_tf.data.files import some
from pcl_tf.data.sources import Source
from pcl_tf.errors import Refused
from pcl_tf.evaluation.kinds import KINDS
from pcl_tf.store import digest

Splits = tuple[tuple[np.ndarray, np.ndarray], ...]  # (train rows, test rows) for each fold


@dataclasses.dataclass(frozen=True)
class Task:
    """Labelled images of one downstream task.

    Raises:
      Refused: a row or a subject is in both the training and the test split, or a class is tested that no training image has,
        or of a multilabel no test image shows any label.
    """

    name: str  # as reported
    kind: str  # one of KINDS
    source: Source  # the images, in the order of the labels
    image_size: int  # side in pixels at which they are evaluated
    names: tuple[str, ...] = ()  # of classes, labels or targets
    labels: np.ndarray | None = None  # as the classes of ``pcl_tf.evaluation.kinds`` have them; of verification None
    splits: Splits = ()  # (train rows, test rows) for each fold, int arrays
    subjects: np.ndarray | None = None  # who is on each image [N], or None where that is not known
    # pairs, same, folds: verification alone: int [P, 2] rows, 0/1 [P], int [P]
    pairs: np.ndarray | None = None
    same: np.ndarray | None = None
    folds: np.ndarray | None = None
    origin: str = ""  # path it was read from, '' of generated ones; distinguishes tasks of one name
    tells: str = ""  # what its labels are of, by which a head is called: 'expression', 'sex'; '' is its name
    margin: float | None = None  # as of ``Head``, of faces that were found in its pictures
    notes: tuple[str, ...] = ()  # what was left out, a sentence each
    # {column: str [N], of verification [P]}: the group of each row, '' for none, by which errors are split
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
                    both_parts = f"{self.name}: {shared.size} subjects are in both the training and the test split"
                    raise Refused(f"{both_parts}: {some(list(shared))}.")
        KINDS[self.kind].check(self)

    @property
    def digest(self) -> str:
        """Sixteen hex digits that change with the images, their labels, and which of them are tested."""
        arrays = (self.labels, self.subjects, self.pairs, self.same, self.folds, *sum(self.splits, ()))
        texts = (None if array is None else np.asarray(array).tolist() for array in arrays)
        return digest(self.kind, self.names, self.source.fingerprint, self.image_size, *texts)


def pictures(source: Source) -> np.ndarray:
    """The first row of a source that shows the same picture as each row, by the content of the files: int [N]."""
    first: dict[object, int] = {}
    return np.array(
        [first.setdefault(content, row) for row, content in enumerate(source.contents or range(source.count))]
    )


def copies_named(task: Task) -> Task:
    """The task; if copies of training images are tested, with a note and a group 'copies' of them."""
    shown, copied = pictures(task.source), np.zeros(task.source.count, bool)
    for train, test in task.splits:
        copied[test] |= np.isin(shown[test], shown[train])
    if not (count := int(copied.sum())):
        return task
    tested = len(np.unique(np.concatenate([test for _, test in task.splits])))
    copies = f"{task.name}: {count} of {tested} tested images are copies of training images"
    groups = {**task.groups, "copies": np.where(copied, "yes", "no")}
    note = f"{copies}; group 'copies: no' is without them."
    return dataclasses.replace(task, groups=groups, notes=(*task.notes, note))


def distinct_pairs(task: Task) -> Task:
    """The task with each pair of pictures once, and notes of pairs that stand twice and of pictures that folds share.

    Raises:
      Refused: a pair has both answers.
    """
    if task.pairs is None or task.same is None or task.folds is None:
        return task
    shown, every = pictures(task.source)[task.pairs], np.arange(len(task.pairs))
    _, first, of = np.unique(np.sort(shown, axis=1), axis=0, return_index=True, return_inverse=True)
    earlier = first[of.ravel()]
    if both := [f"{earlier[row] + 1} and {row + 1}" for row in np.flatnonzero(task.same != task.same[earlier])]:
        raise Refused(
            f"{task.name}: {len(both)} pairs of its list are of one person and of two: pairs {some(both)} show the same two"
            " pictures; delete the wrong ones."
        )
    kept, folds = earlier == every, task.folds[:, None]
    lowest, highest = np.full(task.source.count, folds.max()), np.full(task.source.count, folds.min())
    np.minimum.at(lowest, shown, folds)
    np.maximum.at(highest, shown, folds)
    shared = kept & (lowest < highest)[shown].any(1)
    counted = {
        "stand twice and count once": [f"{row + 1} is {earlier[row] + 1}" for row in every[~kept]],
        "share a picture with another fold and teach no layer of it": [str(row + 1) for row in every[shared]],
    }
    notes = (f"{task.name}: {len(of)} of {len(every)} pairs {what}: {some(of)}." for what, of in counted.items() if of)
    groups = {column: group[kept] for column, group in task.groups.items()}
    left: Any = {"pairs": task.pairs[kept], "same": task.same[kept], "folds": task.folds[kept], "groups": groups}
    return dataclasses.replace(task, **left, notes=(*task.notes, *notes))


def connected_folds(pairs: np.ndarray, count: int) -> np.ndarray:
    """Folds of pairs that share no picture, nor anybody who is known by pairs of one person: int [P, 2] -> int [P].

    Raises:
      Refused: all pictures are linked by pairs, or nearly all, so that there are fewer parts than folds.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    size = int(pairs.max()) + 1
    _, part = connected_components(coo_matrix((np.ones(len(pairs)), pairs.T), (size, size)), directed=False)
    folds = np.zeros(len(pairs), int)
    for number, (_, test) in enumerate(exclusive_folds(part[pairs[:, 0]], count, "sets of linked pictures")):
        folds[test] = number
    return folds


def exclusive_folds(subjects: Sequence[Any] | np.ndarray, count: int, called: str = "subjects") -> Splits:
    """(train rows, test rows) of count folds of nearly even size that share no subject; subjects: [N], any type.

    Raises:
      Refused: fewer subjects than folds; called: what subjects are.
    """
    from sklearn.model_selection import GroupKFold  # a second, which other tasks need not wait

    if (people := len(np.unique(subjects))) < count:
        raise Refused(f"{count} folds that share no subject need at least {count} {called}, not {people}.")
    return tuple(GroupKFold(count).split(subjects, groups=subjects))


def folds_from(numbers: Sequence[int] | np.ndarray) -> Splits:
    """(train rows, test rows) for each value of a fold number per row."""
    numbers = np.asarray(numbers)
    return tuple((np.flatnonzero(numbers != f), np.flatnonzero(numbers == f)) for f in np.unique(numbers))
