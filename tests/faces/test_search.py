"""Similarity in closed form."""

import numpy as np
import pytest

from pcl_tf.errors import Refused
from pcl_tf.faces import search


def _at(*degrees):
    angle = np.radians(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) * np.linspace(1, 9, len(degrees))[:, None]


def test_nearest_is_by_angle_whatever_the_length():
    order, cosine = search.nearest(_at(0), _at(90, 10, 50, 180), 3)
    assert order.tolist() == [[1, 2, 0]]
    np.testing.assert_allclose(cosine[0], np.cos(np.radians([10, 50, 90])), atol=1e-6)


def test_a_vector_of_zeros_is_like_nothing():
    order, cosine = search.nearest(_at(0), np.array([[0.0, 0.0], [1.0, 1.0]]), 2)
    assert order.tolist() == [[1, 0]] and cosine[0, 1] == 0


def test_duplicates_are_linked_in_chains():
    # 0 and 8 are 8 degrees apart, but both lie within 5 of 4.
    x = _at(0, 90, 4, 8, 200, 92)
    assert search.duplicates(x, np.cos(np.radians(5))) == [[0, 2, 3], [1, 5]]
    assert search.duplicates(x, np.cos(np.radians(1))) == []


def test_a_long_list_is_searched_in_blocks():
    x = np.random.RandomState(0).standard_normal((50, 8))
    x[40] = 3 * x[7]
    assert search.duplicates(x, 0.9999, block=6) == [[7, 40]]
    chain = np.random.RandomState(0).permutation(50)  # of which each is 3 degrees from the next, beside one that is not
    assert search.duplicates(_at(*(3 * chain), 200), np.cos(np.radians(4)), block=6) == [[*range(50)]]
    assert search.duplicates(np.ones((2000, 2)), 1.0, block=300) == [[*range(2000)]]


def test_a_copy_is_a_duplicate_at_1_however_its_cosine_is_rounded():
    x = np.random.RandomState(0).standard_normal((40, 64)).astype(np.float32)
    assert search.duplicates(np.concatenate([x, x]), 1.0) == [[i, i + 40] for i in range(40)]


def test_clusters_are_by_direction_and_the_largest_comes_first():
    x = _at(0, 91, 92, 2, 90, 181)
    found, cosine = search.clusters(x, 3)
    assert found.tolist() == [1, 0, 0, 1, 0, 2]
    np.testing.assert_allclose(cosine, np.cos(np.radians([1, 0, 1, 1, 1, 0])), atol=1e-6)
    with pytest.raises(Refused, match="--clusters=3: there are 2 different embeddings"):
        search.clusters(np.array([[1.0, 1.0], [2.0, 2.0], [0.0, 1.0]]), 3)
    pairs = np.repeat(_at(0, 50, 120), 2, axis=0) + np.array([[0.0], [1e-7]] * 3)  # one picture, encoded in two batches
    with pytest.raises(Refused, match="--clusters=5: there are 3 different embeddings"):
        search.clusters(pairs, 5)
