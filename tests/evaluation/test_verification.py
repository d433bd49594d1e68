"""Verification: thresholds and layers of a fold never see it; operating points against closed forms."""

import dataclasses

import numpy as np
import pytest
import sklearn.metrics as sk

from pcl_tf.data.listed import arrays
from pcl_tf.errors import Refused
from pcl_tf.evaluation import verification
from pcl_tf.evaluation.evaluate import evaluate
from pcl_tf.evaluation.task import Task, distinct_pairs

R = np.random.RandomState


def test_the_threshold_is_the_best_of_all_cuts():
    for seed in range(20):
        values, same = R(seed).randint(12, size=40) / 4.0, R(seed + 99).randint(2, size=40)
        found = verification.best_threshold(values, same)
        best = max(((values > t) == same).mean() for t in np.concatenate([values - 0.01, values + 0.01]))
        assert ((values > found) == same).mean() == best


def test_the_threshold_of_a_fold_never_sees_the_fold():
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


def test_operating_points_by_hand():
    # accepted from the top: one, one, two, one, two, two people
    found = verification.operating_points([6, 5, 4, 3, 2, 1], [1, 1, 0, 1, 0, 0])
    assert found == {"EER": pytest.approx(1 / 3), "TAR@FAR": {}}  # three pairs of two people hold no rate of a tenth


def test_the_equal_error_rate_of_two_gaussians():
    same = np.arange(200_000) % 2
    found = verification.operating_points(R(0).normal(size=len(same)) + 2 * same, same)
    assert found["EER"] == pytest.approx(0.158655, abs=0.002)  # the normal distribution below -1
    # a threshold of 1.2816, 2.3263, 3.0902 lets in a tenth, a hundredth, a thousandth
    assert found["TAR@FAR"] == pytest.approx({"0.1": 0.76378, "0.01": 0.37208, "0.001": 0.13784}, abs=0.012)


def test_all_alike_and_all_apart():
    assert verification.operating_points([1, 1, 1, 1], [1, 0, 1, 0])["EER"] == 0.5
    assert verification.operating_points([2, 2, 1, 1], [1, 1, 0, 0])["EER"] == 0.0


def test_rates_are_reported_where_pairs_suffice():
    for different, reported in ((9, []), (10, ["0.1"]), (999, ["0.1", "0.01"]), (1000, ["0.1", "0.01", "0.001"])):
        same = np.r_[np.ones(5, int), np.zeros(different, int)]
        assert list(verification.operating_points(np.arange(len(same)), same)["TAR@FAR"]) == reported


def people(count=60, noise=4.0):
    """Features of two pictures a person: eight numbers say who it is, others, larger, change with the picture."""
    r = np.random.RandomState(0)
    who = np.repeat(r.normal(size=(count, 8)), 2, axis=0)
    x = np.concatenate([who + 0.2 * r.normal(size=who.shape), noise * r.normal(size=(2 * count, 12))], axis=1)
    x = x @ np.linalg.qr(r.normal(size=(20, 20)))[0] + 3  # mixed, so that no single feature tells
    alike = np.stack([np.arange(0, 2 * count, 2), np.arange(1, 2 * count, 2)], axis=1)
    other = np.stack([alike[:, 0], np.roll(alike[:, 1], 1)], axis=1)
    pairs = np.stack([alike, other], axis=1).reshape(-1, 2)
    return x.astype(np.float32), pairs, np.arange(2 * count) % 2 == 0, np.arange(2 * count) * 5 // (2 * count)


def test_the_learnt_layer_beats_the_raw_cosine_where_pictures_vary_more_than_people():
    x, pairs, same, folds = people()
    raw, _ = verification.verify(verification.similarities(x, pairs), same.astype(int), folds)
    values, learnt, protocol, (weights, bias) = verification.whitened(x, pairs, same.astype(int), folds=folds)
    alone = verification.similarities(x @ weights + bias, pairs)  # that of the first fold
    np.testing.assert_allclose(alone[folds == 0], values[folds == 0], atol=1e-4)
    assert raw.mean() < 0.7 and learnt.mean() > 0.9
    again = verification.whitened(x, pairs, same.astype(int), folds=folds)
    np.testing.assert_array_equal(again[1], learnt)
    assert again[2] == protocol


def test_layer_and_threshold_of_a_fold_never_see_the_fold():
    x, pairs, same, folds = people()
    same = same.astype(int)
    before = verification.whitened(x, pairs, same, folds=folds)[2]["thresholds"]
    alone = np.setdiff1d(pairs[folds == 2], pairs[folds != 2])
    moved = x.copy()
    moved[alone] *= 50
    after = verification.whitened(moved, pairs, np.where(folds == 2, 1 - same, same), folds=folds)[2]["thresholds"]
    assert after[2] == before[2] and any(after[f] != before[f] for f in before if f != 2)


def test_a_picture_of_a_fold_teaches_no_layer_of_it_whatever_its_file_is_called():
    """The pairs of fold 0 stand in fold 1 again, by other files of the same content."""
    x, pairs, same, folds = people()
    first, count = folds == 0, len(x)
    source = arrays("faces", np.zeros((2 * count, 1, 1, 3), np.uint8))
    copies = dataclasses.replace(source, contents=[*range(count)] * 2)
    again = {"pairs": np.r_[pairs, pairs[first] + count], "folds": np.r_[folds, np.ones(first.sum(), int)]}

    def answers(source, labels):
        result = evaluate(
            Task("t", "verification", source, 8, same=np.r_[same, labels].astype(int), **again), np.r_[x, x]
        )
        return result.learnt.scored.scores[: len(pairs)][first]

    for files, alike in ((copies, True), (source, False)):
        assert np.array_equal(*(answers(files, labels) for labels in (same[first], ~same[first]))) == alike


def test_pairs_of_one_kind_are_refused():
    task = Task("t", "verification", arrays("f", np.zeros((8, 1, 1, 3), np.uint8)), 8, pairs=np.arange(8).reshape(4, 2))
    one = dataclasses.replace(task, same=np.ones(4, int), folds=np.arange(4) % 2)
    with pytest.raises(Refused, match="t: pairs of one person and pairs of two, in at least two folds, are needed"):
        evaluate(one, R(0).normal(size=(8, 2)))
    assert evaluate(dataclasses.replace(one, same=np.array([0, 0, 1, 1])), R(0).normal(size=(8, 2))).learnt is None


def test_too_few_pairs_teach_no_layer_and_the_result_says_so():
    x, pairs, same, folds = people(count=20)
    source = arrays("faces", np.zeros((len(x), 1, 1, 3), np.uint8))
    result = evaluate(Task("t", "verification", source, 8, pairs=pairs, same=same.astype(int), folds=folds), x)
    # 16 of each are in the other folds; one of each shares a picture with the fold's first or last pair of two people
    wanted = "no layer is learnt on pairs: 15 of one person and 15 of two share no picture with fold 1; at least 20"
    assert result.learnt is None and result.as_json()["protocol"]["not_learnt"].startswith(wanted)


def test_a_pair_counts_once_and_pictures_of_several_folds_are_named():
    """The first pair stands again, turned round, by a copy of its second picture; picture 2 is in two folds."""
    pairs, folds = np.array([[0, 1], [2, 3], [4, 0], [2, 5], [6, 7]]), np.array([0, 0, 0, 1, 1])
    source = dataclasses.replace(arrays("faces", np.zeros((8, 1, 1, 3), np.uint8)), contents=[0, 1, 2, 3, 1, 5, 6, 7])
    groups = {"g": np.array(list("abcde"))}
    task = Task("t", "verification", source, 8, pairs=pairs, same=np.array([1, 1, 1, 0, 0]), folds=folds, groups=groups)
    once = distinct_pairs(task)
    assert once.pairs.tolist() == [[0, 1], [2, 3], [2, 5], [6, 7]] and once.same.tolist() == [1, 1, 0, 0]
    assert once.folds.tolist() == [0, 0, 1, 1] and once.groups["g"].tolist() == list("abde")
    assert once.notes == (
        "t: 1 of 5 pairs stand twice and count once: 3 is 1.",
        "t: 2 of 5 pairs share a picture with another fold and teach no layer of it: 2, 4.",
    )
    with pytest.raises(Refused, match="t: 1 pairs .* of one person and of two: pairs 1 and 3 show the same two"):
        distinct_pairs(dataclasses.replace(task, same=np.array([1, 1, 0, 0, 0])))


def test_results_hold_the_learnt_layer_beside_the_raw_cosine():
    x, pairs, same, folds = people()
    source = arrays("faces", np.zeros((len(x), 8, 8, 3), np.uint8))
    task = Task("t", "verification", source, 8, pairs=pairs, same=same.astype(int), folds=folds)
    result = evaluate(task, x)
    raw, _ = verification.verify(verification.similarities(x, pairs), same.astype(int), folds)
    assert result.value == np.mean([raw[folds == f].mean() for f in range(5)]) and result.resampled == "pairs"
    low, high = result.learnt.interval
    assert result.value < low <= result.learnt.value <= high and len(result.learnt.detail) == 5
    assert result.as_json()["learnt"]["value"] == result.learnt.value and result.units == len(pairs)
