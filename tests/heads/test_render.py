"""Pictures of heads: a function of their labels, turned and lit as these say."""

import itertools
import subprocess

import numpy as np
import pytest

from pcl_tf.heads import people, processes, render, shape, skin


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


def test_positive_angles_turn_right_up_and_clockwise():
    for angles, point, axis in (((30, 0, 0), (0, 0, 1), 0), ((0, 20, 0), (0, 0, 1), 1), ((0, 0, 20), (0, 1, 0), 0)):
        turn = render.rotation(np.array(angles))
        assert (turn @ point)[axis] > 0.3
        np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-6)


def test_the_lit_side_is_the_brighter_one(labels):
    zero = np.zeros(3, np.float32)
    left = picture(labels, angles=zero, light=np.array([-1, 0, 0.3]) / np.hypot(1, 0.3)).astype(float)
    right = picture(labels, angles=zero, light=np.array([1, 0, 0.3]) / np.hypot(1, 0.3)).astype(float)
    face = slice(8, 26)
    change = (right - left)[:, face].mean((1, 3))  # [N, columns]
    assert (change[:, 18:23].mean(1) > 0).all() and (change[:, 9:14].mean(1) < 0).all()


def test_a_closed_eye_hides_the_eyeball():
    closed = np.eye(16)[people.ACTIONS.index(45)]
    shut, wide = (render.render(frontal(6, actions=actions), 64).astype(float) for actions in (closed, np.zeros(16)))
    rows = np.abs(shut - wide).mean((0, 2, 3))
    assert rows[18:34].max() > 3 * rows[44:].mean()  # at the eyes and not at the chin


def test_an_eye_is_dark_in_the_line_of_sight_then_coloured_then_white():
    look = skin.Look(people.traits(np.array([3]))[0])
    pupil, iris, white = skin.eyeball(look, np.array([0.0, 0.3, 1.0])).T
    assert pupil.max() < 0.02 and white.min() > 0.4
    np.testing.assert_allclose(iris, look.iris, atol=0.02)


def test_noise_is_of_unit_variance_smooth_and_another_in_another_place():
    u, v = np.meshgrid(np.arange(0, 256), np.arange(0, 256))
    here, there = (skin.noise(u.ravel(), v.ravel(), 1.0, place) for place in (0.1, 0.9))
    assert abs(here.std() - 1) < 0.01 and abs(here.mean()) < 0.01 and abs(np.corrcoef(here, there)[0, 1]) < 0.5
    field = here.reshape(256, 256)
    assert np.abs(np.diff(field, axis=0)).mean() < 0.8  # 1.13 of white noise


def frontal(count, **changed):
    """Labels of people who look straight ahead, without a face's expression."""
    calm = people.sample_labels(count, 31)
    none = {"actions": np.zeros((count, 16), np.float32), "angles": np.zeros((count, 3), np.float32)}
    return calm | none | {k: np.broadcast_to(np.float32(v), none[k].shape) for k, v in changed.items()}


def points(labels, size=64):
    return dict(zip(shape.LANDMARKS, render.landmarks(labels, size).transpose(1, 0, 2), strict=True))


def test_landmarks_lie_in_the_face_in_their_order():
    at = points(frontal(8))
    for name, x in at.items():
        assert ((x > 4) & (x < (60, 70 if name == "chin" else 60))).all()  # the tightest crops leave the chin out
    assert (at["left brow, outer"][:, 0] > at["left brow, inner"][:, 0]).all()  # the person's left is right here
    assert (at["left brow, inner"][:, 0] > at["right brow, inner"][:, 0]).all()
    for above, below in itertools.pairwise(["left brow, inner", "nose", "lower lip", "chin"]):
        assert (at[above][:, 1] < at[below][:, 1]).all()


def test_a_turned_nose_leaves_the_middle_between_its_neighbours():
    """Yaw to the image's right, pitch up: landmarks and pixels are of one head."""

    def off(**changed):
        at = points(frontal(6, **changed))
        return at["nose"] - (at["left brow, outer"] + at["right brow, outer"] + at["lower lip"] * 2) / 4

    for angles, axis, sign in (((25, 0, 0), 0, 1), ((-25, 0, 0), 0, -1), ((0, 20, 0), 1, -1)):
        assert ((off(angles=angles) - off())[:, axis] * sign > 0).all()


@pytest.mark.parametrize(
    ("action", "point", "axis", "sign"),
    [
        (1, "left brow, inner", 1, -1),
        (2, "right brow, outer", 1, -1),
        (4, "right brow, inner", 1, 1),
        (12, "left corner of the mouth", 0, 1),
        (12, "right corner of the mouth", 0, -1),
        (12, "left corner of the mouth", 1, -1),
        (15, "left corner of the mouth", 1, 1),
        (26, "chin", 1, 1),
        (9, "left wing of the nose", 1, -1),
    ],
)
def test_an_action_moves_its_landmark(action, point, axis, sign):
    labels, strength = frontal(5), np.zeros(16)
    strength[people.ACTIONS.index(action)] = 1
    nose = [points(x)["nose"] for x in (labels, frontal(5, actions=strength))]
    before, after = points(labels)[point] - nose[0], points(frontal(5, actions=strength))[point] - nose[1]
    assert ((after - before)[:, axis] * sign > 0.3).all()


def test_the_mask_covers_the_face_and_not_the_corners():
    labels = frontal(6)
    masks = render.masks(labels, 64)
    at = np.rint(render.landmarks(labels, 64)).astype(int).clip(0, 63)
    assert masks[np.arange(6)[:, None], at[..., 1], at[..., 0]].all()
    assert 0.3 < masks.mean() < 0.95 and not masks[:, 0, 0].all()


def test_processes_render_the_same_in_their_order(monkeypatch):
    monkeypatch.setattr(processes, "_FEW", 2)
    monkeypatch.setattr(processes.os, "cpu_count", lambda: 2)
    blocks = [people.sample_labels(n, 3, first=10 * i) for i, n in enumerate((3, 1, 4, 2))]
    found = list(processes.rendered(iter(blocks), 32))
    assert [len(x) for x in found] == [3, 1, 4, 2]
    for got, labels in zip(found, blocks, strict=True):
        np.testing.assert_array_equal(got, render.render(labels, 32))


def test_a_process_that_ends_is_named_and_all_end_with_the_reader(monkeypatch):
    monkeypatch.setattr(processes, "_FEW", 1)
    monkeypatch.setattr(processes.os, "cpu_count", lambda: 2)
    started, popen = [], subprocess.Popen

    def noted(*args, **kwargs):
        started.append(popen(*args, **kwargs))
        return started[-1]

    monkeypatch.setattr(processes.subprocess, "Popen", noted)
    reading = processes.rendered((people.sample_labels(1, seed) for seed in range(50)), 16)
    next(reading)
    reading.close()
    assert len(started) == 2 and all(process.poll() is not None for process in started)
    with pytest.raises(ChildProcessError, match="has ended"):
        list(processes.rendered([{"identity": np.zeros(1)}] * 2, 16))
