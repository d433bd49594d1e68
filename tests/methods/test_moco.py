"""MoCo: its queue, its momentum, its two directions."""

import numpy as np
import pytest
import tensorflow as tf

from pcl_tf import recipe as recipes
from pcl_tf.errors import Refused
from pcl_tf.losses import info_nce
from pcl_tf.losses.cosine import unit
from pcl_tf.methods.build import encoder_passes
from pcl_tf.seeds import Rng
from tests.helpers.methods import built, noise_faces, parts_of, tiny

# The paper's network: keys of the smallest one are all alike.
REAL = {"network.backbone": "cnn16", "network.head_dim": 64, "image_size": 32}


def small(**overrides):
    views = {"method.face_views": "resized_crop|jitter"}  # all views are in tests/views
    return tiny("vox64:smoke,moco", {"batch_size": 8, "method.queue": 24, **views, **overrides})


def test_no_gradient_reaches_the_keys():
    model = built(small())
    with tf.GradientTape(persistent=True) as tape:
        (part,) = model.parts(tf.constant(noise_faces(model.recipe) / 255.0, tf.float32), Rng(tf.constant([1, 2])))
        loss, _ = part()
    keys = [v.value for v in model.key_encoder.trainable_variables + model.key_head.trainable_variables]
    queries = [v.value for v in model.face_head.trainable_variables]
    assert set(map(type, tape.gradient(loss, keys + [model.queue.value]))) == {type(None)}
    assert np.abs(tape.gradient(loss, queries)[0]).max() > 0


def test_a_step_moves_the_query_then_the_key_and_fills_the_queue():
    c = small(**{"method.momentum": 0.9})
    model = built(c)
    nets = ((model.key_encoder, model.encoder), (model.key_head, model.face_head))
    old_keys, old_queue = [[v.numpy() for v in key.trainable_variables] for key, _ in nets], model.queue.numpy()
    old_statistics = [v.numpy() for v in model.key_head.non_trainable_variables]
    np.testing.assert_allclose(np.linalg.norm(old_queue, axis=1), 1, atol=1e-5)
    for old, (_, query) in zip(old_keys, nets, strict=True):
        for a, b in zip(old, query.trainable_variables, strict=True):
            np.testing.assert_array_equal(a, b)
    logs = model.train_step(noise_faces(c))
    for old, (key, query) in zip(old_keys, nets, strict=True):
        moved = 0
        for before, after, q in zip(old, key.trainable_variables, query.trainable_variables, strict=True):
            np.testing.assert_allclose(after, 0.9 * before + 0.1 * q.numpy(), atol=1e-6)
            moved += np.abs(q.numpy() - before).sum()
        assert moved > 0
    # Keys are normalised by their batch, as queries are: the head's moving statistics move.
    statistics = model.key_head.non_trainable_variables
    assert old_statistics and all(
        np.abs(v.numpy() - old).max() > 0 for v, old in zip(statistics, old_statistics, strict=True)
    )
    assert {"loss", "loss_face", "face_accuracy", "gradient_norm"} <= set(logs)
    queue = model.queue.numpy()
    np.testing.assert_array_equal(queue[8:], old_queue[:16])
    np.testing.assert_allclose(np.linalg.norm(queue[:8], axis=1), 1, atol=1e-5)
    model.train_step(noise_faces(c, 1))
    np.testing.assert_array_equal(model.queue.numpy()[8:16], queue[:8])


def test_moco_with_parts_of_pcl_is_refused():
    with pytest.raises(Refused, match="--set method.name=moco: .* use the recipe's argument, NAME:moco"):
        recipes.named("vox64", overrides=["method.name=moco"])


def test_each_view_is_query_and_key():
    losses, seen = {}, {}
    for both in (False, True):
        c = small(**{"method.both_directions": both})
        model, seen[both] = built(c), []
        key = model._key
        model._key = lambda view, key=key, rows=seen[both]: rows.append(view.numpy()) or key(view)
        losses[both], _ = parts_of(model, noise_faces(c))
        assert encoder_passes(c) == (4 if both else 2) * c.batch_size
    # The same draws: the direction that both have in common has the same keys, the other has the other view's.
    assert (len(seen[False]), len(seen[True])) == (1, 2)
    np.testing.assert_array_equal(seen[True][0], seen[False][0])
    assert np.abs(seen[True][1] - seen[True][0]).max() > 0.1
    assert losses[True] != losses[False] and 0.2 < losses[True] / losses[False] < 5


def test_no_query_meets_the_key_of_its_own_view(monkeypatch):
    met = []

    def spy(query, key, queue, **kwargs):
        met.append(np.sum(unit(query) * unit(key), axis=1))
        return info_nce(query, key, queue, **kwargs)

    monkeypatch.setattr("pcl_tf.methods.moco.info_nce", spy)
    c = small(**REAL)
    parts_of(built(c), noise_faces(c))  # in the first step both networks are the same: one view would have cosine 1
    assert len(met) == 2 and np.max(met) < 0.999


def test_small_runs_follow_their_query():
    short = ["total_steps=781"]
    for name, argument, given in (("vox64", "moco,smoke", []), ("small64", "moco", []), ("vox64", "moco", short)):
        m = recipes.resolve(recipes.named(name, argument, given)).method
        assert m.momentum == 0.99 and m.both_directions
    assert recipes.resolve(recipes.named("vox64", "moco")).method.momentum == 0.999
    stated = recipes.named("vox64", "moco", [*short, "method.momentum=0.5"])
    assert recipes.resolve(stated).method.momentum == 0.5
