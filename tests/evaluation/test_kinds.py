"""Metrics of the kinds of task against scikit-learn and hand-computed cases."""

import numpy as np
import pytest
import sklearn.metrics as sk

from pcl_tf.evaluation import bootstrap
from pcl_tf.evaluation.kind import Scored
from pcl_tf.evaluation.kinds import KINDS

R = np.random.RandomState
CLASSES, LABELS, NUMBERS = (KINDS[name] for name in ("classification", "multilabel", "regression"))


def measured(kind, scores, labels, names, folds=None):
    """(contributions, metric, detail) as a probe takes them."""
    folds = np.zeros(len(labels), int) if folds is None else folds
    scored = Scored(np.arange(len(labels)), folds, labels, *kind.answers(np.asarray(scores)))
    contributions = kind.contributions(labels, scored.predicted)
    parts = bootstrap.over_folds(contributions, kind.parts, folds)
    value = bootstrap.over_folds(contributions, lambda means: kind.value(kind.parts(means)), folds)
    return contributions, value, kind.detail(scored, names, parts=parts, folds=None)


def test_accuracy_and_recall_equal_scikit_learn():
    scores, labels = R(0).normal(size=(200, 5)), R(1).randint(5, size=200)
    _, value, detail = measured(CLASSES, scores, labels, "abcde")
    assert value == pytest.approx(sk.accuracy_score(labels, scores.argmax(1)))
    assert list(detail.values()) == pytest.approx(sk.recall_score(labels, scores.argmax(1), average=None))


def test_f1_equals_scikit_learn_and_a_hand_computed_case():
    logits, truth = R(0).normal(size=(30, 6)), (R(1).rand(30, 6) < 0.1) * 1.0
    logits[:, :3] = -1.0  # labels that are never predicted, and of these two that lack
    truth[:, :2] = 0.0
    expected = np.array([sk.f1_score(truth[:, k], logits[:, k] > 0, zero_division=np.nan) for k in range(6)])
    assert np.isnan(expected).any() and np.nanmax(expected) > 0
    contributions, value, detail = measured(LABELS, logits, truth, "abcdef")
    np.testing.assert_allclose(LABELS.parts(contributions.mean(0)), expected)
    assert list(detail.values()) == pytest.approx(expected[~np.isnan(expected)])
    assert value == pytest.approx(np.nanmean(expected))
    # two hits, one false alarm, one miss: 2 * 2 / (2 * 2 + 1 + 1)
    _, _, detail = measured(LABELS, [[1], [1], [1], [-1.0]], np.array([[1], [1], [0], [1]]), "x")
    assert detail["x"] == pytest.approx(4 / 6)


def test_f1_of_folds_is_the_mean_of_each():
    logits, truth, folds = R(0).normal(size=(90, 2)), (R(1).rand(90, 2) < 0.4) * 1.0, R(2).randint(3, size=90)
    each = [sk.f1_score(truth[folds == f], logits[folds == f] > 0, average="macro") for f in range(3)]
    assert measured(LABELS, logits, truth, "ab", folds)[1] == pytest.approx(np.mean(each))


def test_a_label_has_no_f1_in_a_fold_that_neither_shows_nor_predicts_it():
    truth, folds = np.zeros((50, 2)), np.arange(50) % 5
    truth[::2, 0] = 1
    truth[[0, 5, 10], 1] = 1  # a rare label, in fold 0 alone
    perfect = np.where(truth > 0, 1.0, -1.0)
    assert measured(LABELS, perfect, truth, "ab", folds)[1:] == (1.0, {"a": 1.0, "b": 1.0})
    alarmed = perfect.copy()
    alarmed[1, 1] = 1.0  # predicted in fold 1, where no image shows it
    assert measured(LABELS, alarmed, truth, "ab", folds)[2] == {"a": 1.0, "b": 0.5}
    assert measured(LABELS, perfect - 2.0, truth * [1, 0], "ab", folds)[1:] == (0.0, {"a": 0.0})


def test_labels_of_neighbours_are_shares_and_predicted_by_more_than_half():
    shares, predicted = LABELS.answers(np.array([[0.5, 0.55, 0.45]]), logits=False)
    assert shares.tolist() == [[0.5, 0.55, 0.45]] and predicted.tolist() == [[0, 1, 0]]
    scores, predicted = LABELS.answers(np.array([[0.0, 2.0, -2.0]]))
    assert scores[0] == pytest.approx([0.5, 1 / (1 + np.exp(-2)), 1 / (1 + np.exp(2))])
    assert predicted.tolist() == [[0, 1, 0]]


def test_mae_by_hand():
    predicted, labels = np.array([[1.0, 2], [3, 5]]), np.array([[0.0, 2], [5, 2]])
    assert measured(NUMBERS, predicted, labels, "xy")[1:] == (1.5, {"x": 1.5, "y": 1.5})


def test_a_target_that_is_no_number_is_not_left_out_of_the_mean():
    predicted, labels = np.array([[1.0, np.nan], [3, 5]]), np.array([[0.0, 2], [5, 2]])
    assert np.isnan(NUMBERS.value(NUMBERS.parts(NUMBERS.contributions(labels, predicted).mean(0))))
