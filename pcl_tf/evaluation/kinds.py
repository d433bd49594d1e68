"""The four kinds of task. Whatever differs between them stands in these classes, and nowhere else."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pcl_tf.data.files import some
from pcl_tf.errors import Refused
from pcl_tf.evaluation.bootstrap import mean
from pcl_tf.evaluation.kind import Adam, Kind, Scored
from pcl_tf.evaluation.lists import canonical

if TYPE_CHECKING:
    import tensorflow as tf

    from pcl_tf.evaluation.task import Task


class Classes(Kind):
    """One class of several: int [N]."""

    name, metric = "classification", "accuracy"
    activation, hub = "softmax", ("image-classification", "accuracy")
    adam = Adam(1e-2, 256, cosine=True, batch_norm=False)
    picture = "confusion"
    columns, target, most = ("path", "label"), "label", 1

    def check(self, task: "Task") -> None:
        # With folds drawn by chance a rare class may lie in one of them; a stated split is meant as it stands.
        if len(task.splits) != 1 or task.labels is None:
            return
        train, test = task.splits[0]
        untaught = np.setdiff1d(task.labels[test], task.labels[train])
        if untaught.size:
            named = some([task.names[k] for k in untaught])
            raise Refused(f"{task.name}: classes are tested that no training image has: {named}.")

    def read(self, cells: Mapping[str, str]) -> Any:
        """The name of the class."""
        (text,) = cells.values()
        if not text:
            raise ValueError("no label")
        return canonical(text)

    def collect(self, labels: Sequence[Any], targets: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
        names, numbers = np.unique(labels, return_inverse=True)
        if len(names) < 2:
            raise Refused(f"{','.join(targets)}: fewer than two classes in the whole manifest.")
        return tuple(names.tolist()), numbers

    def targets(self, labels: np.ndarray, count: int) -> np.ndarray:
        return np.eye(count)[labels]

    def classes(self, labels: np.ndarray) -> np.ndarray | None:
        return labels

    def loss(self, targets: "tf.Tensor", scores: "tf.Tensor", *, smooth: bool = False) -> "tf.Tensor":
        import tensorflow as tf

        return tf.nn.softmax_cross_entropy_with_logits(targets, scores)

    def answers(self, scores: np.ndarray, *, logits: bool = True) -> tuple[np.ndarray, np.ndarray]:
        scores = np.asarray(scores, np.float64)
        powers = np.exp(scores - scores.max(1, keepdims=True))
        return powers / powers.sum(1, keepdims=True) if logits else scores, scores.argmax(1)

    def detail(self, scored: Scored, names: Sequence[Any], parts: Any, *, folds: Any = None) -> dict[str, float]:
        """Recall of each class that images show."""
        right = self.contributions(scored.labels, scored.predicted)
        each = ((str(name), right[scored.labels == k]) for k, name in enumerate(names))
        return {name: float(of.mean()) for name, of in each if len(of)}

    def columns_of(self, names: Sequence[Any], scored: Scored) -> dict[str, np.ndarray]:
        called = np.array([str(name) for name in names])
        scores = {f"score_{name}": scored.scores[:, k] for k, name in enumerate(called)}
        return {"label": called[scored.labels], "predicted": called[scored.predicted], **scores}

    def answer_types(self, name: str, names: Sequence[str]) -> dict[str, type]:
        return {name: str, **dict.fromkeys([f"p_{one}" for one in names], float)}

    def answer_values(self, names: Sequence[str], scores: np.ndarray, predicted: np.ndarray) -> list[list[Any]]:
        return [[names[k] for k in predicted], *scores.T.tolist()]


class Labels(Kind):
    """Labels that are present or absent: 0/1 [N, K], as action units."""

    name, metric, by_fold = "multilabel", "F1", True
    activation, hub = "sigmoid", ("image-classification", "f1")
    adam = Adam(1e-3, 128, coupled=1e-4)
    picture = "f1"

    def check(self, task: "Task") -> None:
        if task.splits and task.labels is not None:
            if not any((task.labels[test] > 0.5).any() for _, test in task.splits):
                raise Refused(f"{task.name}: no test image shows any of the labels, so that F1 has no value.")

    def read(self, cells: Mapping[str, str]) -> Any:
        numbers = super().read(cells)
        if {*numbers} - {0.0, 1.0}:
            raise ValueError("labels are 0 or 1 (of AU intensities, 2 and more count as 1)")
        return numbers

    def loss(self, targets: "tf.Tensor", scores: "tf.Tensor", *, smooth: bool = False) -> "tf.Tensor":
        import tensorflow as tf

        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(targets, scores), axis=1)

    def error(self, targets: np.ndarray, scores: np.ndarray) -> float | None:
        """1 - mean F1: with rare labels the loss is often least where nothing is predicted, and F1 may fall and rise again."""
        f1 = self.parts(self.contributions(targets, scores > 0).mean(0))
        # A label without F1 counts as 0 here: penalties are compared by the same labels, whatever each predicts.
        return 1.0 - float(np.nan_to_num(f1).mean())

    def answers(self, scores: np.ndarray, *, logits: bool = True) -> tuple[np.ndarray, np.ndarray]:
        scores = np.asarray(scores, np.float64)
        shares = 0.5 * (1 + np.tanh(0.5 * scores)) if logits else scores
        return shares, (scores > (0 if logits else 0.5)).astype(np.int64)

    def contributions(self, labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        """Hits, false alarms and misses: float64 [N, K, 3]."""
        guess, truth = predicted > 0.5, labels > 0.5
        return np.stack([guess & truth, guess & ~truth, ~guess & truth], axis=2).astype(np.float64)

    def parts(self, means: np.ndarray) -> np.ndarray:
        """F1 of each label; NaN where no image shows it and none is predicted to: nothing was found or missed."""
        tp, fp, fn = np.moveaxis(means, -1, 0)
        total = 2 * tp + fp + fn
        return np.where(total > 0, 2 * tp / np.maximum(total, 1e-12), np.nan)

    def value(self, parts: np.ndarray) -> float:
        """Mean F1 of the labels that have one."""
        return mean(parts)

    def shown(self, labels: np.ndarray) -> np.ndarray:
        return np.asarray((labels > 0.5).any(0))

    def columns_of(self, names: Sequence[Any], scored: Scored) -> dict[str, np.ndarray]:
        each = {"label": scored.labels.astype(int), "predicted": scored.predicted, "score": scored.scores}
        return {f"{what}_{name}": of[:, k] for k, name in enumerate(names) for what, of in each.items()}

    def answer_types(self, name: str, names: Sequence[str]) -> dict[str, type]:
        return {**dict.fromkeys(names, int), **dict.fromkeys([f"p_{one}" for one in names], float)}

    def answer_values(self, names: Sequence[str], scores: np.ndarray, predicted: np.ndarray) -> list[list[Any]]:
        return [*predicted.T.tolist(), *scores.T.tolist()]


class Numbers(Kind):
    """Targets that are numbers: float [N, K], as angles."""

    name, metric = "regression", "MAE"
    activation, outputs = "linear", ("targets", "values")
    hub = ("image-feature-extraction", "mae")
    adam = Adam(1e-3, 128, decoupled=1e-2)
    picture = "predicted-true"

    def scale(self, targets: np.ndarray) -> tuple[Any, Any]:
        return targets.mean(0), np.maximum(targets.std(0), 1e-6)

    def loss(self, targets: "tf.Tensor", scores: "tf.Tensor", *, smooth: bool = False) -> "tf.Tensor":
        """L1; smooth: with a rounded tip."""
        import tensorflow as tf

        apart = scores - targets
        each = tf.sqrt(tf.square(apart) + 1e-2) - 0.1 if smooth else tf.abs(apart)
        return tf.reduce_mean(each, axis=1)

    def contributions(self, labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        """Absolute errors [N, K]."""
        return np.abs(predicted - labels).astype(np.float64)


class Pairs(Kind):
    """Whether two images show one person: 0/1 [P] of pairs, of which no layer is fitted; see ``verification``."""

    name, metric, samples = "verification", "accuracy", "pairs"
    labelled, by_fold, activation = False, True, "linear"
    hub = ("image-feature-extraction", "accuracy")
    picture = "roc"
    columns, most = ("path1", "path2", "same"), 0

    def detail(self, scored: Scored, names: Sequence[Any], parts: Any, *, folds: Any = None) -> dict[str, float]:
        """Accuracy of each fold; of pairs of all folds together the rates of both errors."""
        if folds is not None:
            right = self.contributions(scored.labels, scored.predicted)
            return {f"fold {fold}": float(right[folds == fold].mean()) for fold in np.unique(folds)}
        same, accepted = scored.labels == 1, scored.predicted == 1
        rates = {"false match rate": (accepted, ~same), "false non-match rate": (~accepted, same)}
        return {name: float(wrong[of].mean()) for name, (wrong, of) in rates.items() if of.any()}

    def columns_of(self, names: Sequence[Any], scored: Scored) -> dict[str, np.ndarray]:
        return {"same": scored.labels, "cosine": scored.scores, "predicted": scored.predicted}


KINDS: dict[str, Kind] = {kind.name: kind for kind in (Classes(), Numbers(), Labels(), Pairs())}


def scale_and_unit(metric: str) -> tuple[float, str]:
    """How people read a metric: shares in percent, (100, ' %'); errors in the unit of what is measured, (1, '')."""
    return (1, "") if metric == Numbers.metric else (100, " %")
