"""The losses as a library: examples that are true, one cross-entropy, extremes, two replicas."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest
import tensorflow as tf

import pcl_tf.losses as losses
from pcl_tf.losses.orthogonality import ORTHOGONALITY
from tests.helpers import definitions

MODULES = [module.name for module in pkgutil.iter_modules(losses.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_true(name):
    module = importlib.import_module(f"pcl_tf.losses.{name}")
    failed, _ = doctest.testmod(module, extraglobs={"tf": tf})
    assert failed == 0


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda z: losses.nt_xent(z, z[:3]), "z2 has N = 3, and z1 has N = 4"),
        (lambda z: losses.nt_xent(z[0], z[0]), r"z1 has shape \[4\], not \[N, D\]"),
        (lambda z: losses.info_nce(z, z[:3], z), "positive has A = 3"),
        (lambda z: losses.info_nce(z, z, z[:, :2]), "negatives has D = 2"),
        (lambda z: losses.pose_info_nce(z, z, z[:3, None]), "negatives has P = 3"),
        (lambda z: losses.combine(z, z, augmented_face=z[:3], augmented_pose=z), "augmented_face has N = 3"),
        (lambda z: losses.reconstruction(*(z[:n, :, None, None] for n in (4, 2, 2))), "decoded has N = 1"),
        (lambda z: losses.cross_correlation(z, z[:1]), "pose has N = 1"),
        (lambda z: losses.orthogonality(z, z[:, :2]), "pose has D = 2"),
        (lambda z: losses.mean_abs_cosine(z, z[:1]), "b has N = 1"),
    ],
)
def test_shapes_that_do_not_agree_are_named(call, said):
    with pytest.raises(ValueError, match=said):
        call(tf.eye(4))


def contrasts(a, b, negatives):
    """(loss, logits) of every contrast, without and with interpolated negatives."""
    for seed in (None, tf.constant([1, 2])):
        yield losses.nt_xent(a, b, mixing_seed=seed)
        yield losses.pose_info_nce(a, b, negatives, mixing_seed=seed)
    yield losses.info_nce(a, b, negatives)


def test_batches_of_unknown_size():
    """In a graph that knows no sizes the losses are what they are eagerly."""
    given = [tf.constant(x) for x in vectors((3, 4), (3, 4), (3, 6, 4))]
    sizes = [tf.TensorSpec([None] * len(x.shape)) for x in given]
    unknown = tf.function(lambda *x: list(contrasts(*x)), input_signature=sizes, autograph=False)
    for found, wanted in zip(*(tf.nest.flatten(x) for x in (unknown(*given), [*contrasts(*given)])), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def vectors(*shapes):
    r = np.random.RandomState(0)
    return [r.normal(size=shape).astype("float32") for shape in shapes]


@pytest.mark.parametrize("scale", [0.0, 1e-6, 1e-4, 6e4, np.inf])
def test_extremes_of_half_precision_have_finite_losses_and_gradients(scale):
    z = [tf.constant(np.sign(x) * scale if scale else 0 * x, tf.float16) for x in vectors((4, 8), (4, 8), (4, 5, 8))]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(z)
        found = [form(*z[:2]) for form in ORTHOGONALITY.values()]
        found += [loss for loss, _ in contrasts(*z) if scale != 1e-6]  # whose true gradients are beyond float16
    for loss in found:
        gradients = [g for g in tape.gradient(loss, z) if g is not None]
        assert np.isfinite(loss) and len(gradients) > 1 and all(np.isfinite(g).all() for g in gradients)


def test_nt_xent_is_eq6():
    z1, z2 = vectors((5, 4), (5, 4))
    wanted = definitions.nt_xent(np.concatenate([z1, z2]), 0.2)
    np.testing.assert_allclose(losses.nt_xent(z1, z2, temperature=0.2)[0], wanted, rtol=1e-5)


def test_one_cross_entropy_behind_all():
    """NT-Xent and L_pose are InfoNCE with negatives of their own."""
    z1, z2, negatives = vectors((3, 4), (3, 4), (3, 6, 4))
    z = np.concatenate([z1, z2])
    others = np.stack([z[[j for j in range(6) if j % 3 != i % 3]] for i in range(6)])
    pairs = np.concatenate([z2, z1])
    np.testing.assert_allclose(losses.nt_xent(z1, z2)[0], losses.info_nce(z, pairs, others)[0], rtol=1e-5)
    both = losses.info_nce(z, pairs, np.concatenate([negatives, negatives]))[0]
    np.testing.assert_allclose(losses.pose_info_nce(z1, z2, negatives)[0], both, rtol=1e-5)
    shared = np.broadcast_to(negatives[:1], (3, 6, 4))
    np.testing.assert_allclose(losses.info_nce(z1, z2, negatives[0])[0], losses.info_nce(z1, z2, shared)[0], rtol=1e-5)


def test_interpolation_is_that_of_its_seed():
    z1, z2, negatives = vectors((4, 8), (4, 8), (4, 5, 8))
    for loss in (losses.nt_xent, lambda *z, **k: losses.pose_info_nce(*z, negatives, **k)):
        plain, *mixed = (
            float(loss(z1, z2, mixing_seed=seed)[0])
            for seed in (None, tf.constant([1, 2]), tf.constant([1, 2]), [3, 4])
        )
        assert mixed[0] == mixed[1] != mixed[2] and plain not in mixed


def test_two_replicas_are_one(two_replicas):
    z = vectors((4, 8), (4, 8), (4, 5, 8))

    def each(*z):
        return [*(loss for loss, _ in contrasts(*z)), losses.cross_correlation(*z[:2])]

    halves = two_replicas.experimental_distribute_values_from_function(
        lambda context: [tf.constant(np.split(x, 2)[context.replica_id_in_sync_group]) for x in z]
    )
    run = tf.function(lambda x: two_replicas.run(each, args=x), autograph=False)
    found = [np.mean(two_replicas.experimental_local_results(x)) for x in run(halves)]
    np.testing.assert_allclose(found, each(*z), rtol=1e-5)


def test_what_is_logged_of_features_and_logits():
    (z,) = vectors((64, 4))
    assert float(losses.spread(np.ones_like(z))) < 1e-3 < 0.9 < float(losses.spread(z)) < 1.1
    np.testing.assert_allclose(losses.mean_abs_cosine(z, -2 * z), 1.0, rtol=1e-5)
    assert float(losses.accuracy(tf.constant([[2.0, 1, 0], [1, 0, 2], [1, 1, 0], [3, 1, 2]]))) == 0.5
