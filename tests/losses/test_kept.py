"""The kept share against a sort."""

import numpy as np
import pytest
import tensorflow as tf

from pcl_tf.losses import kept_mean

LOSSES = np.random.RandomState(0).rand(10).astype(np.float32)


@pytest.mark.parametrize("low, high", [(0.0, 1.0), (0.0, 0.5), (0.1, 0.6), (0.3, 0.8), (0.4, 0.9), (0.0, 0.01)])
def test_the_kept_share_equals_a_sort(low, high):
    first, last = round(10 * low), max(1, round(10 * high))
    wanted = np.sort(LOSSES)[first:last].mean()
    assert float(kept_mean(tf.constant(LOSSES), tf.constant(low), tf.constant(high))) == pytest.approx(wanted, rel=1e-6)


def test_gradients_are_of_the_kept_and_what_is_no_number_is_not_hidden():
    x = tf.constant(LOSSES)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = kept_mean(x, 0.0, 0.5)
    ranks = np.argsort(np.argsort(LOSSES))
    np.testing.assert_allclose(tape.gradient(loss, x), np.where(ranks < 5, 0.2, 0), atol=1e-7)
    assert np.isnan(kept_mean(tf.constant([*LOSSES, np.nan]), 0.0, 0.5))


def test_two_replicas_sort_together(two_replicas):
    halves = two_replicas.experimental_distribute_values_from_function(
        lambda ctx: tf.constant(np.split(LOSSES, 2)[ctx.replica_id_in_sync_group])
    )
    both = tf.function(lambda x: two_replicas.run(kept_mean, args=(x, 0.1, 0.6)), autograph=False)(halves)
    parts = [float(v) for v in two_replicas.experimental_local_results(both)]
    assert np.mean(parts) == pytest.approx(float(kept_mean(tf.constant(LOSSES), 0.1, 0.6)), rel=1e-6)
