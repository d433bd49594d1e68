"""Generated faces: blocks on several cores are the blocks on one, in their order."""

import threading

import numpy as np
import pytest

from pcl_tf.data import generated
from pcl_tf.data.sources import generated as source


def blocks(count):
    return [generated.sample_labels(3, seed) for seed in range(count)]


@pytest.mark.parametrize("cores", [1, 2, 5])
def test_blocks_come_in_their_order(cores, monkeypatch):
    monkeypatch.setattr(generated.os, "cpu_count", lambda: cores)
    found = list(generated.rendered(iter(blocks(4)), 16))
    assert [x.shape for x in found] == [(3, 16, 16, 3)] * 4
    for got, labels in zip(found, blocks(4), strict=True):
        np.testing.assert_array_equal(got, generated.render(labels, 16))


def test_no_more_blocks_are_made_than_there_are_cores_to_render_them(monkeypatch):
    monkeypatch.setattr(generated.os, "cpu_count", lambda: 2)
    made, before = [], set(threading.enumerate())
    reading = generated.rendered((made.append(seed) or labels for seed, labels in enumerate(blocks(50))), 16)
    next(reading)
    assert len(made) == 3  # one given, two ahead
    reading.close()
    assert set(threading.enumerate()) == before


def test_what_a_block_raises_is_raised():
    with pytest.raises(KeyError, match="identity"):
        list(generated.rendered([{}] * 9, 16))
    assert list(generated.rendered([], 16)) == []


def test_a_source_of_an_odd_number_of_faces_names_and_counts_them():
    names, images = zip(*source(37, 16).items(), strict=True)
    assert names == tuple(f"generated#{i}" for i in range(37))
    assert np.shape(images) == (37, 16, 16, 3) and len(np.unique(np.reshape(images, (37, -1)), axis=0)) == 37
