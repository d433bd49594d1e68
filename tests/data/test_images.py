"""Files of every common kind decode to the same upright square RGB face, and the others are unreadable for a reason."""

import os
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pcl_tf.data.files import Unreadable
from pcl_tf.data.images import MAX_PIXELS, decode, decode_all, decoded, resize
from pcl_tf.data.in_graph import decode_face
from tests.helpers.images import HUGE, KINDS, RGB, STORED, chunk, encoded, expected, many_scans, picture, png


def face(data, size=40):
    ((_, found, reason),) = decoded([("x", data)], size)
    assert reason is None, reason
    return found


def why(data):
    ((_, found, reason),) = decoded([("x", data)], 40)
    assert found is None and "\n" not in reason
    return reason


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_shows_its_picture(kind):
    data, image = KINDS[kind]
    out = face(data)
    assert out.shape == (40, 40, 3) and out.dtype == np.uint8
    assert np.abs(out.astype(int) - expected(image)).mean() < 3


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_photographs_are_turned_upright_unless_the_pixels_are_wanted_as_stored(kind):
    upright = Image.fromarray(picture(80, 96))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored = upright.transpose(STORED[orientation]) if orientation > 1 else upright
        data = encoded(stored, kind, quality=95, exif=exif.tobytes())
        for wanted, found in ((upright, decode(data)), (stored, decode(data, upright=False))):
            assert found.shape == np.shape(wanted) and np.abs(found.astype(int) - np.asarray(wanted)).mean() < 3
    if kind == "PNG":  # with damaged EXIF it stays as it is
        data = png(8, 8, chunk(b"eXIf", b"no TIFF block"), pixels=b"\0\1\2\3" + b"\0" * 204)
        assert decode(data).shape == (8, 8, 3)


@pytest.mark.parametrize("kind", ["WEBP", "PNG"])
def test_transparent_pixels_have_the_colours_below_them(kind):
    pixels = np.dstack([picture(), picture()[..., 0]])
    data = encoded(Image.fromarray(pixels), kind, lossless=True, exact=True)
    np.testing.assert_array_equal(decode(data), pixels[..., :3])


@pytest.mark.parametrize("sides", [(333, 200), (7, 7), (40, 40)])
def test_resizing_is_that_of_tensorflow(sides):
    images = np.random.RandomState(0).randint(0, 256, (3, *sides, 3)).astype(np.uint8)
    wanted = np.rint(tf.image.resize(images, [40, 40], antialias=True)).clip(0, 255)
    np.testing.assert_array_equal(resize(images, 40), wanted)


def test_of_an_oblong_the_middle_is_taken_and_of_a_large_jpeg_no_more_is_unpacked_than_its_face_needs():
    image = Image.fromarray(picture(700, 900))
    for kind in ("PNG", "JPEG"):
        data = encoded(image, kind, quality=95)
        assert np.abs(face(data).astype(int) - expected(image.crop((100, 0, 800, 700)))).mean() < 3
    assert decode(data, least=160).shape == (175, 225, 3) and decode(data).shape == (700, 900, 3)


def test_images_of_too_many_pixels_or_scans_are_refused_before_they_are_decoded():
    for data in (*HUGE.values(), many_scans(4096, 80)):
        assert why(data) == f"the image declares more than {MAX_PIXELS} pixels, or too many scans"
    assert decode(many_scans(64, 80)).shape == (64, 64, 3)
    text = b"Raw profile type exif\0\0" + zlib.compress(b"\n" * 60_000_000, 9)
    assert "too large" in why(png(1, 1, chunk(b"zTXt", text), pixels=b"\0abc")).lower()


def test_the_reason_is_one_line_and_the_same_each_time():
    for data in (b"<html>404</html>", encoded(RGB, "TIFF")):
        assert why(data) == "no JPEG, PNG, GIF, BMP or WebP"
    assert "image file is truncated" in why(KINDS["jpeg"][0][:800])
    for kind, length in {"jpeg": 800, "png": 100, "gif": 400, "bmp": 400, "webp": 100}.items():
        data = KINDS[kind][0][:length]
        assert why(data) == why(data) and "0x" not in why(data)
        with pytest.raises(Unreadable):
            decode(data)


def test_the_processor_decodes_and_resizes_whatever_the_device_of_the_caller():
    """Of two logical processors the second stands for a GPU."""
    data = KINDS["jpeg"][0]
    with tf.device("CPU:1"):
        assert tf.identity(tf.constant(1.0)).device.endswith("CPU:1")
        traced = tf.function(lambda data: decode_face(data, 8)).get_concrete_function(tf.TensorSpec([], tf.string))
    placed = {node.type: node.device for node in traced.graph.get_operations()}
    assert placed["ScaleAndTranslate"].endswith("CPU:0")
    np.testing.assert_array_equal(traced(tf.constant(data)), face(data, 8))


@pytest.mark.parametrize("count", [0, 37])
def test_many_are_decoded_in_order_whatever_is_unreadable_among_them(count):
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(0, 256, [20, 23, 3], np.uint8)) for _ in range(count)]
    items = [(f"{i}", encoded(image, "PNG" if i % 3 else "JPEG")) for i, image in enumerate(images)]
    items[3:4] = [("empty", b""), ("pixels", np.arange(2700, dtype=np.uint8).reshape(30, 30, 3))]
    items += [("gone", FileNotFoundError("no such file"))]
    found = list(decode_all(iter(items), 16))
    assert [name for name, _, _ in found] == [name for name, _ in items]
    assert found[-1][1:] == (None, "no such file")
    for item, (_, image, reason) in zip(items, found, strict=True):
        ((_, alone, wanted),) = decoded([item], 16)
        assert reason == wanted and (image is None) == (alone is None) == (item[0] in ("empty", "gone"))
        np.testing.assert_array_equal(image, alone)


def test_of_many_encoded_images_few_are_in_memory(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    data, read = encoded(RGB, "PNG"), []
    next(decode_all((read.append(i) or ("x", data) for i in range(500)), 16))
    assert len(read) <= 4 * 16
    next(decode_all((read.append(i) or ("x", bytes(2**24)) for i in range(500, 600)), 16))
    assert read[-1] < 500 + 4  # of files as large as these one a thread
