"""The bytes signature is a public door: what comes in is embedded correctly or refused, and the process stays small."""

import io
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.helpers.images import HUGE, OTHERS, SERVED, STORED, encoded, expected, picture
from tests.serving.conftest import SIZE

WHOLE = encoded(Image.fromarray(picture()), "JPEG", quality=95)
BAD = {
    "empty": b"",
    "text": b"this is no image",
    "html": b"<html><body>404</body></html>" * 50,
    "jpeg cut in its header": WHOLE[:20],
    "jpeg cut in its middle": WHOLE[: len(WHOLE) // 2],
    "png cut in its middle": SERVED["png"][0][: len(SERVED["png"][0]) // 2],
    "huge jpeg": HUGE["jpeg"],
    "huge png": HUGE["png"],
} | {kind: OTHERS[kind][0] for kind in ("bmp", "gif", "webp")}

TINY = {f"{w}x{h}": encoded(Image.new("RGB", (w, h), (200, 90, 40)), "PNG") for w, h in ((1, 1), (1, 50), (300, 2))}

ONE = TINY["1x1"]


@pytest.fixture(scope="module")
def model(export):
    return tf.saved_model.load(str(export))


def serve(model, images):
    return {k: v.numpy() for k, v in model.signatures["serving_default"](image_bytes=tf.constant(images)).items()}


def embedded(model, faces):
    """'embed' on uint8 faces of any one size."""
    return {k: v.numpy() for k, v in model.embed(tf.cast(np.stack(faces), tf.float32) / 255.0).items()}


@pytest.mark.parametrize("kind", BAD)
def test_bad_images_are_refused_and_the_next_request_is_served(model, kind):
    with pytest.raises(tf.errors.InvalidArgumentError):
        serve(model, [BAD[kind]])
    with pytest.raises(tf.errors.InvalidArgumentError):
        serve(model, [WHOLE, BAD[kind], WHOLE])
    assert np.isfinite(serve(model, [WHOLE])["face_aware"]).all()


@pytest.mark.parametrize("kind", SERVED)
def test_every_kind_embeds_as_its_pixels(model, kind):
    data, image = SERVED[kind]
    served = serve(model, [data])
    pixels = np.clip(expected(image, SIZE), 0, 255).astype("uint8")
    for name, values in embedded(model, [pixels]).items():
        # JPEG's decoders differ by a level or two; a wrong orientation or channel order differs by tens.
        np.testing.assert_allclose(served[name], values, atol=0.05 * np.abs(values).max(), err_msg=name)


@pytest.mark.parametrize("size", TINY)
def test_tiny_images_embed_as_what_they_show(model, size):
    flat = np.full((SIZE, SIZE, 3), (200, 90, 40), np.uint8)
    served = serve(model, [TINY[size]])
    for name, values in embedded(model, [flat]).items():
        np.testing.assert_allclose(served[name], values, atol=1e-5)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_rotated_photographs_embed_as_they_are_looked_at(model, orientation):
    upright = Image.fromarray(picture())
    image = upright.transpose(STORED[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(image, "JPEG", quality=100, subsampling=0, exif=exif)
    plain = encoded(upright, "JPEG", quality=100, subsampling=0)
    values = serve(model, [plain])
    for name, found in serve(model, [data]).items():
        np.testing.assert_allclose(found, values[name], atol=0.03 * np.abs(values[name]).max())


def test_same_pixels_through_bytes_and_through_embed(model):
    face = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    served = serve(model, [encoded(Image.fromarray(face), "PNG")])
    for name, values in embedded(model, [face]).items():
        np.testing.assert_allclose(served[name], values, atol=1e-5)


@pytest.mark.parametrize("n", [2, 8, 65, 129])
def test_a_batch_is_its_images(model, n):
    images = [encoded(Image.fromarray(np.roll(picture(), 3 * i, 1)), "PNG") for i in range(n)]
    together = serve(model, images)
    for i in (0, n - 1):
        for name, values in serve(model, [images[i]]).items():
            np.testing.assert_allclose(together[name][i], values[0], atol=1e-5)


def test_a_request_without_images_is_refused(model):
    with pytest.raises(tf.errors.InvalidArgumentError, match="the request has no image"):
        model.signatures["serving_default"](image_bytes=tf.zeros([0], tf.string))


def test_a_request_of_more_images_than_the_network_may_hold_is_refused(model):
    with pytest.raises(tf.errors.InvalidArgumentError, match="the request has more than 1024 images"):
        model.signatures["serving_default"](image_bytes=tf.fill([1025], ONE))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_memory_stays_within_the_stated_bound(export, tmp_path, kind):
    """A request of 6 images of the most pixels allowed: README's bound for a request, in a process of its own."""
    buffer = io.BytesIO()
    image = Image.new("RGB", (8192, 8192))
    image.save(buffer, kind, **({"progressive": True} if kind == "JPEG" else {}))
    (tmp_path / "image").write_bytes(buffer.getvalue())
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
