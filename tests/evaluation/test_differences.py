"""The difference of two models on one test: closed forms, pairing, folds, people."""

import dataclasses

import numpy as np
import pytest

from pcl_tf.data.listed import arrays
from pcl_tf.evaluation import bootstrap
from pcl_tf.evaluation.bootstrap import Units
from pcl_tf.evaluation.evaluate import Result, difference, evaluate, of_folds
from pcl_tf.evaluation.kinds import KINDS, Scored
from pcl_tf.evaluation.task import Task, folds_from

R = np.random.RandomState(3)


def _task(kind, labels, names=("a", "b"), subjects=None):
    return Task("t", kind, arrays("faces", np.zeros((len(labels), 8, 8, 3), np.uint8)), 8, names, labels, (), subjects)


def _scored(task, scores, folds=None):
    """Result of scores [N, K] in the order of the task's rows."""
    folds = np.zeros(len(scores), int) if folds is None else folds
    rows = [np.flatnonzero(folds == fold) for fold in np.unique(folds)]
    return of_folds(task, [(of, scores[of]) for of in rows], {}, trained=0)


def _right(right):
    """(task, Result) of a classification in which class 0 is true everywhere."""
    task, right = _task("classification", np.zeros(len(right), int)), np.asarray(right, float)
    return task, _scored(task, np.stack([right, 1 - right], axis=1))


def _width(interval):
    return interval[1] - interval[0]


def test_the_mean_of_the_differences_has_their_interval():
    one, other = R.rand(4000) < 0.7, R.rand(4000) < 0.8
    task, first = _right(one)
    found = difference(task, _right(other)[1], first)
    each = other.astype(float) - one
    assert found["value"] == pytest.approx(each.mean()) and found["resampled"] == "images"
    assert _width(found["interval"]) / 3.92 == pytest.approx(each.std() / np.sqrt(4000), rel=0.08)
    low, high = found["interval"]
    assert low < found["value"] < high


def test_a_model_is_not_apart_from_itself():
    task, first = _right(R.rand(50) < 0.5)
    assert difference(task, first, first) == {"value": 0.0, "interval": (0.0, 0.0), "resampled": "images", "units": 50}


def test_what_is_hard_for_both_cancels():
    hard = R.rand(2000) < 0.5
    task, first = _right(hard)
    better = hard.copy()
    better[np.flatnonzero(~hard)[:20]] = True
    found = difference(task, _right(better)[1], first)
    alone = bootstrap.central(bootstrap.resamples(hard.astype(float), float, Units("images", 2000)))
    assert found["value"] == pytest.approx(0.01) and found["interval"][0] > 0
    assert _width(found["interval"]) < _width(alone) / 4


def test_people_are_resampled_where_they_are_known():
    people = np.repeat(np.arange(40), 25)
    errors = np.repeat(R.normal(size=40), 25)[:, None]  # one person's images err alike
    known = _task("regression", np.zeros((1000, 1)), ("yaw",), people)
    unknown = dataclasses.replace(known, subjects=None)
    found, alone = (difference(of, _scored(of, 0 * errors), _scored(of, errors)) for of in (known, unknown))
    assert found["value"] == alone["value"] == pytest.approx(-np.abs(errors).mean())
    assert (found["resampled"], found["units"], alone["resampled"]) == ("subjects", 40, "images")
    assert 3 < _width(found["interval"]) / _width(alone["interval"]) < 7


def test_f1_is_compared_by_the_labels_that_both_have():
    truth = np.zeros((40, 2), int)
    truth[::2, 0] = 1
    folds = np.repeat([0, 1], 20)
    silent = np.where(truth > 0, 1.0, -1.0)
    alarmed = silent.copy()
    alarmed[3, 1] = 1.0  # in fold 0 alone; of the first model the label has no F1 anywhere
    task = _task("multilabel", truth)
    found = difference(task, _scored(task, alarmed, folds), _scored(task, silent, folds))
    assert found == {"value": 0.0, "interval": (0.0, 0.0), "resampled": "images", "units": 40}


def _evaluated(kind):
    """(task, two Results) of real probes of two features."""
    count, x = 240, R.normal(size=(240, 6)).astype(np.float32)
    noise = x + R.normal(size=x.shape).astype(np.float32)
    images = arrays("faces", np.zeros((count, 8, 8, 3), np.uint8))
    if kind == "verification":
        pairs = np.arange(count).reshape(-1, 2)
        same = np.arange(len(pairs)) % 2
        x[pairs[same == 1, 1]] = x[pairs[same == 1, 0]] + 0.8 * R.normal(size=(len(pairs) // 2, 6))
        task = Task("t", kind, images, 8, pairs=pairs, same=same, folds=np.arange(len(pairs)) % 5)
        return task, [evaluate(task, f) for f in (x, x[:, :2])]
    splits = folds_from(np.arange(count) % 3)
    labels = {
        "classification": (x[:, 0] > 0).astype(int),
        "multilabel": (x[:, :3] + R.normal(size=(count, 3)) > 0.5).astype(np.float32),
        "regression": x[:, :2] * 10,
    }[kind]
    names = ("a", "b", "c")[: 2 if labels.ndim == 1 else labels.shape[1]]
    task = Task("t", kind, images, 8, names, labels, splits)
    return task, [evaluate(task, f) for f in (x, noise)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_difference_is_the_second_result_less_the_first(kind):
    task, (one, other) = _evaluated(kind)
    found = difference(task, other, one)
    assert found["value"] == pytest.approx(other.value - one.value) and found["value"] != 0
    assert found["resampled"] == other.resampled
    assert ("learnt" in found) == (not KINDS[kind].labelled)
    if "learnt" in found:
        assert found["learnt"]["value"] == pytest.approx(other.learnt.value - one.learnt.value)
        assert found["learnt"]["value"] != found["value"]


def test_other_tests_are_refused():
    task, first = _right([1, 0, 1, 1])
    for change in ({"rows": first.scored.rows[::-1]}, {"folds": first.scored.folds + 1}):
        other = dataclasses.replace(first, scored=dataclasses.replace(first.scored, **change))
        with pytest.raises(ValueError, match="same test"):
            difference(task, other, first)


def test_pairs_are_resampled_within_their_folds():
    same, folds = np.tile([0, 1], 50), np.repeat(np.arange(4), 25)
    task = Task("t", "verification", arrays("f", np.zeros((2, 8, 8, 3), np.uint8)), 8)

    def result(right):
        scored = Scored(np.arange(100), folds, same, np.zeros(100), np.where(right, same, 1 - same))
        return Result("accuracy", 0.0, (0.0, 0.0), {}, {}, {}, "pairs", 100, scored)

    found = difference(task, result(np.repeat([1, 0], 50)), result(np.ones(100)))
    assert found["value"] == -0.5 and found["interval"] == (-0.5, -0.5)  # every fold is all right or all wrong
