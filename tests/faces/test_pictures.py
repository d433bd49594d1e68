"""Pictures in every form in which people have them, and the faces in them."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from pcl_tf.errors import Refused
from pcl_tf.faces.cut import cut, grouped
from pcl_tf.faces.model import load
from pcl_tf.faces.pictures import Picture, Pictures
from pcl_tf.prepare.detector import Face
from pcl_tf.prepare.run import Limits, prepare_clips
from pcl_tf.prepare.work import Settings
from tests.helpers.images import encoded, zip_of
from tests.prepare.videos import ramp, write_video


@pytest.fixture
def tree(tmp_path):
    """A folder of two gray pictures, in a folder and beside it, a zip and a CSV of them, and a video of twelve frames."""
    folder = tmp_path / "photos"
    (folder / "b").mkdir(parents=True)
    for name, value in (("a.png", 40), ("b/c.png", 80)):
        Image.new("RGB", (30, 20), (value,) * 3).save(folder / name)
    zip_of(tmp_path / "z.zip", {"in/c.png": (folder / "b/c.png").read_bytes()})
    (tmp_path / "l.csv").write_text("label,File\nx,photos/b/c.png\ny,photos/a.png\n")
    write_video(tmp_path / "v.mp4", ramp(12), rate=10)
    return tmp_path


def gray(data, **more):
    """[(name, gray value)] of pictures."""
    return [(one.picture.name, int(one.faces[8, 1.5].mean())) for one in cut(Pictures(data, **more), [(8, 1.5)])]


A, C = ("a.png", 40), ("b/c.png", 80)


def test_names_are_relative_to_what_was_given(tree, monkeypatch):
    monkeypatch.chdir(tree / "photos")
    for folder in (".", "../photos", f"{tree}/photos/", tree / "photos"):
        assert gray(folder) == [A, C]
    assert gray("a.png") == [A] and gray(tree / "z.zip") == [("in/c.png", 80)]
    assert gray(f"{tree}/l.csv") == [("photos/b/c.png", 80), ("photos/a.png", 40)]
    assert gray(["b/c.png", tree / "photos/a.png"]) == [C, (f"{tree}/photos/a.png", 40)]
    assert gray("b,a.png") == [("b/c.png", 80), A]  # of several, as they were given
    assert gray("../photos,../z.zip") == [("../photos/a.png", 40), ("../photos/b/c.png", 80), ("../z.zip:in/c.png", 80)]


def test_arrays_and_pictures_in_memory(tree):
    faces = np.full((2, 5, 9, 3), 7, np.uint8)
    assert gray(faces) == gray([Image.fromarray(faces[0]), faces[1]]) == [("image#0", 7), ("image#1", 7)]
    assert gray(Image.open(tree / "photos/a.png")) == [("image#0", 40)]
    for wrong, what in ((faces / 255, "float64"), ([3], "int"), ([], "empty"), (faces[..., :1], r"uint8 \[5, 9, 1\]")):
        with pytest.raises(Refused, match=what):
            Pictures(wrong)


def test_frames_have_a_number_and_a_time(tree):
    (tree / "photos/d").mkdir()
    (tree / "v.mp4").rename(tree / "photos/d/v.mp4")
    rows = [*Pictures(tree / "photos", fps=2.5)]
    assert [p.name for p in rows] == ["a.png", "b/c.png", "d/v.mp4#0", "d/v.mp4#4", "d/v.mp4#8"]
    assert [p.time for p in rows] == [None, None, 0.0, pytest.approx(0.4), pytest.approx(0.8)]
    assert abs(rows[4].data.mean() - 32) < 3 and Pictures(tree / "photos", fps=2.5).count == 5
    assert len([*Pictures(tree / "photos/d/v.mp4")]) == Pictures(tree / "photos/d/v.mp4").count == 12
    (tree / "photos/d/v.mp4").write_bytes(b"no video")
    (*_, last) = cut(Pictures(tree / "photos"), [(8, 1.5)])
    assert (last.picture.name, last.boxes, last.faces[8, 1.5].shape) == ("d/v.mp4", (), (0, 8, 8, 3)) and last.why


def test_frames_of_a_dataset_of_prepare_have_their_times(tree):
    (tree / "clips").mkdir()
    (tree / "v.mp4").rename(tree / "clips/v.mp4")
    prepare_clips("videos", tree / "clips", tree / "data", settings=Settings(16, 5.0), limits=Limits())
    pictures = Pictures(tree / "data")
    rows = [(p.name, round(p.time, 3), int(p.data.mean())) for p in pictures]
    assert pictures.count == 6 and [row[:2] for row in rows[:3]] == [(f"v.mp4#{i}", i / 5) for i in range(3)]
    assert abs(rows[4][2] - 4 * 8) < 3 and len(pictures.fingerprint) == 16


def test_other_pictures_of_the_same_names_are_not_drawn_and_a_video_is_hashed_for_a_file_alone(tree, monkeypatch):
    hashed, digest = [], hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda f, kind: hashed.append(f.name) or digest(f, kind))
    monkeypatch.chdir(tree / "photos")
    for given, path in ((".", tree / "photos"), ("../v.mp4", tree / "v.mp4")):  # their names are relative
        table = load("pixels").embed(given)
        drawn = table.faces([0, 1], 8)
        table.save("../e.csv")
        assert not hashed
        table.save("../e.npz")
        assert len(hashed) == path.is_file()
        with monkeypatch.context() as elsewhere:
            elsewhere.chdir(tree)
            read = type(table).read("e.npz")
            assert read.origin.data == str(path)
            np.testing.assert_array_equal(read.faces([0, 1], 8), drawn)
            if path.is_file():
                path.write_bytes(path.read_bytes() + b"1")
            else:
                Image.new("RGB", (30, 20), (9,) * 3).save(path / "b/c.png")
            with pytest.raises(Refused, match="holds other images than were embedded"):
                read.faces([1], 8)


def test_what_is_no_picture_is_refused(tree):
    (tree / "wrong.csv").write_text("a,b\n1,2\n")
    (tree / "empty").mkdir()
    for data, what in (
        (tree / "none", "no such folder or file"),
        (tree / "wrong.csv", "no column of pictures; one column is path or image or file or filename"),
        (tree / "empty", "holds no image"),
        (["none.jpg"], "no such image"),
    ):
        with pytest.raises(Refused, match=what):
            Pictures(data)


def test_every_face_that_is_found_is_a_row(tree, monkeypatch):
    photo = np.zeros((100, 200, 3), np.uint8)
    photo[10:40, 20:50], photo[40:90, 120:170] = 60, 200
    Image.fromarray(photo).save(tree / "photos/a.png")

    def detect(image):
        boxes = [(25, 15, 20, 20), (125, 45, 40, 40)] if image.shape == photo.shape else []
        return [Face(box, np.zeros((5, 2))) for box in boxes]

    monkeypatch.setattr("pcl_tf.prepare.detector.detect", detect)
    table = load("pixels").embed(tree / "photos", detect=True)
    assert table.names.tolist() == ["a.png", "a.png#2"] and table.rows.tolist() == [0, 0]
    assert table.boxes.tolist() == [[125, 45, 40, 40], [25, 15, 20, 20]]  # the largest first
    table.save(tree / "e.npz")
    read = type(table).read(tree / "e.npz")
    for drawn in (table.faces([1, 0], 30), read.faces([1, 0], 30)):
        assert drawn[:, 15, 15, 0].tolist() == [60, 200]
    ways = [(8, 1.0), (8, 2.0)]
    one = next(iter(cut(Pictures(tree / "photos"), ways, detect=True)))
    assert [one.faces[way][0].mean().round() for way in ways] == [200, np.round(200 * (50 / 80) ** 2)]
    (first,) = [one for one in cut(Pictures(tree / "photos"), [(8, 1.5)]) if one.looks_whole]
    assert first.picture.file == "a.png" and first.boxes == ((50.0, 0.0, 100.0, 100.0),)
    monkeypatch.setattr("pcl_tf.prepare.detector.detect", lambda image: [])
    with pytest.raises(Refused, match="no face is found"):
        load("pixels").embed(tree / "photos", detect=True)


def test_a_box_is_in_pixels_of_the_file_though_it_is_unpacked_at_a_part_of_its_size():
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    photo = encoded(Image.new("RGB", (900, 600), "gray"), "JPEG", exif=exif)
    (one,) = cut([Picture("a.jpg", photo)], [(32, 1.5)])
    assert one.boxes == ((0.0, 150.0, 600.0, 600.0),) and one.looks_whole


def test_groups_hold_so_many_faces_or_bytes():
    pictures = Pictures(np.zeros((70, 16, 16, 3), np.uint8))
    assert [len(g) for g in grouped(cut(pictures, [(16, 1.5)]), faces=32)] == [32, 32, 6]
    assert [len(g) for g in grouped(cut(pictures, [(16, 1.5)], keep=True), held=10 * 16 * 16 * 3)] == [10] * 7
