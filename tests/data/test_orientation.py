"""Which way up a picture is: the same as ``ImageOps.exif_transpose``, wherever in a file that is written."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from pcl_tf.data import metadata
from pcl_tf.data.decoding import decoder
from pcl_tf.data.images import decode_upright

DECODE = tf.function(decode_upright, input_signature=[tf.TensorSpec([], tf.string)])
BLOCKS = Image.fromarray(
    np.kron(np.random.default_rng(0).integers(0, 256, [3, 5, 3], np.uint8), np.ones([8, 8, 1], np.uint8))
)
XAP = b"http://ns.adobe.com/xap/1.0/\x00"


def _saved(kind, **options):
    held = io.BytesIO()
    BLOCKS.save(held, kind, **options)
    return held.getvalue()


JPEG, PNG = _saved("JPEG", quality=100, subsampling=0), _saved("PNG")
WEBP = _saved("WEBP", lossless=True, exif=b"II*\0\x08\0\0\0\0\0\0\0\0\0")


def tiff(value, end="<", kind=3, count=1, before=(), after=(), thumbnail=None, start=8, magic=42):
    """A TIFF block whose first directory has the tag with this value (None: has it not), its second a thumbnail's."""
    form = {3: "H2x", 4: "I", 6: "b3x", 8: "h2x", 9: "i", 11: "f"}.get(kind, "I")
    own = [] if value is None else [(0x112, kind, count, struct.pack(end + form, value))]
    entries = [*before, *own, *after]
    body = struct.pack(end + "H", len(entries))
    for tag, of, number, held in entries:
        body += struct.pack(end + "HHI", tag, of, number) + (
            held if isinstance(held, bytes) else struct.pack(end + "I", held)
        )
    behind = start + len(body) + 4
    body += struct.pack(end + "I", behind if thumbnail else 0)
    if thumbnail:
        body += struct.pack(end + "HHHIH2xI", 1, 0x112, 3, 1, thumbnail, 0)
    return (
        {"<": b"II", ">": b"MM"}[end] + struct.pack(end + "HI", magic, start) + b"\0" * (start - 8) + body + b"\0" * 40
    )


def segment(marker, body):
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def exif(block):
    return segment(0xE1, b"Exif\0\0" + block)


def jpeg(*segments):
    return JPEG[:2] + b"".join(segments) + JPEG[2:]


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*chunks, at=33):
    return PNG[:at] + b"".join(chunks) + PNG[at:]


def webp(block=b"", xmp=b"", features=None):
    """Chunks of 'extended' WebP; ``features`` are the flags that say which there are."""
    parts, at = [], 12
    while at < len(WEBP):
        kind, size = WEBP[at : at + 4], struct.unpack("<I", WEBP[at + 4 : at + 8])[0]
        parts.append((kind, WEBP[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    features = 8 * bool(block) + 4 * bool(xmp) if features is None else features
    parts = [(k, bytes([features]) + b[1:] if k == b"VP8X" else b) for k, b in parts if k != b"EXIF"]
    parts += [(b"EXIF", block)] * bool(block) + [(b"XMP ", xmp)] * bool(xmp)
    body = b"".join(k + struct.pack("<I", len(b)) + b + b"\0" * (len(b) % 2) for k, b in parts)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def packet(value, attribute=True):
    text = f'tiff:Orientation="{value}"' if attribute else f"<tiff:Orientation>{value}</tiff:Orientation>"
    return f"<x:xmpmeta>ü {text} <tiff:Orientation>2</tiff:Orientation></x:xmpmeta>".encode()


def profile(block):
    digits = block.hex().encode()
    return b"\nexif\n%8d\n" % len(block) + b"\n".join(digits[i : i + 72] for i in range(0, len(digits), 72)) + b"\n"


def agrees(data):
    wanted = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")).astype(int)
    got = DECODE(data).numpy()
    # Pillow and TensorFlow have each their JPEG decoder; a picture turned otherwise is off by a hundred.
    assert got.shape == wanted.shape and np.abs(got - wanted).max() <= (12 if data[:1] == b"\xff" else 0)


BLOCK = {
    "plain": {},
    "as long": {"kind": 4},
    "as signed": {"kind": 8},
    "no tag": {"value": None},
    "a thumbnail of its own": {"thumbnail": 6},
    "a thumbnail's alone": {"value": None, "thumbnail": 6},
    "behind a gap": {"start": 30},
    "twice": {"after": [(0x112, 3, 1, b"\x06\0\0\0")]},
    "behind a value": {"before": [(0x10F, 2, 6, 30)]},
    "behind a value that is not there": {"before": [(0x10F, 2, 6, 5000)]},
    "of two numbers": {"count": 2},
    "as text": {"kind": 2},
    "as an unknown type": {"kind": 99},
    "out of range": {"value": 9},
}


@pytest.mark.parametrize("end", "<>")
@pytest.mark.parametrize("name", BLOCK)
def test_blocks(name, end):
    block = tiff(**{"value": 6, "end": end, **BLOCK[name]})
    for data in (jpeg(exif(block)), png(chunk(b"eXIf", block)), webp(block)):
        agrees(data)


@pytest.mark.parametrize("value", range(1, 9))
def test_values(value):
    for data in (jpeg(exif(tiff(value))), png(chunk(b"eXIf", tiff(value))), webp(tiff(value))):
        agrees(data)


ICC = [segment(0xE2, b"ICC_PROFILE\0" + bytes([i, 3]) + np.random.default_rng(i).bytes(65_000)) for i in (1, 2, 3)]
PLACES = {
    "behind a large ICC profile": jpeg(*ICC, exif(tiff(6))),
    "behind XMP that says otherwise": jpeg(segment(0xE1, XAP + packet(3)), exif(tiff(6))),
    "before a second": jpeg(exif(tiff(6)), exif(tiff(3))),
    "in two segments": jpeg(exif(tiff(6)[:15]), segment(0xE1, b"Exif\0\0" + tiff(6)[15:])),
    "behind fill bytes": jpeg(b"\xff\xff", exif(tiff(6))),
    "behind the end": JPEG + exif(tiff(6)),
    "in a comment": jpeg(segment(0xFE, b"Exif\0\0" + tiff(6))),
    "in another segment": jpeg(segment(0xE2, b"Exif\0\0" + tiff(6))),
    "XMP of a JPEG": jpeg(segment(0xE1, XAP + packet(6))),
    "XMP as an element": jpeg(exif(tiff(None)), segment(0xE1, XAP + packet(8, attribute=False))),
    "before the pixels": png(chunk(b"eXIf", tiff(6))),
    "behind the pixels": png(chunk(b"eXIf", tiff(6)), at=-12),
    "written twice": png(chunk(b"eXIf", tiff(3)), chunk(b"eXIf", tiff(6))),
    "with the prefix of a JPEG": png(chunk(b"eXIf", b"Exif\0\0" + tiff(6))),
    "ImageMagick's": png(chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(profile(b"Exif\0\0" + tiff(6))))),
    "ImageMagick's, plain, at the end": png(chunk(b"tEXt", b"Raw profile type exif\0" + profile(tiff(6))), at=-12),
    "ImageMagick's beside a chunk": png(
        chunk(b"tEXt", b"Raw profile type exif\0" + profile(tiff(3))), chunk(b"eXIf", tiff(6))
    ),
    "XMP of a PNG": png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet(6))),
    "XMP compressed": png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0de\0hallo\0" + zlib.compress(packet(6)))),
    "other text": png(chunk(b"tEXt", b"Comment\0eXIf EXIF"), chunk(b"zTXt", b"Raw profile type exif\0")),
    "XMP of a WebP": webp(xmp=packet(6)),
    "a WebP whose flags deny it": webp(tiff(6), packet(6), features=0),
    "a WebP with the prefix": webp(b"Exif\0\0" + tiff(6)),
}


@pytest.mark.parametrize("name", PLACES)
def test_places(name):
    agrees(PLACES[name])


@pytest.mark.parametrize("block", [tiff(6, kind=11), tiff(6, kind=5), tiff(6, magic=43), tiff(6, count=9)])
def test_what_is_no_plain_number_is_refused(block):
    for data in (jpeg(exif(block)), png(chunk(b"eXIf", block)), webp(block)):
        assert decoder(16)(("x", data))[2] == "the orientation is written in a way that cannot be read"


def test_a_block_that_is_none_says_nothing():
    for block in (b"", b"\0\0", b"no TIFF block", tiff(6)[:20]):
        np.testing.assert_array_equal(DECODE(png(chunk(b"eXIf", block))), np.asarray(BLOCKS))


def test_hostile_files_are_given_up():
    many = png(chunk(b"eXIf", b""), chunk(b"quIt", b"") * metadata.PARTS)
    assert "parts" in decoder(16)(("x", many))[2]
    large = png(chunk(b"zTXt", b"Raw profile type exif\0\0" + np.random.default_rng(0).bytes(70_000)))
    assert decoder(16)(("x", large))[2] == "its compressed EXIF or XMP data are too large"
    broken = png(chunk(b"zTXt", b"Raw profile type exif\0\0no zlib"))
    assert decoder(16)(("x", broken))[1] is None
