"""Image files of every kind, what Pillow makes of them, and files that say they are huge."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def picture(height=80, width=80):
    """Smooth, coloured, and different in every corner."""
    y, x = np.mgrid[0:height, 0:width].astype("float32")
    return np.stack([255 * y / height, 255 * x / width, 127 * (x / width) * (y / height)], -1).astype("uint8")


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def expected(image, size=40):
    return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)).astype(int)


RGB = Image.fromarray(picture())
KINDS = {
    "jpeg": (encoded(RGB, "JPEG", quality=95), RGB),
    "progressive": (encoded(RGB, "JPEG", quality=95, progressive=True), RGB),
    "png": (encoded(RGB, "PNG"), RGB),
    "bmp": (encoded(RGB, "BMP"), RGB),
    "gray jpeg": (encoded(RGB.convert("L"), "JPEG", quality=95), RGB.convert("L")),
    "gray png": (encoded(RGB.convert("L"), "PNG"), RGB.convert("L")),
    "palette": (encoded(RGB.quantize(64), "PNG"), RGB.quantize(64)),
    "alpha": (encoded(RGB.convert("RGBA"), "PNG"), RGB),
    "gray alpha": (encoded(RGB.convert("LA"), "PNG"), RGB.convert("L")),
    "cmyk": (encoded(RGB.convert("CMYK"), "JPEG", quality=95), RGB),
    "16 bit": (
        encoded(Image.fromarray(picture()[..., 0].astype("uint16") * 257), "PNG"),
        Image.fromarray(picture()[..., 0]),
    ),
    "gif": (
        encoded(RGB.quantize(128), "GIF", save_all=True, append_images=[Image.new("P", (80, 80))], duration=50),
        RGB.quantize(128),
    ),
    "webp": (encoded(RGB, "WEBP", quality=95), RGB),
    "lossless webp": (encoded(RGB, "WEBP", lossless=True), RGB),
    "webp with alpha": (encoded(RGB.convert("RGBA"), "WEBP", lossless=True, exif=Image.Exif()), RGB),
}

SIDE = 20_000


def png(width, height):
    """A PNG of a few bytes that says it is width x height."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")


def jpeg(width, height):
    """A JPEG of 8 x 8 pixels whose frame header says width x height."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "gray").save(buffer, "JPEG")
    data = bytearray(buffer.getvalue())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def bmp(width, height):
    """A BMP of two pixels that says it is width x height (a negative height: rows from the top)."""
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 6, 0, 0, 54) + head + b"\0" * 6


def gif(*frames, screen=(4, 4)):
    """A GIF with frames of (width, height), each of a few bytes, behind an extension block and a local palette."""
    data = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x91, 0, 0) + b"\0" * 12
    for width, height in frames:
        data += b"\x21\xf9\x04\0\0\0\0\0"  # graphic control extension
        data += b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0x80) + b"\0" * 6 + b"\x02\x02\x4c\x01\0"
    return data + b"\x3b"


def webp(kind, body):
    """A WebP of one chunk and nothing behind its sizes."""
    return b"RIFF" + struct.pack("<I", 4 + 8 + len(body)) + b"WEBP" + kind + struct.pack("<I", len(body)) + body


def lossy_webp(width, height):
    return webp(b"VP8 ", b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height) + b"\0" * 20)


def lossless_webp(width, height):
    return webp(b"VP8L", b"\x2f" + struct.pack("<I", width - 1 | height - 1 << 14) + b"\0" * 20)


def extended_webp(width, height):
    sides = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    return webp(b"VP8X", b"\0" * 4 + sides) + b"\0" * 20


HUGE = {
    "webp": lossy_webp(16_000, 16_000),
    "lossless webp": lossless_webp(16_000, 16_000),
    "extended webp": extended_webp(2**24, 2**24),
    "png": png(SIDE, SIDE),
    "jpeg": jpeg(SIDE, SIDE),
    "bmp": bmp(SIDE, SIDE),
    "bmp from the top": bmp(SIDE, -SIDE),
    "gif screen": gif((1, 1), screen=(SIDE, SIDE)),
    "gif frame beyond its screen": gif((SIDE, SIDE)),
    "gif of many frames": gif(*[(8000, 8000)] * 2),
}
