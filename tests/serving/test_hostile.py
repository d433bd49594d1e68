"""The bytes signature is a public door: what comes in is embedded correctly or refused, and the process stays small."""

import subprocess
import sys
import textwrap
import time
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.helpers.images import HUGE, OTHERS, chunk, encoded, many_scans, picture, png
from tests.serving.conftest import SIZE

WHOLE = encoded(Image.fromarray(picture()), "JPEG", quality=95)
BAD = {  # each refused in another place; tests/data/test_in_graph.py has the others
    "empty": b"",
    "jpeg cut in its middle": WHOLE[: len(WHOLE) // 2],
    "huge png": HUGE["png"],
    "webp": OTHERS["webp"][0],
}


def serve(loaded, images):
    return {k: v.numpy() for k, v in loaded.signatures["serving_default"](image_bytes=tf.constant(images)).items()}


def test_bad_images_and_requests_are_refused_and_the_next_one_is_served(loaded):
    for bad in BAD.values():
        for request in ([bad], [WHOLE, bad, WHOLE]):
            with pytest.raises(tf.errors.InvalidArgumentError):
                serve(loaded, request)
    for count, why in ((0, "has no image"), (1025, "has more than 1024 images")):
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"the request {why}"):
            loaded.signatures["serving_default"](image_bytes=tf.fill([count], WHOLE))
    assert np.isfinite(serve(loaded, [WHOLE])["face_aware"]).all()


def test_same_pixels_through_bytes_and_through_embed_and_in_three_slices(loaded):
    faces = np.random.default_rng(0).integers(0, 256, (129, SIZE, SIZE, 3), np.uint8)
    together = serve(loaded, [encoded(Image.fromarray(face), "PNG") for face in faces])
    at = [0, 63, 64, 127, 128]
    for name, values in loaded.embed(tf.constant(faces[at], tf.float32) / 255.0).items():
        assert len(together[name]) == 129
        np.testing.assert_allclose(together[name][at], values, atol=1e-5)


TEXT = chunk(b"zTXt", b"k\0\0" + zlib.compress(b"\n" * 7_000_000, 9))


@pytest.mark.parametrize(("one", "times"), [(many_scans(1024, 980), 9), (png(8, 8, *[TEXT] * 15), 140)])
def test_a_request_of_small_files_that_take_long_is_refused_before_any_is_decoded(loaded, one, times):
    assert len(one) < 200_000
    began = time.process_time()
    with pytest.raises(tf.errors.InvalidArgumentError, match="the request takes too long to decode"):
        serve(loaded, [WHOLE] + [one] * times)
    assert time.process_time() - began < 5


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_memory_stays_within_the_stated_bound(export, tmp_path, kind):
    """A request of 6 images of the most pixels allowed: README's bound for a request, in a process of its own."""
    image = encoded(Image.new("RGB", (8192, 8192)), kind, **({"progressive": True} if kind == "JPEG" else {}))
    (tmp_path / "image").write_bytes(image)
    script = textwrap.dedent(
        f"""
        import re, tensorflow as tf
        serve = tf.saved_model.load({str(export)!r}).signatures["serving_default"]
        data = open({str(tmp_path / "image")!r}, "rb").read()
        def peak():  # ru_maxrss would begin at what the parent once had
            return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1e6
        serve(image_bytes=tf.constant([{encoded(Image.new("RGB", (9, 9)), "PNG")!r}]))
        request = tf.constant([data] * 6)
        before = peak()
        serve(image_bytes=request)
        print(peak() - before)
        """
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    print(kind, done.stdout.split()[-1], "GB")
    assert float(done.stdout.split()[-1]) < 4.0


COSTLY = {  # each at one of the bounds
    "jpeg": lambda: many_scans(8192, 8),
    "jpeg of many scans": lambda: many_scans(1024, 990),
    "png": lambda: encoded(Image.new("RGBA", (8192, 8192)), "PNG"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", COSTLY)
def test_no_image_takes_a_processor_for_long(loaded, kind):
    image = COSTLY[kind]()
    serve(loaded, [WHOLE])  # the first request is slower
    begun = time.process_time()
    serve(loaded, [image])
    print(kind, len(image), "bytes", time.process_time() - begun, "s")
    assert time.process_time() - begun < 5
