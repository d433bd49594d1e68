"""The truth of generated faces: who, doing what, turned how."""

import numpy as np

from pcl_tf.heads import people


def test_labels_have_the_stated_shapes_and_ranges():
    labels = people.sample_labels(500, 3, range(9))
    shapes = {"identity": (), "expression": (), "actions": (16,), "aus": (8,), "angles": (3,), "gaze": (2,)}
    shapes |= {"traits": (160,), "light": (3,), "scene": ()}
    assert {name: x.shape[1:] for name, x in labels.items()} == shapes
    assert set(labels["identity"]) == set(range(9)) and set(labels["expression"]) == set(range(7))
    assert (labels["actions"] >= 0).all() and (labels["actions"] <= 1).all()
    assert (np.abs(labels["angles"]) <= people.MAX_ANGLES).all() and (np.abs(labels["angles"]).max(0) > 20).all()
    np.testing.assert_allclose(np.linalg.norm(labels["light"], axis=1), 1, rtol=1e-6)
    assert np.array_equal(labels["aus"], labels["actions"][:, :8])


def test_a_person_is_the_same_under_every_seed_and_no_other():
    a, b = people.sample_labels(200, 1, range(20)), people.sample_labels(200, 2, range(20))
    for k in range(20):
        of_k = np.concatenate([x["traits"][x["identity"] == k] for x in (a, b)])
        assert (of_k == people.traits(np.array([k]))).all()
    assert len(np.unique(people.traits(np.arange(50)), axis=0)) == 50
    assert not np.array_equal(a["angles"], b["angles"])
    again = people.sample_labels(30, 1, range(20), first=170)
    assert all(np.array_equal(a[name][170:], again[name]) for name in a)  # each row by its number alone


def test_an_expression_is_made_of_its_actions():
    labels = people.sample_labels(600, 5)
    for expression, high, low in (
        ("happy", (6, 12, 25), (4, 15)),
        ("surprise", (1, 2, 5, 26), (4, 12)),
        ("disgust", (9,), (12, 26)),
        ("neutral", (), (1, 12, 26)),
    ):
        of = labels["actions"][labels["expression"] == people.EXPRESSIONS.index(expression)].mean(0)
        assert all(of[people.ACTIONS.index(a)] > 0.5 for a in high)
        assert all(of[people.ACTIONS.index(a)] < 0.15 for a in low)


def test_two_scenes_show_one_head():
    twice, once = people.sample_scenes(30, 1, range(20), first=5), people.sample_labels(30, 1, range(20), first=5)
    assert all(np.array_equal(twice[name][::2], once[name]) for name in once)
    differ = {name for name in once if not np.array_equal(twice[name][1::2], once[name])}
    assert differ == {"light", "scene"} and len(np.unique(twice["scene"])) == 60


def test_a_clip_moves_smoothly_and_blinks():
    clip = people.sample_clip(500, 4, [7])
    assert all(len(x) == 500 for x in clip.values())
    assert (clip["traits"] == people.traits(np.array([7]))).all() and len(np.unique(clip["scene"])) == 1
    steps = np.abs(np.diff(clip["angles"], axis=0)).max(0)
    assert (steps < (8, 4, 4)).all() and (np.ptp(clip["angles"], axis=0) > (20, 10, 8)).all()
    lids = clip["actions"][:, people.ACTIONS.index(45)]
    assert lids.max() > 0.7 and np.median(lids) == 0
    others = np.delete(clip["actions"], people.ACTIONS.index(45), 1)
    assert np.abs(np.diff(others, axis=0)).max() < 0.15
    rate = people.sample_clip(250, 4, [7], fps=12.5)
    np.testing.assert_allclose(rate["angles"], clip["angles"][::2], atol=1e-4)
    assert not np.array_equal(people.sample_clip(500, 4, [7], clip=1)["angles"], clip["angles"])
