"""pcl_tf.neighbours: questions and their answers."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from pcl_tf.encoders.encoder import Encoder
from pcl_tf.errors import Refused
from pcl_tf.faces.model import FaceModel
from pcl_tf.faces.pictures import Pictures
from pcl_tf.faces.table import Origin, Table
from pcl_tf.neighbours import report
from tests.faces.test_search import _at


@pytest.fixture
def embeddings(tmp_path):
    names = []
    for i, value in enumerate((0, 80, 160, 240)):
        folder = tmp_path / f"p{i // 2}"
        folder.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), (value,) * 3).save(folder / f"{i}.png")
        names.append(str(folder / f"{i}.png"))
    features = {"face": _at(0, 20, 30, 90), "pose": _at(0, 90, 80, 5)}
    pictures = Pictures(str(tmp_path))
    return Table(np.array(names), np.arange(4), features, _of_a_file(64, pictures))


def _of_a_file(size, pictures):
    return Origin("pixels", size, fingerprint=pictures.fingerprint, **pictures.opened)


def found(table, query, model="", count=1):
    """Places of the faces of a query."""
    return report.find(table, query, model=model, features=["face"], count=count)[1].tolist()


def test_a_query_is_a_name_or_its_end(embeddings):
    assert found(embeddings, "p1/2.png") == [2] and found(embeddings, str(embeddings.names[1])) == [1]
    assert found(embeddings, "", count=2) == [0, 3]
    twice = dataclasses.replace(embeddings, names=np.array(["a/1.png", "b/1.png", "c/2.png", "c/3.png"]))
    with pytest.raises(Refused, match="2 names end so, a/1.png and b/1.png first"):
        found(twice, "1.png")
    accents = dataclasses.replace(embeddings, names=np.array([f"faces/e\u0301{i}.png" for i in range(4)]))
    assert found(accents, "é2.png") == [2]  # of one sign, or of two


def test_a_name_ends_where_a_folder_a_zip_or_a_number_begins(embeddings):
    names = np.array(["a/myface.png", "b/face.png", "z.zip:d/c.png", "generated#85"])
    asked = dataclasses.replace(embeddings, names=names)
    for place, texts in {1: "face.png b/face.png", 2: "c.png d/c.png", 3: "85 #85 generated#85"}.items():
        assert all(found(asked, text) == [place] for text in texts.split())
    for none in ("ace.png", "5", "nerated#85", "/b/face.png"):
        with pytest.raises(Refused, match="neither one of the 4"):
            found(asked, none)


def test_another_picture_needs_the_model_of_the_table(embeddings, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "query.png")
    with pytest.raises(Refused, match="is not embedded; give --model, the one that made the table: pixels"):
        found(embeddings, str(tmp_path / "query.png"))
    with pytest.raises(Refused, match="--feature=face: pixels has face_aware"):
        found(embeddings, str(tmp_path / "query.png"), "pixels")


def test_a_query_is_embedded_at_the_size_of_the_table(embeddings, tmp_path, monkeypatch):
    other, sides = tmp_path / "query.png", []
    Image.new("RGB", (8, 8)).save(other)

    def embed(faces):
        sides.append(faces.shape[1])
        return {"face": np.ones((1, 2), np.float32)}

    monkeypatch.setattr(report, "load", lambda name, image_size: FaceModel(Encoder(name, "digest", embed), image_size))
    small = dataclasses.replace(embeddings, origin=dataclasses.replace(embeddings.origin, size=48))
    asked = report.find(small, str(other), model="it", features=["face"], count=1)
    assert sides == [48] and asked[0].faces(asked[1]).shape == (1, 96, 96, 3)


def test_each_feature_has_its_row_and_no_face_is_its_own_neighbour(embeddings, tmp_path):
    asked = report.find(embeddings, "0.png", model="", features=["face", "pose"], count=1)
    report.write_sheet(embeddings, asked, features=["face", "pose"], count=2, out=tmp_path / "out.png")
    picture = np.asarray(Image.open(tmp_path / "out.png"))
    side, top, height = 96, 18, 18 + 96 + 18
    centres = [side // 2, side + side // 2, 2 * side + side // 2]
    assert picture[top + side // 2, centres, 0].tolist() == [0, 80, 160]  # face: 20, then 30 degrees away
    assert picture[height + top + side // 2, centres, 0].tolist() == [0, 240, 160]  # pose: 5, then 80


@pytest.mark.parametrize("order", ["{},generated", "generated,{}"])
def test_drawn_faces_beside_others_are_drawn_as_they_were_embedded(order, embeddings, tmp_path):
    pictures = Pictures(order.format(tmp_path), size=96, generated_images=5)
    items = [(picture.name, picture.data) for picture in pictures]
    names = np.array([name for name, _ in items])
    mixed = Table(names, np.arange(9), {"face": np.ones((9, 2))}, _of_a_file(96, pictures))
    for (name, drawn), face in zip(items, mixed.faces(range(9)), strict=True):
        if name.startswith("generated#"):
            np.testing.assert_array_equal(face, drawn, err_msg=name)


def test_a_cluster_is_a_row_of_faces_and_lines_of_a_list(embeddings, tmp_path):
    out = tmp_path / "out.png"
    report.write_clusters(embeddings, "face", count=2, nearest=2, out=out, listed=out.with_suffix(".csv"))
    lines = [line.rsplit("/", 1)[1] for line in out.with_suffix(".csv").read_text().splitlines()[1:]]
    assert lines[0].startswith("1.png,1,0.99") and [line[:7] for line in lines[2:]] == ["0.png,1", "3.png,2"]
    picture = np.asarray(Image.open(out))
    side, top, height = 96, 18, 18 + 96 + 18
    assert picture.shape == (2 * height, 2 * side, 3)
    assert picture[top + side // 2, [side // 2, side + side // 2], 0].tolist() == [80, 160]
    assert picture[height + top + side // 2, side // 2, 0] == 240
    report.check_list(out.with_suffix(".csv"))
    out.with_suffix(".csv").write_text("image,label\n")
    with pytest.raises(Refused, match="out.csv would be written too, and is no list of clusters"):
        report.check_list(out.with_suffix(".csv"))
