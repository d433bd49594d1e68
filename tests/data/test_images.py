"""Real files of every common kind decode to the same upright square RGB face."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pcl_tf.data.decoding import decoder
from pcl_tf.data.images import decode_image, decode_upright, resize
from tests.helpers.images import KINDS, RGB, encoded, expected, picture


def decode(data, size=40):
    return decode_image(tf.constant(data), size).numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(kind):
    data, image = KINDS[kind]
    out = decode(data)
    assert out.shape == (40, 40, 3) and out.dtype == np.uint8
    assert np.abs(out.astype(int) - expected(image)).mean() < 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("endian", ["<", ">"])
def test_exif_orientation(orientation, endian):
    exif = Image.Exif()
    exif.endian = endian
    exif[0x0112] = orientation
    data = encoded(RGB, "JPEG", quality=95, exif=exif.tobytes())
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert np.abs(decode(data).astype(int) - expected(upright)).mean() < 3


def test_the_middle_of_an_oblong_is_taken():
    image = Image.fromarray(picture(80, 120))
    assert np.abs(decode(encoded(image, "PNG")).astype(int) - expected(image.crop((20, 0, 100, 80)))).mean() < 3


SEE_THROUGH = Image.fromarray(np.dstack([picture(), picture()[..., 0]]))


@pytest.mark.parametrize("options", [{"lossless": True, "exact": True}, {"quality": 90}])
@pytest.mark.parametrize("kind", ["WEBP", "PNG"])
def test_what_is_see_through_has_the_colours_below_it(kind, options):
    data = encoded(SEE_THROUGH, kind, **options)
    wanted = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(decode_upright(tf.constant(data)), wanted)


def test_four_colours_of_unknown_meaning_are_refused():
    data = KINDS["cmyk"][0]
    at = data.index(b"\xff\xee")  # Adobe's mark, in a part of two bytes of length
    length = int.from_bytes(data[at + 2 : at + 4], "big")
    with pytest.raises(tf.errors.InvalidArgumentError, match="a CMYK JPEG without the mark of Adobe"):
        decode(data[:at] + data[at + 2 + length :])


@pytest.mark.parametrize("data", [b"", b"not an image", KINDS["jpeg"][0][:300], KINDS["png"][0][:100]])
def test_what_is_no_image_raises(data):
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(data)


def test_shrinking_is_antialiased():
    stripes = np.zeros((64, 64, 3), "uint8")
    stripes[:, ::2] = 255
    out = decode(encoded(Image.fromarray(stripes), "PNG"), 16)
    assert np.abs(out[:, 2:-2].astype(int) - 127).max() < 12


@pytest.mark.parametrize("quality", [60, 95])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_a_jpeg_has_the_pixels_that_pillow_gives_it(quality, subsampling):
    noise = np.random.RandomState(0).randint(0, 60, (90, 110, 3)).astype("uint8")
    data = encoded(Image.fromarray(picture(90, 110) // 2 + noise), "JPEG", quality=quality, subsampling=subsampling)
    np.testing.assert_array_equal(decode_upright(tf.constant(data)), np.asarray(Image.open(io.BytesIO(data))))


def test_decoding_and_resizing_stay_on_the_processor_whatever_the_device_of_the_caller():
    """Of two logical processors the second stands for a GPU."""
    data = KINDS["jpeg"][0]
    with tf.device("CPU:1"):
        assert tf.identity(tf.constant(1.0)).device.endswith("CPU:1")
        faces = [decode_upright(tf.constant(data)), decode_image(tf.constant(data), 8), resize(picture()[None], 8)]
        assert [face.device[-5:] for face in faces] == ["CPU:0"] * 3
        traced = tf.function(lambda data: decode_image(data, 8)).get_concrete_function(tf.TensorSpec([], tf.string))
        placed = {node.type: node.device for node in traced.graph.get_operations()}
        assert placed["StatefulPartitionedCall"].endswith("CPU:0") and placed["ScaleAndTranslate"].endswith("CPU:0")
        _, face, _ = decoder(8)(("face", data))
    np.testing.assert_array_equal(face, decode(data, 8))
