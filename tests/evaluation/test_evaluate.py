"""Results resample people where they are known; folds share nobody."""

import dataclasses

import numpy as np
import pytest

from pcl_tf.data.listed import arrays
from pcl_tf.errors import Refused
from pcl_tf.evaluation import bootstrap, linear
from pcl_tf.evaluation.bootstrap import Units
from pcl_tf.evaluation.evaluate import evaluate
from pcl_tf.evaluation.task import Task, exclusive_folds, folds_from

PEOPLE = np.repeat([f"s{i}" for i in range(30)], 20)
ERRORS = np.repeat(np.abs(np.random.RandomState(0).normal(size=30)), 20)  # one person's images err alike


@pytest.fixture
def nothing_is_learnt(monkeypatch):
    """Every probe answers with its feature."""
    answer = linear.Linear(np.ones((1, 1), np.float32), np.zeros(1, np.float32))
    monkeypatch.setattr(linear, "fit", lambda *args, **kwargs: (answer, {"solver": "none"}))


def task(kind, subjects, splits):
    source = arrays("faces", np.arange(600, dtype=np.uint8)[:, None, None, None].repeat(3, 3))
    labels = np.zeros((600, 1), np.float32) if kind == "regression" else (np.arange(600) % 3 == 0)[:, None] * 1.0
    return Task("t", kind, source, 8, ("x",), labels, splits, subjects)


def test_people_are_resampled_and_the_result_says_so(nothing_is_learnt):
    known = task("regression", PEOPLE, exclusive_folds(PEOPLE, 5))
    found = evaluate(known, ERRORS[:, None])
    unknown = evaluate(dataclasses.replace(known, subjects=None), ERRORS[:, None])
    assert (found.resampled, unknown.resampled) == ("subjects", "images") and found.value == unknown.value
    width, alone = (v.interval[1] - v.interval[0] for v in (found, unknown))
    assert 3 < width / alone < 6  # the square root of 20 images a person
    said = [{key: of.as_json()[key] for key in ("resampled", "units")} for of in (found, unknown)]
    assert said == [{"resampled": "subjects", "units": 30}, {"resampled": "images", "units": 600}]


def test_people_stay_beside_their_errors_in_the_order_of_the_folds(nothing_is_learnt):
    splits = folds_from([int(s[1:]) % 4 for s in PEOPLE])
    found = evaluate(task("regression", PEOPLE, splits), ERRORS[:, None])
    order = np.concatenate([test for _, test in splits])
    units = Units("subjects", 30, people=PEOPLE[order])
    expected = bootstrap.central(bootstrap.resamples(ERRORS[order][:, None], lambda m: float(m.mean()), units))
    assert found.interval == pytest.approx(expected, rel=1e-6)


def test_a_fold_of_one_person_resamples_images(nothing_is_learnt):
    splits = folds_from([min(int(s[1:]), 1) for s in PEOPLE])
    assert evaluate(task("multilabel", PEOPLE, splits), ERRORS[:, None] - 0.5).resampled == "images"
    assert evaluate(task("multilabel", PEOPLE, exclusive_folds(PEOPLE, 3)), ERRORS[:, None]).resampled == "subjects"


def test_an_unreadable_fold_is_named(nothing_is_learnt):
    splits = folds_from([int(s[1:]) % 3 for s in PEOPLE])
    with pytest.raises(Refused, match="t, fold 2 of 3: 400 training and 0 test images can be read"):
        evaluate(task("regression", PEOPLE, splits), ERRORS[:, None], bad=splits[1][1])
    with pytest.raises(Refused, match="t, fold 1 of 1: 1 training and 200 test images can be read; at least 2 and 1"):
        evaluate(task("regression", PEOPLE, splits[:1]), ERRORS[:, None], bad=splits[0][0][1:])


def test_exclusive_folds_share_no_subject_and_test_every_image_once():
    subjects = np.random.RandomState(0).choice([f"s{i}" for i in range(27)], size=500)
    folds = exclusive_folds(subjects, 3)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(500))
    for train, test in folds:
        assert not set(subjects[train]) & set(subjects[test])
        assert len(test) == pytest.approx(500 / 3, abs=12)


def test_folds_from_numbers():
    assert [list(t) for _, t in folds_from([1, 0, 1, 2])] == [[1], [0, 2], [3]]
