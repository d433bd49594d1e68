"""The layer learnt on pairs finds who it is behind what changes, and never sees the fold it scores."""

import numpy as np

from pcl_tf.evaluation import pair_layer, verification
from pcl_tf.evaluation.evaluate import evaluate
from pcl_tf.evaluation.task import Task


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


def test_it_beats_the_raw_cosine_where_pictures_vary_more_than_people():
    x, pairs, same, folds = people()
    raw, _ = verification.verify(verification.similarities(x, pairs), same.astype(int), folds)
    learnt = pair_layer.verify(x, pairs, same.astype(int), folds=folds)
    assert raw.mean() < 0.7 and learnt.right.mean() > 0.9
    again = pair_layer.verify(x, pairs, same.astype(int), folds=folds)
    np.testing.assert_array_equal(again.right, learnt.right)
    assert again.protocol == learnt.protocol


def test_a_folds_layer_and_threshold_never_see_the_fold():
    x, pairs, same, folds = people()
    same = same.astype(int)
    before = pair_layer.verify(x, pairs, same, folds=folds).protocol["thresholds"]
    alone = np.setdiff1d(pairs[folds == 2], pairs[folds != 2])
    moved = x.copy()
    moved[alone] *= 50
    after = pair_layer.verify(moved, pairs, np.where(folds == 2, 1 - same, same), folds=folds).protocol["thresholds"]
    assert after[2] == before[2] and any(after[f] != before[f] for f in before if f != 2)


def test_what_a_fold_is_called_does_not_depend_on_what_it_should_be_called():
    x, pairs, same, folds = people(noise=1.0)
    before = pair_layer.verify(x, pairs, same.astype(int), folds=folds).right
    for fold in range(5):
        flipped = np.where(folds == fold, ~same, same).astype(int)
        after = pair_layer.verify(x, pairs, flipped, folds=folds).right
        np.testing.assert_array_equal(after[folds == fold], 1 - before[folds == fold])


def test_it_says_nothing_where_there_is_too_little_to_learn_from():
    x, pairs, same, folds = people(count=20)
    assert pair_layer.verify(x, pairs, same.astype(int), folds=folds) is None


def test_results_hold_it_beside_the_raw_cosine():
    x, pairs, same, folds = people()
    source = type("Faces", (), {"count": len(x), "fingerprint": "f"})()
    task = Task("t", "verification", source, 8, pairs=pairs, same=same.astype(int), folds=folds)
    result = evaluate(task, x)
    raw, _ = verification.verify(verification.similarities(x, pairs), same.astype(int), folds)
    assert result.value == np.mean([raw[folds == f].mean() for f in range(5)]) and result.resampled == "pairs"
    low, high = result.learnt["interval"]
    assert result.value < low <= result.learnt["value"] <= high and len(result.learnt["detail"]) == 5
