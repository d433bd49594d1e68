"""Eq. 6 against slow loops; what mixes its negatives against closed forms; its memory."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from pcl_tf.losses.face_contrast import face_logits
from pcl_tf.losses.info_nce import cross_entropy
from pcl_tf.losses.negatives import mixing_draw
from tests.helpers.definitions import nt_xent as slow


def loss(z, temperature=0.07, **kwargs):
    return cross_entropy(face_logits(z, temperature=temperature, **kwargs))


@pytest.mark.parametrize("n, dim", [(2, 3), (4, 8), (7, 5)])
@pytest.mark.parametrize("tau", [0.07, 0.5])
@pytest.mark.parametrize("mixed", [False, True])
def test_against_the_definition(n, dim, tau, mixed):
    z = np.random.RandomState(n).randn(2 * n, dim).astype("float32")
    mix = permutation = None
    if mixed:
        mix, permutation = (x.numpy() for x in mixing_draw(2 * n, 2 * n - 2, tf.constant([1, n])))
    found = loss(z, tau, mix=mix, permutation=permutation)
    np.testing.assert_allclose(found, slow(z, tau, mix, permutation), rtol=2e-5)


def test_mixing_draw_is_beta_and_a_permutation():
    mix, permutation = mixing_draw(200, 200, tf.constant([1, 2]))
    # Beta(a, a): mean 1/2, variance 1 / (4 (2a + 1)).
    np.testing.assert_allclose(np.mean(mix), 0.5, atol=0.01)
    np.testing.assert_allclose(np.var(mix), 1 / (4 * 4.2), rtol=0.03)
    assert stats.kstest(mix.numpy().ravel(), stats.beta(1.6, 1.6).cdf).pvalue > 0.01
    assert abs(np.corrcoef(mix[:, :-1].numpy().ravel(), mix[:, 1:].numpy().ravel())[0, 1]) < 0.02
    assert sorted(permutation.numpy()) == list(range(200))
    mix, permutation = (x.numpy() for x in mixing_draw(1, 3000, tf.constant([1, 2])))
    for told in (mix[0], np.abs(mix[0] - 0.5)):  # the permutation tells nothing of the mixing
        assert abs(stats.spearmanr(np.argsort(permutation), told).statistic) < 0.06


@pytest.mark.parametrize("scale", [1e-5, 1e25])
def test_embeddings_of_any_length_give_the_same_logits(scale):
    z = tf.random.stateless_normal([8, 4], (0, 0))
    mix, permutation = mixing_draw(8, 6, tf.constant([1, 2]))
    for mixed in ({}, {"mix": mix, "permutation": permutation}):
        np.testing.assert_allclose(face_logits(scale * z, **mixed), face_logits(z, **mixed), rtol=1e-4, atol=1e-4)


def test_memory_is_quadratic_not_cubic():
    # No tensor of the traced graph, forward or backward, may hold anchors x negatives x D numbers.
    n, dim = 16, 512

    @tf.function
    def step(z, mix, permutation):
        with tf.GradientTape() as tape:
            tape.watch(z)
            value = loss(z, mix=mix, permutation=permutation)
        return tape.gradient(value, z)

    mix, permutation = mixing_draw(2 * n, 2 * n - 2, tf.constant([1, 2]))
    graph = step.get_concrete_function(tf.zeros([2 * n, dim]), mix, permutation).graph
    sizes = [
        t.shape.num_elements() or 0 for op in graph.get_operations() for t in op.outputs if t.shape.is_fully_defined()
    ]
    assert 0 < max(sizes) <= 4 * n * max(dim, 4 * n)
