"""What a result says of its interval: people are resampled where they are known."""

import dataclasses

import numpy as np
import pytest

from pcl_tf.data.listed import arrays
from pcl_tf.errors import Refused
from pcl_tf.evaluation import linear, metrics
from pcl_tf.evaluation.evaluate import evaluate
from pcl_tf.evaluation.task import Task, exclusive_folds, folds_from

PEOPLE = np.repeat([f"s{i}" for i in range(30)], 20)
ERRORS = np.repeat(np.abs(np.random.RandomState(0).normal(size=30)), 20)  # one person's images err alike


@pytest.fixture(autouse=True)
def nothing_is_learnt(monkeypatch):
    """Every probe answers with its feature."""
    answer = linear.Linear(np.ones((1, 1), np.float32), np.zeros(1, np.float32))
    monkeypatch.setattr(linear, "fit", lambda *args, **kwargs: (answer, {"solver": "none"}))


def task(kind, subjects, splits):
    source = arrays("faces", np.arange(600, dtype=np.uint8)[:, None, None, None].repeat(3, 3))
    labels = np.zeros((600, 1), np.float32) if kind == "regression" else (np.arange(600) % 3 == 0)[:, None] * 1.0
    return Task("t", kind, source, 8, ("x",), labels, splits, subjects)


def test_people_are_resampled_and_said_to_be():
    known = task("regression", PEOPLE, exclusive_folds(PEOPLE, 5))
    found = evaluate(known, ERRORS[:, None])
    unknown = evaluate(dataclasses.replace(known, subjects=None), ERRORS[:, None])
    assert (found.resampled, unknown.resampled) == ("subjects", "images") and found.value == unknown.value
    width, alone = (v.interval[1] - v.interval[0] for v in (found, unknown))
    assert 3 < width / alone < 6  # the square root of 20 images a person
    assert found.as_json()["resampled"] == "subjects"


def test_people_stay_beside_their_errors_in_the_order_of_the_folds():
    splits = folds_from([int(s[1:]) % 4 for s in PEOPLE])
    found = evaluate(task("regression", PEOPLE, splits), ERRORS[:, None])
    order = np.concatenate([test for _, test in splits])
    expected = metrics.bootstrap(
        ERRORS[order][:, None], lambda m: float(m.mean()), groups=None, seed=0, clusters=PEOPLE[order]
    )
    assert found.interval == pytest.approx(expected, rel=1e-6)


def test_a_fold_of_one_person_resamples_images():
    splits = folds_from([min(int(s[1:]), 1) for s in PEOPLE])
    assert evaluate(task("multilabel", PEOPLE, splits), ERRORS[:, None] - 0.5).resampled == "images"
    assert evaluate(task("multilabel", PEOPLE, exclusive_folds(PEOPLE, 3)), ERRORS[:, None]).resampled == "subjects"


def test_a_fold_of_which_nothing_can_be_read_is_named():
    splits = folds_from([int(s[1:]) % 3 for s in PEOPLE])
    with pytest.raises(Refused, match="t, fold 2 of 3: 400 training and 0 test images can be read"):
        evaluate(task("regression", PEOPLE, splits), ERRORS[:, None], bad=splits[1][1])
    with pytest.raises(Refused, match="t, fold 1 of 1: 1 training and 200 test images can be read; at least 2 and 1"):
        evaluate(task("regression", PEOPLE, splits[:1]), ERRORS[:, None], bad=splits[0][0][1:])
