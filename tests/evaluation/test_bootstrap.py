"""Intervals against closed forms: of images, of folds, of people."""

import numpy as np
import pytest

from pcl_tf.evaluation import bootstrap
from pcl_tf.evaluation.bootstrap import Units

R = np.random.RandomState


def interval(x, folds=None, people=None, seed=0):
    return bootstrap.central(bootstrap.resamples(x, float, Units("", len(x), folds, people), seed))


def test_the_interval_of_a_mean_is_its_standard_error():
    x = R(0).normal(size=2000)
    low, high = interval(x, seed=3)
    assert low == pytest.approx(x.mean() - 1.96 / np.sqrt(2000), abs=0.006)
    assert high == pytest.approx(x.mean() + 1.96 / np.sqrt(2000), abs=0.006)
    assert (low, high) == interval(x, seed=3)


def test_folds_are_resampled_apart():
    folds = np.repeat([0, 1], [10, 1000])
    x = folds.astype(float)  # no spread inside a fold: the mean of the folds' means is always a half
    assert interval(x, folds) == (0.5, 0.5)


def test_the_interval_of_people_is_the_standard_error_of_people():
    people = np.repeat(np.arange(400), 25)
    x = R(0).normal(size=400)[people] + 0.01 * R(1).normal(size=len(people))
    low, high = interval(x, people=people, seed=3)
    assert high - low == pytest.approx(2 * 1.96 / np.sqrt(400), rel=0.1)
    alone = interval(x, seed=3)
    assert alone[1] - alone[0] < (high - low) / 4
    assert interval(x, people=np.arange(len(x)), seed=3) == pytest.approx(alone, abs=1e-12)


def test_people_weigh_by_their_images():
    people = np.repeat([0, 1], [1, 3])
    x = np.array([0.0, 1, 1, 1])
    means = []
    found = bootstrap.resamples(x, lambda m: means.append(float(m)) or float(m), Units("", 4, people=people))
    assert bootstrap.central(found) == (0.0, 1.0)  # drawn twice, one person is all there is
    assert set(means) == {0.0, 0.75, 1.0}


def test_units_are_subjects_where_each_fold_has_two():
    def units(people, folds=None):
        people = None if people is None else np.array(people)
        found = bootstrap.units("images", 3, folds if folds is None else np.array(folds), people)
        return found.name, found.count

    assert units(None) == ("images", 3) and units(["a", "b", "b"]) == ("subjects", 2)
    assert units(["a", "b", "c"], [0, 0, 1]) == units(["a", "a", "a"]) == ("images", 3)


def test_a_fold_without_a_value_is_left_out():
    contributions, folds = np.array([[1.0], [0.0], [3.0]]), np.array([0, 1, 2])

    def known(means):
        return np.nan if means[0] == 0 else float(means[0])

    assert bootstrap.over_folds(contributions, known, folds) == 2.0
    assert set(bootstrap.resamples(contributions, known, Units("", 3, folds))) == {2.0}
    assert np.isnan(bootstrap.over_folds(contributions[1:2], known, None))
