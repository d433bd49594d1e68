"""What passes the encoder in a step: noise on inputs alone, negatives of the own image, the views the recipe names."""

import numpy as np
import pytest

from tests.helpers.methods import PLAIN, SIDE, built, halves, noise_faces, parts_of, tiny, watched


def encoded(c, images, network="encoder"):
    """(inputs of the encoder call after call, logs, what passed ``network``)."""
    model = built(c)
    with watched(getattr(model, network)) as other, watched(model.encoder) as seen:
        _, logs = parts_of(model, images)
    assert all(training for _, _, training in seen)
    return [inputs for inputs, _, _ in seen], logs, other


def of_rows(calls, rows):
    """The one call with so many rows."""
    (found,) = (x for x in calls if len(x) == rows)
    return found


def test_noise_is_on_the_inputs_and_not_on_the_targets():
    c = tiny(overrides={**PLAIN, "method.recon_noise_std": 0.3, "method.pdd_batch": 6, "batch_size": 6})
    images = noise_faces(c)
    calls, logs, decoded = encoded(c, images, "decoder")
    clean = images.astype(np.float32) / 255.0
    clean = np.concatenate([clean, clean[:, :, ::-1]])  # s and s-hat
    noisy = next(x for x in calls if len(x) == 12 and not np.allclose(x[:6], x[6:]))
    noise = noisy - clean
    assert abs(noise.mean()) < 0.02 and abs(noise.std() - 0.3) < 0.02
    assert len(np.unique(noise.reshape(12, -1)[:, 0].round(6))) == 12  # every input has its own, s and s-hat too
    ((_, out, training),) = decoded
    targets = np.concatenate([clean, clean])  # s, s-hat, s, s-hat: the pose decides which
    assert training and out.shape == targets.shape
    np.testing.assert_allclose(logs["loss_dis"], 4.0 * np.abs(out - targets).mean(), rtol=1e-5)


def pose_inputs(c, images):
    """(positives [2, P, ...], negatives [P, M, ...]) of a step, the P images they are of, and what the decoder's part sees."""
    calls, _, _ = encoded(c, images)
    x = of_rows(calls, 2 * 2 + 2 * 3)
    of = images[[0, 3]] / 255.0
    return x[:4].reshape(2, 2, *x.shape[1:]), x[4:].reshape(2, 3, *x.shape[1:]), of, of_rows(calls, 8)


@pytest.mark.parametrize("kind", ["flip", "rotate_translate", "flip_rotate_translate"])
def test_negatives_and_s_hat_are_pose_augmented_copies_of_their_own_image(kind):
    c = tiny(overrides={**PLAIN, "method.pose_augmentation": kind, "method.recon_noise_std": 0.0})
    images = halves(c)
    positives, negatives, own, decoded = pose_inputs(c, images)
    for view in positives:
        np.testing.assert_allclose(view, own, atol=1e-6)
    s, s_hat = np.split(decoded, 2)
    np.testing.assert_allclose(s, images[[0, 1, 3, 4]] / 255.0, atol=1e-6)  # 4 of 6, evenly spaced; without noise
    np.testing.assert_allclose(s_hat[..., 1], s[..., 1], atol=1e-4)
    assert (np.abs(s_hat - s).reshape(4, -1).max(axis=1) > 0.01).all()
    red = s_hat[..., 0].mean(axis=1)
    assert ((red[:, :4].mean(axis=1) > red[:, -4:].mean(axis=1)) == ("flip" in kind)).all()
    for image, copies in zip(own, negatives, strict=True):
        np.testing.assert_allclose(copies[..., 1], image[0, 0, 1], atol=1e-4)  # green: its own image
        red = copies[..., 0].mean(axis=1)  # [M, S]
        flipped = red[:, :4].mean(axis=1) > red[:, -4:].mean(axis=1)
        assert flipped.all() if "flip" in kind else not flipped.any()
        if kind == "flip":
            np.testing.assert_allclose(copies, np.repeat(image[None, :, ::-1], 3, axis=0), atol=1e-6)
            np.testing.assert_allclose(s_hat, s[:, :, ::-1], atol=1e-6)
        else:  # each moved by itself
            assert len(np.unique(copies.reshape(3, -1).round(4), axis=0)) == 3


def test_positives_and_negatives_are_photometrically_changed():
    c = tiny(overrides={"method.face_views": "jitter", "method.recon_noise_std": 0.0})
    positives, negatives, own, _ = pose_inputs(c, noise_faces(c))
    changed = [np.abs(view - own).reshape(2, -1).max(axis=1) > 1e-3 for view in positives]
    assert np.all(changed) and np.abs(positives[0] - positives[1]).max() > 1e-3
    flips = np.repeat(own[:, None, :, ::-1], 3, axis=1)
    changed = np.abs(negatives - flips).reshape(6, -1).max(axis=1) > 1e-3
    assert changed.sum() >= 4  # every change has its probability: now and then an image escapes them all
    assert len(np.unique(negatives.reshape(6, -1).round(4), axis=0)) == 6


@pytest.mark.parametrize("name", ["vox64:smoke,simclr", "vox64:smoke,moco"])
def test_flips_among_the_face_views(name):
    moco = {"method.queue": 24, "method.both_directions": False} if "moco" in name else {}
    c = tiny(name, {**PLAIN, "batch_size": 12, "method.face_views": "flip", **moco})
    images, model = halves(c), built(c)
    nets = [model.encoder, model.key_encoder] if moco else [model.encoder]
    views = []
    for net in nets:  # MoCo's second view passes the key encoder
        with watched(net) as seen:
            parts_of(model, images)
        views += [x for inputs, _, _ in seen for x in np.split(inputs, len(inputs) // 12)]
    one, two = views
    for view in (one, two):
        left, right = view[:, 0, 0, 0], view[:, 0, -1, 0]
        flipped = left > right
        assert 0 < flipped.sum() < 12
        expected = np.where(flipped[:, None, None, None], images[:, :, ::-1], images) / 255.0
        np.testing.assert_allclose(view, expected, atol=1e-6)
    assert not np.array_equal(one, two)  # each view has flips of its own


def test_quadrant_crops():
    """Of images whose red and green say where a pixel lies: x and y, from 0 to 1."""
    images, ramp = np.zeros((12, SIDE, SIDE, 3), np.uint8), np.linspace(0, 255, SIDE).round()
    images[..., 0], images[..., 1] = ramp[None, None, :], ramp[None, :, None]
    c, quadrants = tiny("vox64:smoke,simclr", {**PLAIN, "batch_size": 12, "method.face_views": "quadrant_crop"}), []
    ((views,), _, _) = encoded(c, images)
    for view in np.split(views, 2):
        low, high = (found[:, :2] for found in (view.min(axis=(1, 2)), view.max(axis=(1, 2))))
        np.testing.assert_allclose(high - low, 0.4, atol=0.03)  # of pixel centres
        quadrants.append((low + high > 1) @ [1, 2])
    assert (quadrants[0] != quadrants[1]).all() and len(set(quadrants[0])) > 1


def test_the_views_of_the_pose_contrast_are_those_that_the_recipe_names():
    c = tiny(overrides={**PLAIN, "method.pose_views": "rotate_translate(degrees=0, shift=0)|flip(p=1)"})
    positives, negatives, own, _ = pose_inputs(c, halves(c))
    for view in positives:
        np.testing.assert_allclose(view, own[:, :, ::-1], atol=1e-4)
    np.testing.assert_allclose(negatives, np.repeat(own[:, None], 3, axis=1), atol=1e-4)  # flipped twice
