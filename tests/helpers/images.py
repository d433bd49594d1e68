"""Image files of every kind, what Pillow makes of them, and files that declare to be huge."""

import io
import struct
import zipfile
import zlib

import numpy as np
from PIL import Image

# How a picture lies in a file whose EXIF orientation turns it upright again.
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def picture(height=80, width=80):
    """Smooth, coloured, and different in every corner."""
    y, x = np.mgrid[0:height, 0:width].astype("float32")
    return np.stack([255 * y / height, 255 * x / width, 127 * (x / width) * (y / height)], -1).astype("uint8")


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def zip_of(path, files):
    """Writes {name: bytes} as a zip; returns its path."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in files.items():
            z.writestr(name, data)
    return path


def expected(image, size=40):
    return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)).astype(int)


RGB = Image.fromarray(picture())
SERVED = {  # by exported models too
    "jpeg": (encoded(RGB, "JPEG", quality=95), RGB),
    "progressive": (encoded(RGB, "JPEG", quality=95, progressive=True), RGB),
    "of a telephone": (encoded(RGB, "MPO", quality=95, save_all=True, append_images=[RGB.rotate(90)]), RGB),
    "coarse": (encoded(RGB, "JPEG", quality=60, subsampling=2), RGB),
    "png": (encoded(RGB, "PNG"), RGB),
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
}
OTHERS = {
    "bmp": (encoded(RGB, "BMP"), RGB),
    "palette bmp": (encoded(RGB.quantize(64), "BMP"), RGB.quantize(64)),
    "gif": (
        encoded(RGB.quantize(128), "GIF", save_all=True, append_images=[Image.new("P", (80, 80))], duration=50),
        RGB.quantize(128),
    ),
    "webp": (encoded(RGB, "WEBP", quality=95), RGB),
    "lossless webp": (encoded(RGB, "WEBP", lossless=True), RGB),
    "webp with alpha": (encoded(RGB.convert("RGBA"), "WEBP", lossless=True, exif=Image.Exif()), RGB),
    "animated webp": (encoded(RGB, "WEBP", quality=95, save_all=True, append_images=[Image.new("RGB", (80, 80))]), RGB),
}
KINDS = SERVED | OTHERS
SIDE = 20_000


def chunk(kind, body):
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, *chunks, pixels=b"\0" * 99):
    """A PNG that declares width x height; ``chunks`` stand before its pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    rest = chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + rest


def jpeg(width, height):
    """A JPEG of 8 x 8 pixels whose frame header declares width x height."""
    data = bytearray(encoded(Image.new("RGB", (8, 8), "gray"), "JPEG"))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def many_scans(side, times):
    """A progressive JPEG, gray, whose last scan stands so many times more."""
    data = encoded(Image.new("L", (side, side), "gray"), "JPEG", progressive=True)
    at = data.rindex(b"\xff\xda")
    return data[:-2] + data[at:-2] * times + data[-2:]


def bmp(width, height):
    """A BMP of two pixels that declares width x height (a negative height: rows from the top)."""
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 6, 0, 0, 54) + head + b"\0" * 6


def gif(width, height):
    """A GIF of one pixel whose screen declares width x height."""
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0x80) + b"\0" * 6 + b"\x02\x02\x4c\x01\0"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x91, 0, 0) + b"\0" * 12 + frame + b"\x3b"


def lossy_webp(width, height):
    """A WebP of nothing behind its sides."""
    body = b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height) + b"\0" * 20
    return b"RIFF" + struct.pack("<I", 12 + len(body)) + b"WEBPVP8 " + struct.pack("<I", len(body)) + body


HUGE = {
    "png": png(SIDE, SIDE),
    "jpeg": jpeg(SIDE, SIDE),
    "bmp": bmp(SIDE, SIDE),
    "bmp from the top": bmp(SIDE, -SIDE),
    "gif": gif(SIDE, SIDE),
    "webp": lossy_webp(16_000, 16_000),
    "below the bound of Pillow": png(9000, 9000),
}
