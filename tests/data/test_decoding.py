"""Many images at once are decoded as each alone, in order, whatever is broken among them."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from pcl_tf.data import decoding, images


def _file(seed, kind="JPEG", side=20):
    pixels = np.random.default_rng(seed).integers(0, 256, [side, side + 3, 3], np.uint8)
    with io.BytesIO() as buffer:
        Image.fromarray(pixels).save(buffer, kind)
        return buffer.getvalue()


def _items(count):
    return [(f"{i}.jpg", _file(i, "PNG" if i % 3 else "JPEG")) for i in range(count)]


def _same(found, items, size=16):
    one = decoding.decoder(size)
    assert [name for name, _, _ in found] == [name for name, _ in items]
    for (name, face, why), item in zip(found, items, strict=True):
        _, wanted, said = one(item)
        assert why == said, name
        assert (face is None) == (wanted is None)
        if wanted is not None:
            assert face.dtype == np.uint8 and np.array_equal(face, wanted)


@pytest.mark.parametrize("count", [0, 1, 16, 37])
def test_many_are_decoded_as_each_alone(count):
    items = _items(count)
    with ThreadPoolExecutor(3) as pool:
        _same(list(decoding.decode_all(items, 16, pool)), items)


def test_what_is_broken_is_named_and_the_others_of_its_group_are_decoded():
    items = _items(40)
    items[3] = ("empty", b"")
    items[20] = ("pixels", np.arange(30 * 20 * 3, dtype=np.uint8).reshape(30, 20, 3))
    items[21] = ("gone", FileNotFoundError("no such file"))
    items[39] = ("cut", _file(39)[:100])
    with ThreadPoolExecutor(3) as pool:
        found = list(decoding.decode_all(items, 16, pool))
    _same(found, items)
    assert [name for name, face, _ in found if face is None] == ["empty", "gone", "cut"]
    assert found[21][2] == "no such file"


def test_a_group_is_one_call(monkeypatch):
    calls = []
    many = decoding._many(16)
    monkeypatch.setattr(decoding, "_many", lambda size: lambda data: calls.append(len(data)) or many(data))
    with ThreadPoolExecutor(3) as pool:
        list(decoding.decode_all(_items(37), 16, pool))
    assert sorted(calls) == [5, 16, 16]


def test_threads_that_begin_together_trace_nothing(monkeypatch):
    traced = []
    decode = images.decode_image
    monkeypatch.setattr(decoding, "decode_image", lambda data, size: traced.append(size) or decode(data, size))
    size = 13  # no other test's
    with ThreadPoolExecutor(8) as pool:
        list(decoding.decode_all(_items(200), size, pool))
    assert len(traced) == 2  # of one image, and of a group
