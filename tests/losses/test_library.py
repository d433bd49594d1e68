"""The losses as a library: light to import, examples that are true, one cross-entropy, two replicas."""

import ast
import doctest
import importlib
import pathlib
import pkgutil
import sys

import numpy as np
import pytest
import tensorflow as tf

import pcl_tf.losses as losses
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
        (lambda z: losses.nt_xent(z, z[:, :2]), "z2 has D = 2, and z1 has D = 4"),
        (lambda z: losses.nt_xent(z[0], z[0]), r"z1 has shape \[4\], not \[N, D\]"),
        (lambda z: losses.info_nce(z, z[:3], z), "positive has A = 3"),
        (lambda z: losses.info_nce(z, z, z[:, :2]), "negatives has D = 2"),
        (lambda z: losses.info_nce(z, z, z[0]), "negatives has shape"),
        (lambda z: losses.pose_info_nce(z, z, z), "negatives has shape"),
        (lambda z: losses.pose_info_nce(z, z, z[:3, None]), "negatives has P = 3"),
        (lambda z: losses.combine(z, z, augmented_face=z[:3], augmented_pose=z), "augmented_face has N = 3"),
        (
            lambda z: losses.reconstruction(z[:3, :, None, None], z[:1, :, None, None], z[:2, :, None, None]),
            "augmented has N",
        ),
        (
            lambda z: losses.reconstruction(z[:, :, None, None], z[:2, :, None, None], z[:2, :, None, None]),
            "decoded has N = 1",
        ),
        (lambda z: losses.orthogonality(z, z[:, :2]), "pose has D = 2"),
        (lambda z: losses.cross_correlation(z, z[:1]), "pose has N = 1"),
        (lambda z: losses.mean_abs_cosine(z, z[:1]), "b has N = 1"),
        (lambda z: losses.spread(z[0]), "z has shape"),
    ],
)
def test_shapes_that_do_not_agree_are_named(call, said):
    with pytest.raises(ValueError, match=said):
        call(tf.eye(4))


@pytest.mark.parametrize("seed", [None, (1, 2)])
def test_batches_of_unknown_size(seed):
    """In a graph that knows no sizes the losses are what they are eagerly."""
    z1, z2, negatives = vectors((3, 4), (3, 4), (3, 6, 4))
    seed = None if seed is None else tf.constant(seed)
    calls = {
        "nt_xent": (lambda a, b: losses.nt_xent(a, b, mixing_seed=seed), (z1, z2)),
        "pose_info_nce": (lambda a, b, n: losses.pose_info_nce(a, b, n, mixing_seed=seed), (z1, z2, negatives)),
        "info_nce": (losses.info_nce, (z1, z2, negatives)),
    }
    for name, (call, given) in calls.items():
        unknown = tf.function(call, input_signature=[tf.TensorSpec([None] * x.ndim) for x in given], autograph=False)
        for found, wanted in zip(unknown(*given), call(*map(tf.constant, given)), strict=True):  # the loss, its logits
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5, err_msg=name)


def test_nothing_but_tensorflow_is_needed():
    for name in MODULES:
        tree = ast.parse((pathlib.Path(losses.__path__[0]) / f"{name}.py").read_text())
        for node in tree.body:  # what is imported where it is used is not paid for here
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            ours = [n for n in names if n.split(".")[0] not in sys.stdlib_module_names]
            assert all(n == "tensorflow" or n.startswith("pcl_tf.losses") for n in ours), (name, names)


def vectors(*shapes):
    r = np.random.RandomState(0)
    return [r.normal(size=shape).astype("float32") for shape in shapes]


def test_nt_xent_is_eq6():
    z1, z2 = vectors((5, 4), (5, 4))
    np.testing.assert_allclose(
        losses.nt_xent(z1, z2, temperature=0.2)[0], definitions.nt_xent(np.concatenate([z1, z2]), 0.2), rtol=1e-5
    )


def test_pose_info_nce_is_eq5():
    z1, z2, negatives = vectors((3, 4), (3, 4), (3, 6, 4))
    wanted = definitions.pose_info_nce(np.concatenate([z1, z2]), negatives.reshape(18, 4), 0.2)
    np.testing.assert_allclose(losses.pose_info_nce(z1, z2, negatives, temperature=0.2)[0], wanted, rtol=1e-5)


def test_one_cross_entropy_behind_all():
    """NT-Xent and L_pose are InfoNCE with negatives of their own."""
    z1, z2, negatives = vectors((3, 4), (3, 4), (3, 6, 4))
    z = np.concatenate([z1, z2])
    others = np.stack([z[[j for j in range(6) if j % 3 != i % 3]] for i in range(6)])
    pairs = np.concatenate([z2, z1])
    np.testing.assert_allclose(losses.nt_xent(z1, z2)[0], losses.info_nce(z, pairs, others)[0], rtol=1e-5)
    both = np.concatenate([negatives, negatives])
    np.testing.assert_allclose(
        losses.pose_info_nce(z1, z2, negatives)[0], losses.info_nce(z, pairs, both)[0], rtol=1e-5
    )
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


@pytest.mark.parametrize("mixing", [None, (1, 2)])
def test_two_replicas_are_one(two_replicas, mixing):
    z1, z2, negatives = vectors((4, 8), (4, 8), (4, 5, 8))
    seed = None if mixing is None else tf.constant(mixing)

    def both(z1, z2, negatives):
        return (
            losses.nt_xent(z1, z2, mixing_seed=seed)[0],
            losses.pose_info_nce(z1, z2, negatives, mixing_seed=seed)[0],
            losses.cross_correlation(z1, z2),
        )

    def half(context):
        rows = slice(2 * context.replica_id_in_sync_group, 2 * context.replica_id_in_sync_group + 2)
        return tuple(tf.constant(x[rows]) for x in (z1, z2, negatives))

    spread_out = two_replicas.experimental_distribute_values_from_function(half)
    run = tf.function(lambda x: two_replicas.run(both, args=x), autograph=False)
    found = [np.mean(two_replicas.experimental_local_results(x)) for x in run(spread_out)]
    np.testing.assert_allclose(found, both(z1, z2, negatives), rtol=1e-5)


def test_spread_and_cosine_of_features():
    (z,) = vectors((64, 4))
    assert float(losses.spread(np.ones_like(z))) < 1e-3 < 0.9 < float(losses.spread(z)) < 1.1
    np.testing.assert_allclose(losses.mean_abs_cosine(z, z), 1.0, rtol=1e-5)
