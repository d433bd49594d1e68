"""Probes cheap enough to run during pre-training: k-NN and closed-form ridge on a labelled set."""

import pathlib
import sys
from collections.abc import Callable, Mapping

import numpy as np

from pcl_tf.data.images import decode_all, left_out
from pcl_tf.data.listed import Files
from pcl_tf.encoders.features import MAX_UNREADABLE_SHARE
from pcl_tf.errors import Refused
from pcl_tf.evaluation import linear, verification
from pcl_tf.evaluation.corpora.layout import class_images, split_task
from pcl_tf.evaluation.kinds import KINDS
from pcl_tf.evaluation.task import Task
from pcl_tf.evaluation.tasks import names, open_task

_FLAG = "--recipe.watch.labelled"
LIMIT = 4000  # images, so that a look stays a matter of seconds
_K = 10  # neighbours


def labelled(text: str, size: int) -> Task:
    """The labelled set that ``--recipe.watch.labelled`` names; what it leaves out is printed.

    Args:
      text: folder of class folders, or a task of ``pcl_tf.probe``: 'classification:faces.csv', 'generated_pose', ..
      size: side in pixels.

    Raises:
      Refused: fewer than two classes, or no such task.
    """
    root = pathlib.Path(text)
    if root.is_dir():
        files, notes = class_images(root)
        if len({name for _, name in files}) < 2:
            raise Refused(f"{_FLAG}={text}: needs one folder of images per class, at least two.")
        rows = [(name, ("train", "test")[i % 2]) for i, (_, name) in enumerate(files)]
        task = split_task(root.name, rows, size, source=Files(root).source(path for path, _ in files), notes=notes)
    elif ":" in text or text in names():
        task = open_task(text, None, size, flag=_FLAG)
    else:
        raise Refused(f"{_FLAG}={text}: no such folder, and no task of pcl_tf.probe.")
    for note in task.notes:
        print(f"note: {note}", file=sys.stderr)
    return task


class OnlineProbe:
    """Decodes a labelled set once and evaluates features on it again and again.

    Args:
      task: ``Task``; of its folds the first is used, of its images LIMIT at most, drawn once for all looks.

    Raises:
      Refused: too many of them cannot be read.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        wanted = self._chosen(task)
        items = [item for row, item in enumerate(task.source.items()) if row in wanted]
        faces = list(decode_all(items, task.image_size))
        unreadable = [(name, why) for name, face, why in faces if face is None]
        if note := left_out(unreadable, len(faces), most=MAX_UNREADABLE_SHARE, of=f"{_FLAG}: "):
            print(f"note: {note}", file=sys.stderr)
        decoded = [(row, face) for row, (_, face, _) in zip(sorted(wanted), faces, strict=True) if face is not None]
        self.images = np.stack([face for _, face in decoded])
        self.place = np.full(task.source.count, -1)  # where in images a row of the task stands
        self.place[[row for row, _ in decoded]] = np.arange(len(decoded))

    @staticmethod
    def _chosen(task: Task) -> set[int]:
        draw = np.random.RandomState(0).permutation  # a fixed stride would follow any rhythm that a list has
        if task.pairs is not None:
            assert task.folds is not None
            order = draw(len(task.pairs))
            _, first = np.unique(task.folds[order], return_index=True)  # a pair of each fold before the others
            chosen = np.concatenate([order[first], np.delete(order, first)])[: LIMIT // 2]
            return set(task.pairs[chosen].ravel().tolist())
        total = max(LIMIT, sum(map(len, task.splits[0])))
        parts = (part[draw(len(part))[: max(1, len(part) * LIMIT // total)]] for part in task.splits[0])
        return set(np.concatenate([*parts]).tolist())

    def __call__(self, embed: Callable[[np.ndarray], Mapping[str, np.ndarray]]) -> dict[str, float]:
        """{'knn/FEATURE' (classification alone) and 'ridge/FEATURE' or 'verification/FEATURE': float}.

        embed: uint8 [n, S, S, 3] -> {feature: float [n, D]}.
        """
        scores = {key: self._scores(x) for key, x in embed(self.images).items()}
        return {f"{name}/{key}": value for key, found in scores.items() for name, value in found.items()}

    def _scores(self, x: np.ndarray) -> dict[str, float]:
        task, kind, place = self.task, KINDS[self.task.kind], self.place
        if task.labels is None:
            assert task.pairs is not None and task.same is not None and task.folds is not None
            use = (place[task.pairs] >= 0).all(1)
            values = verification.similarities(x, place[task.pairs[use]])
            return {"verification": float(verification.verify(values, task.same[use], task.folds[use])[0].mean())}
        train, test = (rows[place[rows] >= 0] for rows in task.splits[0])
        taught = x[place[train]], kind.targets(task.labels[train], len(task.names))
        answers = {"ridge": linear.ridge(taught, x[place[test]])}
        if kind.classes(task.labels) is not None:
            answers["knn"] = linear.Nearest(*taught, _K)(x[place[test]])
        truth, found = task.labels[test], {}
        for name, scores in answers.items():
            _, predicted = kind.answers(scores, logits=False)
            found[name] = kind.value(kind.parts(kind.contributions(truth, predicted).mean(0)))
        return found
