"""The difference of two models on one test: closed forms, pairing, folds, people, and what is printed of it."""

import dataclasses

import numpy as np
import pytest

from pcl_tf.data.listed import arrays
from pcl_tf.evaluation import evaluate as evaluation
from pcl_tf.evaluation import metrics, report, tables
from pcl_tf.evaluation.differences import First, difference
from pcl_tf.evaluation.scored import of_pairs, of_scores
from pcl_tf.evaluation.task import Task, folds_from

R = np.random.RandomState(3)


def _task(kind, labels, names=("a", "b"), subjects=None):
    return Task("t", kind, arrays("faces", np.zeros((len(labels), 8, 8, 3), np.uint8)), 8, names, labels, (), subjects)


def _right(right):
    """(task, Scored) of a classification in which class 0 is true everywhere."""
    labels, right = np.zeros(len(right), int), np.asarray(right, float)
    scores = np.stack([right, 1 - right], axis=1)
    rows = np.arange(len(right))
    return _task("classification", labels), of_scores(
        "classification", rows=rows, folds=np.zeros(len(right), int), labels=labels, scores=scores
    )


def _width(interval):
    return interval[1] - interval[0]


def test_it_is_the_mean_of_the_differences_and_its_interval_theirs():
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
    assert difference(task, first, first) == {"value": 0.0, "interval": (0.0, 0.0), "resampled": "images"}


def test_what_is_hard_for_both_cancels():
    hard = R.rand(2000) < 0.5
    task, first = _right(hard)
    better = hard.copy()
    better[np.flatnonzero(~hard)[:20]] = True
    found = difference(task, _right(better)[1], first)
    alone = metrics.bootstrap(hard.astype(float), float)
    assert found["value"] == pytest.approx(0.01) and found["interval"][0] > 0
    assert _width(found["interval"]) < _width(alone) / 4


def test_people_are_resampled_where_they_are_known():
    people = np.repeat(np.arange(40), 25)
    labels = np.zeros((1000, 1))
    errors = np.repeat(R.normal(size=40), 25)[:, None]  # one person's images err alike
    folds = np.arange(1000) % 2
    a, b = (
        of_scores("regression", rows=np.arange(1000), folds=folds, labels=labels, scores=e)
        for e in (errors, 0 * errors)
    )
    known = _task("regression", labels, ("yaw",), people)
    found = difference(known, b, a)
    alone = difference(dataclasses.replace(known, subjects=None), b, a)
    assert found["value"] == alone["value"] == pytest.approx(-np.abs(errors).mean())
    assert (found["resampled"], alone["resampled"]) == ("subjects", "images")
    assert 3 < _width(found["interval"]) / _width(alone["interval"]) < 7


def test_f1_is_compared_by_the_labels_that_both_have():
    truth = np.zeros((40, 2), int)
    truth[::2, 0] = 1
    folds = np.repeat([0, 1], 20)
    silent = np.where(truth > 0, 1.0, -1.0)
    alarmed = silent.copy()
    alarmed[3, 1] = 1.0  # in fold 0 alone; of the first model the label has no F1 anywhere
    task = _task("multilabel", truth)
    first, other = (
        of_scores("multilabel", rows=np.arange(40), folds=folds, labels=truth, scores=s) for s in (silent, alarmed)
    )
    assert difference(task, other, first) == {"value": 0.0, "interval": (0.0, 0.0), "resampled": "images"}


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
        return task, [evaluation.evaluate(task, f) for f in (x, x[:, :2])]
    splits = folds_from(np.arange(count) % 3)
    labels = {
        "classification": (x[:, 0] > 0).astype(int),
        "multilabel": (x[:, :3] + R.normal(size=(count, 3)) > 0.5).astype(np.float32),
        "regression": x[:, :2] * 10,
    }[kind]
    names = ("a", "b", "c")[: 2 if labels.ndim == 1 else labels.shape[1]]
    task = Task("t", kind, images, 8, names, labels, splits)
    return task, [evaluation.evaluate(task, f) for f in (x, noise)]


@pytest.mark.parametrize("kind", ["classification", "multilabel", "regression", "verification"])
def test_it_is_the_second_result_less_the_first(kind):
    task, (one, other) = _evaluated(kind)
    first = First("one")
    assert first.compared(task, "t", "face_aware", result=one, own=True) == {}
    found = first.compared(task, "t", "face_aware", result=other, own=False)["difference"]
    assert found["to"] == "one" and found["value"] == pytest.approx(other.value - one.value) and found["value"] != 0
    assert found["resampled"] == other.resampled
    if kind == "verification":
        assert found["learnt"]["value"] == pytest.approx(other.learnt["value"] - one.learnt["value"])
        assert found["learnt"]["value"] != found["value"]
    else:
        assert "learnt" not in found


def test_features_are_compared_with_the_same_one_or_with_the_only_one():
    task, (one, other) = _evaluated("classification")
    first = First("pcl")
    for feature, result in (("face_aware", one), ("pose", other)):
        first.compared(task, "t", feature, result=result, own=True)
    assert first.compared(task, "t", "pose", result=other, own=False)["difference"]["value"] == 0.0
    assert first.compared(task, "t", "face_aware", result=other, own=False)["difference"]["value"] != 0.0
    assert first.compared(task, "t", "face", result=other, own=False) == {}
    assert first.compared(task, "another", "pose", result=other, own=False) == {}
    single = First("hog")
    single.compared(task, "t", "face_aware", result=one, own=True)
    assert single.compared(task, "t", "face", result=other, own=False)["difference"]["to"] == "hog"


def test_other_tests_are_refused():
    task, first = _right([1, 0, 1, 1])
    other = dataclasses.replace(first, rows=first.rows[::-1])
    with pytest.raises(ValueError, match="same test"):
        difference(task, other, first)
    with pytest.raises(ValueError, match="same test"):
        difference(task, dataclasses.replace(first, folds=first.folds + 1), first)


def test_verification_by_each_similarity():
    same, folds = np.tile([0, 1], 50), np.repeat(np.arange(4), 25)
    task = Task("t", "verification", arrays("f", np.zeros((2, 8, 8, 3), np.uint8)), 8)
    values, all_right, half = np.zeros(100), np.ones(100), np.repeat([1, 0], 50)
    first = of_pairs(np.arange(100), folds, same, found=[(values, all_right), (values, half)])
    other = of_pairs(np.arange(100), folds, same, found=[(values, half), (values, all_right)])
    assert difference(task, other, first)["value"] == -0.5
    assert difference(task, other, first, similarity=1)["value"] == 0.5
    assert difference(task, other, first)["interval"] == (-0.5, -0.5)  # every fold is all right or all wrong


def test_it_is_printed_and_tabled_beneath_its_value():
    row = {"model": "pcl", "task": "lfw", "feature": "face", "metric": "accuracy", "value": 0.7, "interval": (0.6, 0.8)}
    less = {"to": "hog", "value": 0.0123, "interval": (-0.01, 0.03)}
    row |= {"solver": "lbfgs", "counts": {"pairs": 10}, "learnt": {"value": 0.8, "interval": (0.7, 0.9)}}
    row |= {"difference": {**less, "learnt": {"value": -0.5, "interval": (-0.6, -0.4)}}}
    lines = report.table([row]).splitlines()
    assert [line[66:].split() for line in lines[1:]] == [
        ["accuracy", "70.00", "60.00", "..", "80.00", "10"],
        ["difference", "+1.23", "-1.00", "..", "+3.00", "to", "hog"],
        ["learnt", "80.00", "70.00", "..", "90.00", "10"],
        ["difference", "-50.00", "-60.00", "..", "-40.00", "to", "hog"],
    ]
    cells = tables.result_cells([row])
    assert [c[5:] for c in cells] == [
        ["accuracy", "70.00 %", "60.00 .. 80.00", 10],
        ["accuracy less hog in points", "1.23", "-1.00 .. 3.00", ""],
        ["accuracy, layer learnt on pairs", "80.00 %", "70.00 .. 90.00", 10],
        ["accuracy, layer learnt on pairs, less hog in points", "-50.00", "-60.00 .. -40.00", ""],
    ]
    del row["difference"]
    assert "difference" not in report.table([row]) and len(tables.result_cells([row])) == 2
