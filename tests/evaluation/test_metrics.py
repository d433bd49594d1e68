"""Scores against scikit-learn, hand-computed cases and closed forms."""

import numpy as np
import pytest

from pcl_tf.evaluation import metrics, verification
from pcl_tf.evaluation.task import exclusive_folds, folds_from

sk = pytest.importorskip("sklearn.metrics", reason="needs requirements-dev.txt")
R = np.random.RandomState


def test_accuracy_and_recall_equal_scikit_learn():
    scores, labels = R(0).normal(size=(200, 5)), R(1).randint(5, size=200)
    right, statistic, detail = metrics.classification(scores, labels, "abcde")
    assert statistic(right.mean(0)) == pytest.approx(sk.accuracy_score(labels, scores.argmax(1)))
    recalls = sk.recall_score(labels, scores.argmax(1), average=None)
    assert list(detail.values()) == pytest.approx(recalls)


def test_f1_equals_scikit_learn_and_a_hand_computed_case():
    logits, truth = R(0).normal(size=(300, 4)), (R(1).rand(300, 4) < 0.3).astype(np.float32)
    parts, statistic, detail = metrics.multilabel(logits, truth, ["a", "b", "c", "d"])
    expected = [sk.f1_score(truth[:, k], logits[:, k] > 0) for k in range(4)]
    assert list(detail.values()) == pytest.approx(expected)
    assert statistic(parts.mean(0)) == pytest.approx(np.mean(expected))
    # two hits, one false alarm, one miss: 2 * 2 / (2 * 2 + 1 + 1)
    _, _, detail = metrics.multilabel(np.array([[1], [1], [1], [-1.0]]), np.array([[1], [1], [0], [1]]), ["x"])
    assert detail["x"] == pytest.approx(4 / 6)


def test_f1_of_folds_is_the_mean_of_each():
    logits, truth, folds = R(0).normal(size=(90, 2)), (R(1).rand(90, 2) < 0.4) * 1.0, R(2).randint(3, size=90)
    parts, statistic, _ = metrics.multilabel(logits, truth, ["a", "b"], groups=folds)
    each = [sk.f1_score(truth[folds == f], logits[folds == f] > 0, average="macro") for f in range(3)]
    assert metrics.over_folds(parts, statistic, folds) == pytest.approx(np.mean(each))


def test_a_label_has_no_f1_in_a_fold_that_neither_shows_nor_says_it():
    truth, folds = np.zeros((50, 2)), np.arange(50) % 5
    truth[::2, 0] = 1
    truth[[0, 5, 10], 1] = 1  # a rare label, in fold 0 alone
    perfect = np.where(truth > 0, 1.0, -1.0)
    parts, statistic, detail = metrics.multilabel(perfect, truth, ["a", "b"], groups=folds)
    assert detail == {"a": 1.0, "b": 1.0} and metrics.over_folds(parts, statistic, folds) == 1.0
    assert metrics.bootstrap(parts, statistic, groups=folds) == (1.0, 1.0)
    alarmed = perfect.copy()
    alarmed[1, 1] = 1.0  # said in fold 1, where it is not
    _, _, detail = metrics.multilabel(alarmed, truth, ["a", "b"], groups=folds)
    assert detail == {"a": 1.0, "b": 0.5}
    parts, statistic, detail = metrics.multilabel(perfect - 2.0, truth * [1, 0], ["a", "b"], groups=folds)
    assert detail == {"a": 0.0} and metrics.over_folds(parts, statistic, folds) == 0.0


def test_f1_equals_scikit_learn_where_labels_lack():
    logits, truth = R(0).normal(size=(30, 6)), (R(1).rand(30, 6) < 0.1) * 1.0
    logits[:, :3] = -1.0
    truth[:, :2] = 0.0
    each = [sk.f1_score(truth[:, k], logits[:, k] > 0, zero_division=np.nan) for k in range(6)]
    assert np.isnan(each).any() and not np.isnan(each).all()
    parts, statistic, _ = metrics.multilabel(logits, truth, range(6))
    np.testing.assert_allclose(metrics.f1(parts.mean(0)), each)
    assert statistic(parts.mean(0)) == pytest.approx(np.nanmean(each))


def test_mae_by_hand():
    errors, statistic, detail = metrics.regression(np.array([[1.0, 2], [3, 5]]), np.array([[0.0, 2], [5, 2]]), "xy")
    assert detail == {"x": 1.5, "y": 1.5} and statistic(errors.mean(0)) == 1.5


def test_bootstrap_of_a_mean_is_its_standard_error():
    x = R(0).normal(size=2000)
    low, high = metrics.bootstrap(x, float, seed=3)
    assert low == pytest.approx(x.mean() - 1.96 / np.sqrt(2000), abs=0.006)
    assert high == pytest.approx(x.mean() + 1.96 / np.sqrt(2000), abs=0.006)
    assert (low, high) == metrics.bootstrap(x, float, seed=3)


def test_bootstrap_within_folds_keeps_each_folds_share():
    folds = np.repeat([0, 1], [10, 1000])
    x = folds.astype(float)  # no spread inside a fold: the mean of the folds' means is always a half
    assert metrics.bootstrap(x, float, groups=folds) == (0.5, 0.5)


def test_bootstrap_of_people_is_the_standard_error_of_people():
    people = np.repeat(np.arange(400), 25)
    x = R(0).normal(size=400)[people] + 0.01 * R(1).normal(size=len(people))
    low, high = metrics.bootstrap(x, float, seed=3, clusters=people)
    assert high - low == pytest.approx(2 * 1.96 / np.sqrt(400), rel=0.1)
    alone = metrics.bootstrap(x, float, seed=3)
    assert alone[1] - alone[0] < (high - low) / 4
    each = metrics.bootstrap(x, float, seed=3, clusters=np.arange(len(x)))
    assert each == pytest.approx(alone, abs=1e-12)


def test_bootstrap_of_people_weighs_them_by_their_images():
    people = np.repeat([0, 1], [1, 3])
    x = np.array([0.0, 1, 1, 1])
    found = metrics.bootstrap(x, lambda m: float(m), clusters=people)
    assert found == (0.0, 1.0)  # drawn twice, one person is all there is
    means = []
    metrics.bootstrap(x, lambda m: means.append(float(m)) or float(m), clusters=people)
    assert set(means) == {0.0, 0.75, 1.0}


def test_what_is_resampled():
    assert metrics.resampled(None) == "images" and metrics.resampled(["a", "b", "b"]) == "subjects"
    assert metrics.resampled(["a", "b", "c"], [0, 0, 1]) == metrics.resampled(["a", "a"]) == "images"


def test_threshold_is_the_best_of_all_cuts():
    for seed in range(20):
        values, same = R(seed).randint(12, size=40) / 4.0, R(seed + 99).randint(2, size=40)
        found = verification.best_threshold(values, same)
        best = max(((values > t) == same).mean() for t in np.concatenate([values - 0.01, values + 0.01]))
        assert ((values > found) == same).mean() == best


def test_a_folds_threshold_never_sees_the_fold():
    values, same, folds = R(0).normal(size=100), R(1).randint(2, size=100), np.arange(100) % 10
    _, before = verification.verify(values, same, folds)
    moved = np.where(folds == 3, values + 100, values)
    flipped = np.where(folds == 3, 1 - same, same)
    _, after = verification.verify(moved, flipped, folds)
    assert after[3] == before[3]
    assert any(after[f] != before[f] for f in range(10) if f != 3)


def test_verification_by_hand():
    values = np.array([0.9, 0.1, 0.8, 0.2, 0.3, 0.7])
    same = np.array([1, 0, 1, 0, 1, 0])
    right, thresholds = verification.verify(values, same, np.array([0, 0, 1, 1, 2, 2]))
    assert list(right) == [1, 1, 1, 1, 0, 0]
    assert thresholds[2] == pytest.approx(0.5)


def test_similarities_are_cosines():
    x, pairs = R(0).normal(size=(9, 5)).astype(np.float32), R(1).randint(9, size=(30, 2))
    expected = [sk.pairwise.cosine_similarity(x[[a]], x[[b]])[0, 0] for a, b in pairs]
    np.testing.assert_allclose(verification.similarities(x, pairs, batch=7), expected, atol=1e-6)


def test_exclusive_folds_share_no_subject_and_test_every_image_once():
    subjects = R(0).choice([f"s{i}" for i in range(27)], size=500)
    folds = exclusive_folds(subjects, 3)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(500))
    for train, test in folds:
        assert not set(subjects[train]) & set(subjects[test])
        assert len(test) == pytest.approx(500 / 3, abs=12)


def test_folds_from_numbers():
    assert [list(t) for _, t in folds_from([1, 0, 1, 2])] == [[1], [0, 2], [3]]
