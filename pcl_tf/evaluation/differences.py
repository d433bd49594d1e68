"""How much better one model is than another on the same images: their difference, with an interval of its own."""

from typing import Any

import numpy as np

from pcl_tf.evaluation import metrics
from pcl_tf.evaluation.evaluate import Result
from pcl_tf.evaluation.measured import measured, units
from pcl_tf.evaluation.scored import Scored
from pcl_tf.evaluation.task import Task


def difference(task: Task, scored: Scored, first: Scored, *, similarity: int = 0, seed: int = 0) -> dict[str, Any]:
    """The metric of what one model said less that of what another said of the same test.

    Each resample takes the same images, pairs or people for both (a paired bootstrap), so that what is hard for both cancels: the
    interval is narrower than those of the two. It knows the test that was drawn, not another training of the models. F1 is, in
    each fold, of the labels that have one for both.

    Args:
      task: ``Task``.
      scored: ``Scored`` of a model.
      first: of the model it is compared with.
      similarity: of verification, as of ``measured``.
      seed: of the bootstrap.

    Returns:
      {'value', 'interval': 95 %, 'resampled': 'subjects', 'images' or 'pairs'}.

    Raises:
      ValueError: the two are of different tests.
    """
    if not (np.array_equal(scored.rows, first.rows) and np.array_equal(scored.folds, first.folds)):
        raise ValueError("differences are of the same test")
    parts = [measured(task, said, similarity=similarity) for said in (first, scored)]
    statistic = parts[0][1]
    both = np.stack([contributions for contributions, _, _ in parts], axis=-1)
    folds, resampled, clusters = units(task, scored)

    def less(means: np.ndarray) -> float:
        if task.kind == "multilabel":
            theirs, ours = metrics.f1(means[..., 0]), metrics.f1(means[..., 1])
            known = ~np.isnan(theirs + ours)
            return metrics.mean(ours[known]) - metrics.mean(theirs[known])
        return statistic(means[..., 1]) - statistic(means[..., 0])

    return {
        "value": metrics.over_folds(both, less, folds),
        "interval": metrics.bootstrap(both, less, groups=folds, seed=seed, clusters=clusters),
        "resampled": resampled,
    }


class First:
    """What the first model of a probe scored, which the others are compared with.

    Args:
      model: its name.
      seed: of the bootstrap.
    """

    def __init__(self, model: str, seed: int = 0) -> None:
        self.model, self.seed = model, seed
        self._found: dict[str, dict[str, Result]] = {}

    def compared(self, task: Task, name: str, feature: str, *, result: Result, own: bool) -> dict[str, Any]:
        """Adds a result of the first model, or compares one of another.

        Args:
          task: ``Task``.
          name: what it is called.
          feature: of the model; a first model that has a single one, as baselines have, is compared by that.
          result: ``Result``.
          own: whether it is the first model's.

        Returns:
          {'difference': as of ``difference``, with 'to', the first model's name, and where a layer was learnt on pairs
          'learnt', the same of it}, or {} where there is nothing to compare with.
        """
        found = self._found.setdefault(name, {})
        if own:
            found[feature] = result
            return {}
        first = found.get(feature) or (next(iter(found.values())) if len(found) == 1 else None)
        if first is None or first.scored is None or result.scored is None:
            return {}
        told = {"to": self.model, **difference(task, result.scored, first.scored, seed=self.seed)}
        if result.learnt and first.learnt:
            told["learnt"] = difference(task, result.scored, first.scored, similarity=1, seed=self.seed)
        return {"difference": told}
