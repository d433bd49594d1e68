"""Which labels teach: stratified, seeded, held out by subject."""

import types

import numpy as np
import pytest

from pcl_tf.errors import Refused
from pcl_tf.finetune.run import share, teaching

LABELS = np.repeat([0, 1, 2], [700, 290, 10])
FACES = types.SimpleNamespace(kind="classification", labels=LABELS)
ROWS = np.random.RandomState(0).permutation(1000)


@pytest.mark.parametrize("part", [0.01, 0.1, 0.5])
def test_classes_are_as_frequent_as_in_all(part):
    taken = share(FACES, ROWS, part=part)
    counts = np.bincount(LABELS[taken])
    assert np.abs(counts - np.maximum(part * np.array([700, 290, 10]), 1)).max() <= 1 and counts.min() >= 1
    assert np.array_equal(taken, np.unique(taken))


def test_all_labels_are_all_rows_and_others_are_drawn_by_the_seed_of_those_given():
    assert np.array_equal(share(FACES, ROWS, part=1.0), ROWS)
    a, b, c = (share(FACES, ROWS, part=0.1, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(a, b) and not np.array_equal(a, c)
    assert not np.array_equal(a % 10, np.full(len(a), a[0] % 10))  # of a class, chance decides which
    assert set(share(FACES, ROWS[:300], part=0.2)) <= set(ROWS[:300])


def test_combinations_of_labels_and_ranges_of_targets_give_their_part():
    r = np.random.RandomState(1)
    units = (r.uniform(size=(1000, 3)) < [0.5, 0.2, 0.1]).astype(np.float32)
    taken = share(types.SimpleNamespace(kind="multilabel", labels=units), np.arange(1000), part=0.1)
    assert len(taken) == 100 and np.abs(units[taken].mean(0) - units.mean(0)).max() < 0.04
    yaw = r.uniform(-60, 60, size=(1000, 2)).astype(np.float32)
    taken = share(types.SimpleNamespace(kind="regression", labels=yaw), np.arange(1000), part=0.01)
    assert len(taken) == 10
    assert np.array_equal(np.sort(np.argsort(np.argsort(yaw[:, 0]))[taken] // 100), np.arange(10))


def test_a_fifth_is_held_out_and_no_subject_is_on_both_sides():
    task = types.SimpleNamespace(name="faces", kind="classification", labels=np.zeros(50, int), subjects=None)
    teach, held = teaching(task, np.arange(50), part=1.0)
    assert len(held) == 10 and not set(teach) & set(held) and len(teach) == 40
    task.subjects = np.arange(50) // 5
    teach, held = teaching(task, np.arange(50), part=1.0)
    assert len(held) == 10 and not set(task.subjects[teach]) & set(task.subjects[held])
    task.labels, task.subjects = np.r_[np.zeros(40, int), np.arange(1, 11)], None
    teach, _ = teaching(task, np.arange(50), part=1.0)
    assert set(task.labels[teach]) == set(range(11))  # the only image of a class teaches
    with pytest.raises(Refused, match="faces: 4 labelled images are left to teach; at least 5"):
        teaching(task, np.arange(4), part=1.0)
