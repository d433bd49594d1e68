"""The mesh of a head follows who it is and what the face does."""

import numpy as np
import pytest

from pcl_tf.heads import people, shape


@pytest.fixture(scope="module")
def labels():
    return {k: x[:6] for k, x in people.sample_labels(6, 1).items()} | {"actions": np.zeros((6, 16), np.float32)}


def moved(labels, **actions):
    """How an action moves the vertices of six people: [6, V, 3]."""
    strengths = labels["actions"].copy()
    for action, strength in actions.items():
        strengths[:, people.ACTIONS.index(int(action.removeprefix("au")))] = strength
    return shape.vertices({**labels, "actions": strengths}) - shape.vertices(labels)


def test_the_eyes_are_at_the_origin_and_the_head_is_mirrored(labels):
    v, m = shape.vertices(labels), shape.mesh()
    middle = (v[:, m.eyes[0]].mean(1) + v[:, m.eyes[1]].mean(1)) / 2
    np.testing.assert_allclose(middle, 0, atol=1e-5)
    assert (v[:, m.eyes[0], 0].mean(1) > 0.2).all() and (v[:, m.eyes[1], 0].mean(1) < -0.2).all()
    np.testing.assert_allclose(m.rest[:, 0].min(), -m.rest[:, 0].max(), atol=0.05)


def test_half_an_action_moves_half_as_far(labels):
    whole, half = (moved(labels, **dict.fromkeys(("au1", "au15", "au26"), strength)) for strength in (1.0, 0.5))
    assert np.abs(whole).max() > 0.05
    np.testing.assert_allclose(half, whole / 2, atol=2e-3)


def test_lids_close_and_nothing_else_does(labels):
    change = np.abs(moved(labels, au45=1.0)).max((0, 2))
    m = shape.mesh()
    assert change.max() > 0.08 and (change[np.abs(m.rest[:, 1]) > 0.4] < 0.02).all()


def test_people_differ_and_age_and_sex_show(labels):
    v = shape.vertices(labels)
    apart = np.linalg.norm(v[:, None] - v[None], axis=-1).mean(-1)
    assert apart[~np.eye(6, dtype=bool)].min() > 0.02

    def with_trait(column, value):
        traits = labels["traits"].copy()
        traits[:, column] = value
        return shape.vertices({**labels, "traits": traits})

    chin = shape.mesh().skin & (np.linalg.norm(shape.mesh().rest - (0, -1.05, 1.4), axis=1) < 0.12)
    boys, men = with_trait(shape.AGE, 0.0), with_trait(shape.AGE, 0.3)
    assert (np.ptp(men[..., 1], axis=1) > np.ptp(boys[..., 1], axis=1)).all()
    women, males = with_trait(shape.SEX, 0.0), with_trait(shape.SEX, 1.0)
    assert (males[:, chin, 1] < women[:, chin, 1]).mean() > 0.9


def test_normals_are_those_of_the_triangles_around(labels):
    v = shape.vertices(labels)[0]
    m = shape.mesh()
    wanted = np.zeros_like(v)
    for a, b, c in m.triangles:
        wanted[[a, b, c]] += np.cross(v[b] - v[a], v[c] - v[a])
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True) + 1e-9
    np.testing.assert_allclose(shape.normals(v), wanted, atol=1e-3)
    nose = np.argmax(v[:, 2])
    assert shape.normals(v)[nose, 2] > 0.5  # outwards


def test_shares_of_origins_sum_to_one():
    share = shape.origin(people.traits(np.arange(400)))
    np.testing.assert_allclose(share.sum(1), 1, rtol=1e-6)
    assert (share.max(1) > 0.6).mean() > 0.7 and (np.bincount(share.argmax(1), minlength=3) > 90).all()
