"""Every image is encoded once; what is cached is what would be computed; what stops goes on."""

import contextlib
import dataclasses
import io
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from PIL import Image

from pcl_tf.data.listed import arrays
from pcl_tf.data.sources import Source
from pcl_tf.encoders import features, handcrafted
from pcl_tf.encoders.encoder import Encoder, flatten, open_encoder
from pcl_tf.errors import Refused
from tests.helpers.commands import done

R = np.random.RandomState
IMAGES = R(0).randint(256, size=(30, 8, 8, 3), dtype=np.uint8)


class Counting:
    """An encoder that counts what passes through it, and may be interrupted."""

    def __init__(self, stop_after=None):
        self.seen, self.stop_after = 0, stop_after
        self.encoder = Encoder("counting", "digest", self.embed)

    def embed(self, faces):
        if self.stop_after is not None and self.seen >= self.stop_after:
            raise KeyboardInterrupt
        self.seen += len(faces)
        x = faces.reshape(len(faces), -1).astype(np.float32)
        return {"face_aware": x, "face": x[:, :5], "pose": -x[:, :5] / 2}


def test_each_image_of_each_model_and_size_is_encoded_once(tmp_path):
    counting, source, changed = Counting(), arrays("a", IMAGES), IMAGES.copy()
    first = features.extract(counting.encoder, source, 8, cache=tmp_path)
    again = features.extract(counting.encoder, source, 8, cache=tmp_path)
    assert counting.seen == 30 and first.encoded == 30 and again.encoded == 0
    np.testing.assert_array_equal(again["face_aware"], IMAGES.reshape(30, -1))
    np.testing.assert_array_equal(again["face+pose"], again["face"] / 2)
    with pytest.raises(Refused, match="--feature=hair: this model has face, face_aware, pose"):
        first["hair"]
    changed[7, 0, 0, 0] ^= 1
    features.extract(counting.encoder, arrays("a", changed), 8, cache=tmp_path)
    features.extract(counting.encoder, source, 4, cache=tmp_path)
    features.extract(dataclasses.replace(counting.encoder, digest="other"), source, 8, cache=tmp_path)
    assert counting.seen == 120


def test_an_interrupted_extraction_goes_on_where_it_stopped(tmp_path, monkeypatch):
    stopped, source = Counting(stop_after=16), arrays("a", IMAGES)
    monkeypatch.setattr(features, "_CHUNK", 8)
    with pytest.raises(KeyboardInterrupt):
        features.extract(stopped.encoder, source, 8, cache=tmp_path, batch=4)
    counting = Counting()
    found = features.extract(counting.encoder, source, 8, cache=tmp_path, batch=4)
    assert stopped.seen == 16 and counting.seen == found.encoded == 14
    np.testing.assert_array_equal(found["face_aware"], IMAGES.reshape(30, -1))
    assert found.names == [f"a#{i}" for i in range(30)]


def test_names_are_read_with_the_images_and_again_where_these_moved(tmp_path):
    reads = []

    def items(place):
        for i, face in enumerate(IMAGES):
            reads.append(i)
            yield f"{place}/{i}.png", face

    for place, least, most in (("a", 30, 31), ("a", 1, 1), ("b", 30, 31)):  # at the second call a look at the first
        reads.clear()
        faces = dataclasses.replace(arrays("faces", IMAGES), items=lambda place=place: items(place))
        names = features.extract(Counting().encoder, faces, 8, cache=tmp_path).names
        assert names == [f"{place}/{i}.png" for i in range(30)] and least <= len(reads) <= most


def test_unreadable_images_are_named_and_left_out(tmp_path):
    def bad(count):
        def items():
            for i, image in enumerate(IMAGES):
                yield f"image{i}", (b"not an image" if i < count else image)

        return Source("some", f"bad{count}", 30, items)

    found = features.extract(Counting().encoder, bad(1), 8, cache=tmp_path)
    assert list(found.unreadable) == [0] and found.unreadable[0][0] == "image0" and not found["face_aware"][0].any()
    np.testing.assert_array_equal(found["face_aware"][1:], IMAGES.reshape(30, -1)[1:])
    with pytest.raises(Refused, match="some: 4 of 30 images cannot be read .* That is too many"):
        features.extract(Counting().encoder, bad(4), 8, cache=tmp_path)


def test_features_that_are_not_finite_are_refused(tmp_path):
    encoder = Encoder("broken", "d", lambda faces: {"face_aware": np.full((len(faces), 2), np.nan, np.float32)})
    with pytest.raises(Refused, match="'face_aware' is not finite"):
        features.extract(encoder, arrays("a", IMAGES), 8, cache=tmp_path)


def test_of_two_that_extract_the_same_one_waits_for_the_other(tmp_path):
    started, waited, source = threading.Event(), threading.Event(), arrays("a", IMAGES)

    def slowly(faces):
        started.set()
        assert waited.wait(10)
        return Counting().embed(faces)

    class Heard(io.StringIO):
        def write(self, text):
            if "another process makes these features" in text:
                waited.set()
            return super().write(text)

    with ThreadPoolExecutor(1) as pool, contextlib.redirect_stderr(Heard()):
        slow = pool.submit(features.extract, Encoder("slow", "digest", slowly), source, 8, cache=tmp_path)
        assert started.wait(30)
        counting = Counting()
        second = features.extract(counting.encoder, source, 8, cache=tmp_path)
        assert slow.result().encoded == 30 and second.encoded == counting.seen == 0
    np.testing.assert_array_equal(second["face_aware"], IMAGES.reshape(30, -1))


def test_handcrafted_features_match_their_definitions():
    faces = R(0).randint(256, size=(3, 64, 64, 3), dtype=np.uint8)
    lbp = handcrafted.lbp(faces)
    assert lbp.shape == (3, 49 * 59)
    np.testing.assert_allclose(lbp.reshape(3, 49, 59).sum(2), 1, atol=1e-6)
    black = np.concatenate([np.zeros((1, 64, 32, 3), np.uint8), faces[:1, :, 32:]], axis=2)
    np.testing.assert_array_equal(handcrafted.lbp(black).reshape(7, 7, 59)[1:, 4:], lbp.reshape(3, 7, 7, 59)[0, 1:, 4:])
    assert handcrafted.hog(faces).shape == (3, 7 * 7 * 4 * 9)
    flat = np.full((1, 64, 64, 3), 128, np.uint8)
    assert not handcrafted.hog(flat).any()
    np.testing.assert_allclose(handcrafted.pixels(flat), 128 / 255, atol=1e-3)
    stripes = np.tile(np.array([0, 0, 255, 255], np.uint8), 16)[None, None, :, None].repeat(64, 1).repeat(3, 3)
    bins = handcrafted.hog(stripes).reshape(-1, 9).sum(0)
    assert bins.argmax() == 0 and bins[0] > 0.99 * bins.sum()  # vertical edges alone


def saved(path, layers, *shapes):
    """A .keras file of some layers on inputs of these shapes."""
    inputs = [keras.Input(shape) for shape in shapes]
    keras.Model(inputs if shapes[1:] else inputs[0], layers(*inputs)).save(path)
    return str(path)


def test_a_keras_backbone_is_an_encoder(tmp_path):
    backbone = keras.layers.Conv2D(4, 3, 2, activation="relu")
    encoder = open_encoder(saved(tmp_path / "b.keras", backbone, (None, None, 3)))
    expected = np.moveaxis(backbone(IMAGES / np.float32(255)).numpy(), -1, 1).reshape(30, -1)
    np.testing.assert_allclose(encoder.embed(IMAGES)["face_aware"], expected, atol=1e-6)
    assert flatten(expected) is expected


def test_a_keras_file_of_one_size_names_it(tmp_path):
    encoder = open_encoder(saved(tmp_path / "b.keras", keras.layers.Conv2D(3, 1), (8, 8, 3)))
    assert encoder.side == 8 and encoder.embed(IMAGES)["face_aware"].shape == (30, 192)
    with pytest.raises(Refused, match="b.keras takes images of 8 pixels alone; set --image_size=8"):
        encoder.embed(np.zeros((1, 16, 16, 3), np.uint8))
    Image.fromarray(IMAGES[0]).save(tmp_path / "a.png")
    where = [f"--model={tmp_path / 'b.keras'}", f"--data={tmp_path}", f"--out={tmp_path / 'e.npz'}"]
    assert "1 images (face_aware 192)" in done("embed", *where).stdout  # at its side, though 64 is what is usual
    assert "set --image_size=8" in done("embed", *where, "--image_size=16", code=2).stderr


def dense(*inputs):
    return keras.layers.Dense(3)(keras.layers.Concatenate()(inputs) if inputs[1:] else inputs[0])


@pytest.mark.parametrize("shapes", [[(8, 16, 3)], [(8, 8, 1)], [(9,)], [(4,), (5,)]])
def test_a_model_of_something_else_than_images_is_refused(shapes, tmp_path):
    encoder = open_encoder(saved(tmp_path / "x.keras", dense, *shapes))
    with pytest.raises(Refused, match="x.keras cannot embed images of 8 pixels"):
        encoder.embed(IMAGES)


HEADS = {  # of vectors, each no features, and what they make of 30 images
    "two in a list": (lambda x: [x[:, :2], x[:, :1]], r"output 0 \[30, 2\], output 1 \[30, 1\]"),
    "of another name": (lambda x: {"emotion": x}, r"emotion \[30, 3\]"),
    "one row for all": (lambda x: keras.ops.mean(x, axis=0, keepdims=True), r"face_aware \[1, 3\]"),
}


@pytest.mark.parametrize("head", HEADS)
def test_a_model_whose_outputs_are_no_features_is_refused(head, tmp_path):
    make, shown = HEADS[head]
    path = saved(tmp_path / "m.keras", lambda x: make(keras.layers.GlobalAveragePooling2D()(x)), (None, None, 3))
    with pytest.raises(Refused, match=f"m.keras: 30 images became {shown}; an encoder gives"):
        features.extract(open_encoder(path), arrays("a", IMAGES), 8, cache=tmp_path)


def test_what_is_no_model_is_refused_in_one_line(tmp_path):
    for text in ("/nowhere", "hogg"):
        with pytest.raises(Refused, match=f"--model={text}"):
            open_encoder(text)
    (tmp_path / "x.keras").write_bytes(b"no zip")
    (tmp_path / "saved_model.pb").write_bytes(b"no graph")
    with zipfile.ZipFile(tmp_path / "zip.keras", "w") as z:
        z.writestr("face.png", b"")
    for path in (tmp_path / "x.keras", tmp_path / "zip.keras", tmp_path):
        with pytest.raises(Refused, match="cannot be loaded"):
            open_encoder(str(path))
    (tmp_path / "w" / "export").mkdir(parents=True)
    with pytest.raises(Refused, match="holds no version"):
        open_encoder(str(tmp_path / "w"))
