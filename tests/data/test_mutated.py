"""Mutated images: Pillow's pixels or a line, in exported models too, within seconds and megabytes; by a seed that is printed."""

import base64
import io
import os
import pathlib
import re
import struct
import time
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from pcl_tf.data.files import Unreadable
from pcl_tf.data.images import centre, decode, resize
from tests.data.test_in_graph import DECODE, SIZE
from tests.helpers.images import KINDS, RGB, encoded, picture

COUNT = 1500
SECONDS, BYTES = 10, 1.5e9  # of a processor; of memory for one image, of which the pixels may be 200 MB
SMALL = Image.fromarray(picture(40, 48))
TURNED = Image.Exif()
TURNED[0x0112] = 6
SEEDS = {  # from SERVED and OTHERS, and small ones, of which a mutation hits the header more often
    **{name: data for name, (data, _) in KINDS.items()},
    "tiff": encoded(RGB, "TIFF"),
    "packed tiff": encoded(SMALL, "TIFF", compression="tiff_lzw"),
    "small jpeg": encoded(SMALL, "JPEG", exif=TURNED.tobytes()),
    "small progressive": encoded(SMALL, "JPEG", progressive=True, restart_marker_blocks=2),
    "small png": encoded(SMALL, "PNG", compress_level=0),
    "one bit": encoded(SMALL.convert("1"), "PNG"),
    "small gif": encoded(SMALL.quantize(16), "GIF"),
}
NUMBERS = [0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF]


def mutated(rng):
    """(name of the seed, its bytes with one or two mutations)."""
    name, other = rng.choice(list(SEEDS), 2)
    data = bytearray(SEEDS[name])
    for _ in range(rng.integers(1, 3)):
        end = min(len(data), 200) if rng.random() < 0.5 else len(data)  # the header as often as the rest
        at, length = int(rng.integers(end)), int(rng.integers(1, 40))
        match rng.integers(7):
            case 0:
                data[at] ^= 1 << rng.integers(8)
            case 1:
                data[at : at + length] = rng.bytes(length)
            case 2:
                del data[at : at + length]
            case 3:
                data[at:at] = data[at : at + length] * int(rng.integers(1, 20))
            case 4:
                form = str(rng.choice(["<H", ">H", "<I", ">I"]))
                number = struct.pack(form, int(rng.choice(NUMBERS)) % 256 ** struct.calcsize(form))
                data[at : at + len(number)] = number
            case 5:
                begin = int(rng.integers(len(SEEDS[other])))
                data[at : at + length] = SEEDS[other][begin : begin + length]
            case _:
                del data[max(at, 8) :]
        data = data or bytearray(SEEDS[name])
    return name, _checked(bytes(data)) if rng.random() < 0.7 else bytes(data)


def _checked(data):
    """A PNG with the checksums that its chunks ask for, so that damage comes further than to the first of them."""
    at, out = 8, data[:8]
    while data.startswith(b"\x89PNG") and at + 12 <= len(data):
        end = at + 8 + min(int.from_bytes(data[at : at + 4], "big"), len(data) - at - 12)
        out += data[at:end] + struct.pack(">I", zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return out + data[at:] if data.startswith(b"\x89PNG") else data


def pillow(data):
    """uint8 [H, W, 3] of Pillow alone, or None where it refuses, or there is too much to do; TIFF is not wanted."""
    try:
        image = Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "GIF", "BMP", "WEBP"))
        scans = data.count(b"\xff\xda") if image.format in ("JPEG", "MPO") else 0
        if image.width * image.height > 2**26 or image.width * image.height * scans > 2**30:
            return None
        image.load()
    except Exception:
        return None
    try:
        image = ImageOps.exif_transpose(image)
    except Exception:
        pass
    if image.mode.startswith("I"):
        return np.repeat((np.asarray(image) // 256).astype(np.uint8)[..., None], 3, axis=-1)
    return np.asarray(image.convert("RGBA" if image.mode == "PA" or "transparency" in image.info else "RGB"))[..., :3]


def bounded(do, *arguments):
    """What a function returns or refuses, in seconds of a processor and in bytes."""
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, begun = _memory("VmRSS"), time.process_time()
    try:
        found = do(*arguments)
    except (Unreadable, tf.errors.InvalidArgumentError) as error:
        found = str(error)
    assert time.process_time() - begun < SECONDS
    assert _memory("VmHWM") - before < BYTES
    return found


def _memory(what):
    return 1024 * int(re.search(rf"{what}:\s+(\d+)", pathlib.Path("/proc/self/status").read_text())[1])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Pillow warns of what is damaged and shown
def test_mutated_images_have_the_pixels_of_pillow_or_are_refused():
    seed = int(os.environ.get("MUTATIONS_SEED", 0))
    rng, shown = np.random.default_rng(seed), {"decode": 0, "served": 0, "forgiven": 0}
    print(f"MUTATIONS_SEED={seed}")  # which pytest shows if it fails, on whichever process
    for number in range(COUNT):
        name, data = mutated(rng)
        told = f"MUTATIONS_SEED={seed}, image {number}, from {name}: {base64.b64encode(data[:3000]).decode()}"
        wanted, found = pillow(data), bounded(decode, data)
        assert isinstance(found, str) == (wanted is None), f"{told}\n{found}"
        if wanted is not None:
            np.testing.assert_array_equal(found, wanted, told)
            shown["decode"] += 1
        served = bounded(DECODE, data)
        if not isinstance(served, str) and wanted is None:
            # TensorFlow forgives some damage to a JPEG that Pillow does not.
            assert data.startswith(b"\xff\xd8"), told
            shown["forgiven"] += 1
        elif not isinstance(served, str):
            # Rounded four colours differ by a level.
            trained = resize(centre(decode(data, least=2 * SIZE))[None], SIZE)[0]
            np.testing.assert_allclose(tf.cast(served, tf.int32), tf.cast(trained, tf.int32), atol=1, err_msg=told)
            shown["served"] += 1
    assert COUNT / 10 < shown["served"] < shown["decode"] < COUNT and shown["forgiven"] <= 3, shown
