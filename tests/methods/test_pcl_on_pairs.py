"""PCL on two frames of a clip: which frame each part sees."""

import numpy as np
import pytest

from pcl_tf import recipe as recipes
from pcl_tf.methods.build import method_of
from tests.helpers.methods import PLAIN, built, noise_faces, parts_of, tiny, watched

FRAMES = {"method.pose_negatives": "frames", "method.face_positives": "frames"}


@pytest.fixture(scope="module")
def seen():
    """(recipe, pairs, what the encoder was given in a step, call by call: pdd, face, pose)."""
    c = tiny("vox64:smoke", {**PLAIN, **FRAMES, "method.recon_noise_std": 0.0})
    model, pairs = built(c), noise_faces(c)
    with watched(model.encoder) as calls:
        total, _ = parts_of(model, pairs)
    assert np.isfinite(total)
    return c, np.float32(pairs) / 255, [given for given, *_ in calls]


def test_the_decoder_works_on_first_frames_and_their_mirror_images(seen):
    c, pairs, (pdd, _, _) = seen
    first = pairs[[i * 6 // 4 for i in range(4)], 0]
    np.testing.assert_allclose(pdd, np.concatenate([first, first[:, :, ::-1]]), atol=1e-6)


def test_positives_of_the_face_are_two_frames(seen):
    _, pairs, (_, face, _) = seen
    np.testing.assert_allclose(face, np.concatenate([pairs[:, 0], pairs[:, 1]]), atol=1e-6)


def test_negatives_of_the_pose_are_the_other_frame(seen):
    c, pairs, (_, _, pose) = seen
    first, other = pairs[[0, 3], 0], pairs[[0, 3], 1]
    negatives = np.repeat(other, c.method.negatives_per_image, axis=0)
    np.testing.assert_allclose(pose, np.concatenate([first, first, negatives]), atol=1e-6)


@pytest.mark.parametrize(
    "argument, given, pairs",
    [
        ("", [], "none"),
        ("", ["method.pose_negatives=frames"], "needed"),
        ("no_pose", ["method.pose_negatives=frames"], "none"),
        ("no_pose", ["method.face_positives=frames"], "needed"),
        ("simclr", ["method.face_positives=frames"], "needed"),
        ("moco", ["method.face_positives=frames"], "needed"),
        ("moco", [], "none"),
    ],
)
def test_who_needs_pairs(argument, given, pairs):
    c = recipes.resolve(recipes.named("vox64", argument, given))
    assert method_of(c).pairs(c) == pairs


def test_the_face_contrast_alone_takes_no_other_frame():
    c = tiny("vox64:smoke", {**PLAIN, "method.pose_negatives": "frames"})
    model, pairs = built(c), noise_faces(c)
    with watched(model.encoder) as calls:
        parts_of(model, pairs)
    np.testing.assert_allclose(calls[1][0], np.float32(np.concatenate([pairs[:, 0]] * 2)) / 255, atol=1e-6)
