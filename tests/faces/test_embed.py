"""pcl_tf.embed: names stay with features, what cannot be read is left out, every format reads back."""

import csv
import os
from unittest import mock

import numpy as np
import pyarrow.parquet
import pytest
from PIL import Image

from pcl_tf.encoders.encoder import Encoder
from pcl_tf.errors import Refused
from pcl_tf.faces.model import FaceModel
from pcl_tf.faces.projector import check_place, write_projector
from pcl_tf.faces.table import SUFFIXES, Table
from tests.helpers.commands import done
from tests.helpers.killed import Killed


@pytest.fixture
def faces(tmp_path):
    """Three faces of one colour each, and between them a file that is no image."""
    folder = tmp_path / "faces"
    folder.mkdir()
    for name, value in (("a", 10), ("c", 200), ("d", 90)):
        Image.new("RGB", (20, 20), (value, value, value)).save(folder / f"{name}.png")
    (folder / "b.png").write_bytes(b"no picture")
    return folder


class Means:
    """An encoder whose features are the mean gray, and minus it; it counts the images it sees."""

    def __init__(self):
        self.seen = 0
        self.encoder = Encoder("means", "means-1", self.embed)

    def embed(self, images):
        self.seen += len(images)
        gray = images.reshape(len(images), -1).mean(1, keepdims=True).astype(np.float32)
        return {"face": gray, "pose": np.repeat(-gray, 2, axis=1)}


def _embedded(faces, tmp_path, means=None, **more):
    return FaceModel((means or Means()).encoder, 16).embed(str(faces), **{"cache": tmp_path / "cache", **more})


def test_features_stand_beside_the_names_of_readable_images_and_a_second_call_encodes_nothing(faces, tmp_path):
    means = Means()
    for more in ({"cache": None}, {}, {}):
        found, seen = _embedded(faces, tmp_path, means, **more), means.seen
        assert found.names.tolist() == ["a.png", "c.png", "d.png"] and found.rows.tolist() == [0, 2, 3]
        np.testing.assert_array_equal(found.features["face"][:, 0], [10, 200, 90])
        np.testing.assert_array_equal(found.features["pose"][:, 1], [-10, -200, -90])
        assert [*found.unreadable] == ["b.png"] and (tmp_path / "cache").exists() == (not more)
    again = _embedded(faces, tmp_path, means, features=["face"])
    assert means.seen == seen and list(again.features) == ["face"]
    for own in (faces / "a.png", os.path.relpath(faces / "a.png"), "a.png"):  # a face is not its own neighbour
        assert [near.name for near in again.nearest(own)] == ["c.png", "d.png"]
    for path in faces.glob("[acd].png"):
        path.unlink()
    with pytest.raises(Refused, match=r"nothing in it is readable.*b\.png"):
        _embedded(faces, tmp_path)


def test_every_format_holds_names_and_numbers(faces, tmp_path):
    (faces / "a.png").rename(faces / "=a.png")
    found = _embedded(faces, tmp_path)
    for suffix in SUFFIXES:
        found.save(tmp_path / f"e{suffix}")

    back = Table.read(tmp_path / "e.npz")
    assert back.names.tolist() == found.names.tolist() and back.rows.tolist() == [0, 2, 3]
    assert (back.origin.data, back.boxes, back.model) == (str(faces), None, None)
    np.testing.assert_array_equal(back.features["pose"], found.features["pose"])
    assert back.faces([1], 8).mean() == 200

    with open(tmp_path / "e.csv", newline="", encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    assert list(rows[0]) == ["name", "face_0", "pose_0", "pose_1"] and rows[0]["name"] == "'=a.png"
    assert [float(r["pose_1"]) for r in rows] == [-10, -200, -90]

    columns = pyarrow.parquet.read_table(tmp_path / "e.parquet").to_pydict()
    assert columns["name"] == found.names.tolist() and columns["pose"][1] == [-200, -200]


def test_other_formats_and_files_are_refused(faces, tmp_path):
    with pytest.raises(Refused, match=r"\.npz, \.csv, \.parquet"):
        _embedded(faces, tmp_path).save(tmp_path / "faces.json")
    with pytest.raises(Refused, match="no such file"):
        Table.read(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    np.save(tmp_path / "array.npy", np.zeros(3))
    for name, content in {"text": b"hello", "empty": b"", "short": b"PK\x03\x04 cut short"}.items():
        (tmp_path / f"{name}.npz").write_bytes(content)
    for name in ("other.npz", "text.npz", "empty.npz", "short.npz", "array.npy"):
        with pytest.raises(Refused, match="no .npz of pcl_tf.embed"):
            Table.read(tmp_path / name)


def test_the_projector_gets_as_many_names_as_vectors(faces, tmp_path):
    (faces / "a.png").rename(faces / "a\tname\nof three lines.png")
    assert write_projector(_embedded(faces, tmp_path), tmp_path / "logs") == 3
    names = ("names.tsv", "face.tsv", "pose.tsv")
    lines = {name: (tmp_path / "logs" / name).read_text().splitlines() for name in names}
    assert {len(v) for v in lines.values()} == {3}
    assert lines["pose.tsv"][1].split("\t") == ["-200", "-200"]
    config = (tmp_path / "logs" / "projector_config.pbtxt").read_text()
    assert 'tensor_path: "face.tsv"' in config and 'image_path: "sprite.png"' in config
    shades = np.asarray(Image.open(tmp_path / "logs" / "sprite.png"))[5, [5, 69], 0]
    assert shades.tolist() == [10, 200]


def test_files_for_the_projector_are_written_over_after_a_kill_and_those_of_others_are_not(
    faces, tmp_path, monkeypatch
):
    table = _embedded(faces, tmp_path)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("pcl_tf.faces.projector.write_atomically", mock.Mock(side_effect=Killed))
        write_projector(table, tmp_path / "logs")
    (tmp_path / "logs/sprite.png").touch()
    check_place(tmp_path / "logs")
    assert write_projector(table, tmp_path / "logs") == 3
    (tmp_path / "names.tsv").touch()
    with pytest.raises(Refused, match="names.tsv exists and would be written over"):
        check_place(tmp_path)


def test_the_command_embeds_a_folder_and_finds_neighbours_from_another(faces, tmp_path, monkeypatch):
    table_, sheet = tmp_path / "e.npz", tmp_path / "n.png"
    monkeypatch.chdir(faces)
    said = done("embed", "--model=pixels", "--data=.", f"--out={table_}", f"--cache={tmp_path}").stdout
    assert "3 images (face_aware 1024)" in said and "1 of 4 images are unreadable" in said
    assert "b.png\t" in (tmp_path / "e.npz.unreadable.txt").read_text()
    monkeypatch.chdir(tmp_path)
    done("neighbours", f"--embeddings={table_}", "--query=c.png", f"--out={sheet}")
    assert np.asarray(Image.open(sheet))[60, 60].tolist() == [200, 200, 200]  # the query itself
