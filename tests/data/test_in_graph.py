"""What exported models decode has the pixels of Pillow, upright, or is refused in a line; and no bytes stall them."""

import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pcl_tf.data.images import MAX_PIXELS, decoded
from pcl_tf.data.in_graph import decode_face
from tests.helpers.images import HUGE, OTHERS, SERVED, chunk, encoded, many_scans, png

SIZE = 16
DECODE = tf.function(lambda data: decode_face(data, SIZE), input_signature=[tf.TensorSpec([], tf.string)])
BLOCKS = Image.fromarray(
    np.kron(np.random.default_rng(0).integers(0, 256, [4, 3, 3], np.uint8), np.ones([8, 8, 1], np.uint8))
)
JPEG, PNG = encoded(BLOCKS, "JPEG", quality=100, subsampling=0), encoded(BLOCKS, "PNG")
XAP = b"http://ns.adobe.com/xap/1.0/\x00"


def equals_pillow(data):
    ((_, face, why),) = decoded([("x", data)], SIZE)
    assert why is None
    np.testing.assert_array_equal(DECODE(data), face)


def refused(data, why=None):
    with pytest.raises(tf.errors.InvalidArgumentError, match=why):
        DECODE(data)


@pytest.mark.parametrize("kind", SERVED)
def test_pixels_are_those_of_training(kind):
    equals_pillow(SERVED[kind][0])


@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_noise_in_a_jpeg_is_unpacked_alike_whole_and_at_a_fraction(subsampling):
    for sides in ((63, 64), (64, 70), (129, 400)):
        noise = np.random.RandomState(0).randint(0, 256, (*sides, 3)).astype(np.uint8)
        equals_pillow(encoded(Image.fromarray(noise), "JPEG", quality=90, subsampling=subsampling))


def test_other_kinds_are_refused_by_name():
    for data, _ in OTHERS.values():
        refused(data, "no JPEG or PNG; save GIF, BMP and WebP as PNG")


def test_what_is_cut_short_or_of_random_bytes_is_refused():
    random = np.random.default_rng(0)
    for data in (b"", b"no image", JPEG[:300], PNG[:60]):
        refused(data)
    for signature in (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"\xff\xd8\xff\xe1\0\x10Exif\0\0II*\0"):
        for length in (0, 1, 10, 100, 1000, 100_000):
            refused(signature + random.bytes(length))


def test_the_most_pixels_allowed_pass_and_more_are_refused_before_they_are_decoded():
    side = int(MAX_PIXELS**0.5)
    with pytest.raises(tf.errors.InvalidArgumentError) as cut_short:
        DECODE(png(side, side))
    assert "declares more" not in str(cut_short.value)
    for data in (png(side, side + 1), *(HUGE[kind] for kind in ("jpeg", "png", "below the bound of Pillow"))):
        refused(data, f"declares more than {MAX_PIXELS} pixels")


def test_four_colours_without_a_meaning_are_refused():
    data = SERVED["cmyk"][0]
    at = data.index(b"\xff\xee")  # Adobe's mark, in a segment with two bytes of length
    refused(data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :], "without the mark of Adobe")


def tiff(value, end="<", kind=3, count=1, before=(), after=(), start=8):
    """A TIFF block whose first directory has the tag with this value, or has it not (None)."""
    form = {3: "H2x", 4: "I"}.get(kind, "I")
    own = [] if value is None else [(0x112, kind, count, struct.pack(end + form, value))]
    entries = [*before, *own, *after]
    body = struct.pack(end + "H", len(entries))
    for tag, of, number, held in entries:
        body += struct.pack(end + "HHI", tag, of, number) + held
    head = {"<": b"II", ">": b"MM"}[end] + struct.pack(end + "HI", 42, start)
    return head + b"\0" * (start - 8) + body + struct.pack(end + "I", 0)


def segment(marker, body):
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def exif(block):
    return segment(0xE1, b"Exif\0\0" + block)


def with_segments(*segments):
    return JPEG[:2] + b"".join(segments) + JPEG[2:]


def with_chunks(*chunks, at=33):
    return PNG[:at] + b"".join(chunks) + PNG[at:]


def packet(value, attribute=True):
    text = f'tiff:Orientation="{value}"' if attribute else f"<tiff:Orientation>{value}</tiff:Orientation>"
    return f"<x:xmpmeta>ü {text}</x:xmpmeta>".encode()


TAGS = {
    "no tag": {"value": None},
    "behind a gap": {"start": 30},
    "behind another tag": {"before": [(0x100, 3, 1, b"\x06\0\0\0")]},
    "twice": {"after": [(0x112, 3, 1, b"\x06\0\0\0")], "value": 3},
    "out of range": {"value": 9},
} | {f"{value}": {"value": value} for value in range(9)}


@pytest.mark.parametrize("name", TAGS)
def test_the_orientation_is_read_as_pillow_reads_it(name):
    for end in "<" if name == "twice" else "<>":  # its second tag is written for one end
        block = tiff(**{"value": 6, "end": end, **TAGS[name]})
        equals_pillow(with_segments(exif(block)))
        equals_pillow(with_chunks(chunk(b"eXIf", block)))


NOISE = np.random.default_rng(0).bytes(65_000)
ICC = [segment(0xE2, b"ICC_PROFILE\0" + bytes([i, 3]) + NOISE) for i in (1, 2, 3)]
PLACES = {
    "behind a large ICC profile": with_segments(*ICC, exif(tiff(6))),
    "behind XMP that tells otherwise": with_segments(segment(0xE1, XAP + packet(3)), exif(tiff(6))),
    "behind the end": JPEG + exif(tiff(6)),
    "in a comment": with_segments(segment(0xFE, b"Exif\0\0" + tiff(6))),
    "in another segment": with_segments(segment(0xE2, b"Exif\0\0" + tiff(6))),
    "XMP that turns nothing": with_segments(segment(0xE1, XAP + packet(1))),
    "before the pixels": with_chunks(chunk(b"eXIf", tiff(6))),
    "behind the pixels": with_chunks(chunk(b"eXIf", tiff(6)), at=-12),
    "with the prefix of a JPEG": with_chunks(chunk(b"eXIf", b"Exif\0\0" + tiff(6))),
    "other text": with_chunks(chunk(b"tEXt", b"Comment\0EXIF")),
    "a block that is none": with_chunks(chunk(b"eXIf", b"no TIFF block")),
    "a block cut short": with_chunks(chunk(b"eXIf", tiff(6)[:12])),
}


@pytest.mark.parametrize("place", PLACES)
def test_the_orientation_is_found_where_pillow_finds_it(place):
    equals_pillow(PLACES[place])


PROFILE = b"Raw profile type exif\0"
ELSEWHERE = {
    "XMP of a JPEG": with_segments(segment(0xE1, XAP + packet(6))),
    "XMP as an element": with_segments(exif(tiff(None)), segment(0xE1, XAP + packet(8, attribute=False))),
    "XMP of a PNG": with_chunks(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet(6))),
    "XMP compressed": with_chunks(chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0de\0\0" + zlib.compress(packet(6)))),
    "a text of ImageMagick": with_chunks(chunk(b"zTXt", PROFILE + b"\0" + zlib.compress(b"\nexif\n 8\n"))),
    "another type": with_segments(exif(tiff(6, kind=4))),
    "two numbers": with_segments(exif(tiff(6, count=2))),
}


@pytest.mark.parametrize("place", ELSEWHERE)
def test_an_orientation_in_another_place_is_refused(place):
    refused(ELSEWHERE[place], "its orientation is not in plain EXIF|the orientation is written in a way")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (many_scans(4096, 80), "too many scans"),
        (many_scans(8, 2000), "too many scans"),
        (with_segments(segment(0xE1, b"x") * 1100, exif(tiff(6))), "more than 250 segments"),
        (with_segments(b"\xff\xff", exif(tiff(6))), "header cannot be read"),
        (with_chunks(chunk(b"zTXt", b"k\0\0" + zlib.compress(b"\n" * 7_000_000, 9)) * 20), "more than 16 texts"),
        (with_chunks(chunk(b"zTXt", PROFILE + b"\0" + zlib.compress(b"\n" * 60_000_000, 9))), "is not in plain EXIF"),
    ],
)
def test_files_that_would_cost_much_for_their_size_are_refused(data, why):
    refused(data, why)
