"""Pictures of heads: a function of their labels, turned and lit as these say."""

import numpy as np
import pytest

from pcl_tf.heads import people, render, skin


@pytest.fixture(scope="module")
def labels():
    return people.sample_labels(8, 11)


def picture(labels, size=32, **changed):
    return render.render({**labels, **{k: np.broadcast_to(v, labels[k].shape) for k, v in changed.items()}}, size)


def test_a_picture_is_a_function_of_its_labels_alone(labels):
    whole = picture(labels)
    assert whole.shape == (8, 32, 32, 3) and whole.dtype == np.uint8
    for i in (0, 5):
        assert np.array_equal(picture({k: x[i : i + 1] for k, x in labels.items()})[0], whole[i])
    assert len({x.tobytes() for x in whole}) == 8


def test_of_any_size(labels):
    one = {k: x[:1] for k, x in labels.items()}
    small, large = (picture(one, size)[0].astype(float) for size in (32, 96))
    assert large.shape == (96, 96, 3)
    shrunk = large.reshape(32, 3, 32, 3, 3).mean((1, 3))
    assert np.abs(shrunk - small).mean() < 25  # the same scene; noise and compression are other ones


@pytest.mark.parametrize(
    ("angles", "point", "axis", "sign"),
    [((30, 0, 0), (0, 0, 1), 0, 1), ((0, 20, 0), (0, 0, 1), 1, -1), ((0, 0, 20), (0, 1, 0), 0, 1)],
)
def test_positive_angles_turn_right_down_and_clockwise(angles, point, axis, sign):
    turn = render.rotation(np.array(angles))
    assert (turn @ point)[axis] * sign > 0.3
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-6)


def test_the_lit_side_is_the_brighter_one(labels):
    zero = np.zeros(3, np.float32)
    left = picture(labels, angles=zero, light=np.array([-1, 0, 0.3]) / np.hypot(1, 0.3)).astype(float)
    right = picture(labels, angles=zero, light=np.array([1, 0, 0.3]) / np.hypot(1, 0.3)).astype(float)
    face = slice(8, 26)
    change = (right - left)[:, face].mean((1, 3))  # [N, columns]
    assert (change[:, 18:23].mean(1) > 0).all() and (change[:, 9:14].mean(1) < 0).all()


def test_a_closed_eye_hides_the_eyeball():
    calm = people.sample_labels(6, 21) | {"actions": np.zeros((6, 16), np.float32), "angles": np.zeros((6, 3))}
    open_, closed = calm["actions"].copy(), calm["actions"].copy()
    closed[:, people.ACTIONS.index(45)] = 1
    change = np.abs(
        render.render({**calm, "actions": closed}, 64).astype(float) - render.render({**calm, "actions": open_}, 64)
    ).mean((0, 3))
    rows = change.mean(1)
    assert rows[18:34].max() > 3 * rows[44:].mean()  # at the eyes and not at the chin


def test_an_eye_is_dark_in_the_line_of_sight_then_coloured_then_white():
    look = skin.Look(people.traits(np.array([3]))[0])
    pupil, iris, white = skin.eyeball(look, np.array([0.0, 0.3, 1.0]))
    assert pupil.max() < 0.02 and white.min() > 0.4
    np.testing.assert_allclose(iris, look.iris, atol=0.02)


def test_noise_is_of_unit_variance_smooth_and_another_in_another_place():
    u, v = np.meshgrid(np.arange(0, 256), np.arange(0, 256))
    here, there = (skin.noise(u.ravel(), v.ravel(), 1.0, place) for place in (0.1, 0.9))
    assert abs(here.std() - 1) < 0.01 and abs(here.mean()) < 0.01 and abs(np.corrcoef(here, there)[0, 1]) < 0.5
    field = here.reshape(256, 256)
    assert np.abs(np.diff(field, axis=0)).mean() < 0.8  # 1.13 of white noise
