"""Maps of embeddings: coordinates in closed form, colours found by names, a picture at the end."""

import numpy as np
import pytest
from PIL import Image

from pcl_tf.errors import Refused
from pcl_tf.faces.table import Origin, Table
from pcl_tf.neighbours import maps
from tests.helpers.commands import ended, refused

R = np.random.RandomState
NAMES = np.array(["/d/a/1.png", "/d/a/2.png", "/d/b/1.png", "/d/faces.zip:c/4.png"])


def listed(folder, *lines):
    (folder / "l.csv").write_text("\n".join(lines))
    return f"{folder / 'l.csv'}:label"


def test_images_are_found_by_the_ends_of_their_names(tmp_path):
    found = maps.read_colours(listed(tmp_path, "Path,label", "./a/1.png,x", "b\\1.png,y", "4.png,x", "z.png,y"), NAMES)
    led = maps.read_colours(listed(tmp_path, "Path,label", "../a/1.png,x", "./../b/1.png,y", "../../c/4.png,x"), NAMES)
    assert led.tolist() == ["x", "", "y", "x"]  # from where a manifest lies
    assert found.tolist() == ["x", "", "y", "x"]
    whole = maps.read_colours(listed(tmp_path, "image,label", "1.png,x", "d/1.png,y"), np.array(["1.png", "d/1.png"]))
    assert whole.tolist() == ["x", "y"]  # a whole name goes before the end of another


def test_numbers_of_which_there_are_many_are_a_scale_and_rare_texts_are_one(tmp_path):
    names = np.array([f"{i}.png" for i in range(24)])
    found = maps.read_colours(listed(tmp_path, "name,label", *(f"{i}.png,{i / 2}" for i in range(20))), names)
    assert found[:20].tolist() == [i / 2 for i in range(20)] and np.isnan(found[20:]).all()
    rows = [f"{i}.png,{min(i, 3) % 3}" for i in range(24)]
    assert set(maps.read_colours(listed(tmp_path, "name,label", *rows), names)) == {"0", "1", "2"}
    rows = [f"{i}.png,{'abcdefghijkl'[i // 2]}{'x' * (i > 21)}" for i in range(23)]
    found = maps.read_colours(listed(tmp_path, "name,label", *rows), names).tolist()
    assert len(set(found)) == 11 and found[22] == "others" and found[:2] == ["a", "a"] and found[23] == ""


@pytest.mark.parametrize(
    ("lines", "match"),
    [
        (["path,age", "1.png,x"], "no column label in .*; its columns are path, age"),
        (["file,label", "1.png,x"], "none of the columns path, image, name"),
        (["path,label", "1.png,x"], "line 2: 2 embedded images are called so, /d/a/1.png and /d/b/1.png first"),
        (["path,label", "a/9.png,x"], "none of its images is among the 4"),
    ],
)
def test_a_wrong_list_is_refused_by_its_line(lines, match, tmp_path):
    with pytest.raises(Refused, match=match):
        maps.read_colours(listed(tmp_path, *lines), NAMES)


@pytest.mark.parametrize("text", ["l.csv", ":label", "l.csv:"])
def test_a_file_and_a_column_are_needed(text):
    with pytest.raises(Refused, match="FILE.csv:COLUMN"):
        maps.read_colours(text, NAMES)


def test_pca_is_that_of_directions():
    x = R(0).normal(size=(40, 6))
    z = x / np.linalg.norm(x, axis=1, keepdims=True)
    left, values, _ = np.linalg.svd(z - z.mean(0), full_matrices=False)
    found, said = maps.places(x * R(1).uniform(1, 9, size=(40, 1)), "pca")
    np.testing.assert_allclose(np.abs(found), np.abs(left[:, :2] * values[:2]), atol=1e-5)
    assert said == f"PCA, {100 * (values[:2] ** 2).sum() / (values**2).sum():.0f} % of the variance"


def test_tsne_keeps_two_heaps_apart(monkeypatch):
    x = np.repeat([[1.0, 0, 0], [0, 1, 0]], 12, axis=0) + 0.05 * R(0).normal(size=(24, 3))
    found, _ = maps.places(x, "tsne")
    a, b = found[:12], found[12:]
    within = max(np.linalg.norm(h - h.mean(0), axis=1).max() for h in (a, b))
    assert np.linalg.norm(a.mean(0) - b.mean(0)) > 2 * within


@pytest.mark.parametrize("method", maps.METHODS)
def test_a_map_of_a_collapsed_encoder_is_a_point(method):
    for x in (np.ones((9, 4)), np.zeros((9, 4)), 1 + 1e-9 * R(0).normal(size=(9, 4))):
        found, words = maps.places(x, method)
        assert found.shape == (9, 2) and not found.any() and words == "all are alike"


@pytest.mark.parametrize("values", [None, [1.5, np.nan] * 6, ["$x$", "", "others"] * 4])
def test_a_map_is_a_picture(values, tmp_path):
    of = None if values is None else np.array(values)
    features = {"face": R(0).normal(size=(12, 4)), "pose": R(1).normal(size=(12, 2))}
    maps.draw(features, tmp_path / "m.png", "pca", values=of, title="$c")
    image = Image.open(tmp_path / "m.png")
    assert image.size[0] > 1.5 * image.size[1] and np.asarray(image.convert("L")).std() > 5


def test_fewer_than_three_images_make_no_map(tmp_path):
    with pytest.raises(Refused, match="2 embedded images make no map"):
        maps.draw({"face": np.ones((2, 2))}, tmp_path / "m.png")


def test_the_command_draws_a_map_and_says_what_is_grey(tmp_path):
    Table(NAMES, np.arange(4), {"face": R(0).normal(size=(4, 3))}, Origin("pixels", 64)).save(tmp_path / "e.npz")
    colour = listed(tmp_path, "path,label", "a/1.png,x", "a/2.png,y")
    asked = ["neighbours", f"--embeddings={tmp_path / 'e.npz'}", f"--colour={colour}"]
    assert "--colour: has no meaning without --map" in refused(*asked)
    code, said, noted = ended(*asked, f"--map={tmp_path / 'm.png'}")
    assert (code, said.strip()) == (0, str(tmp_path / "m.png")) and (tmp_path / "m.png").stat().st_size > 1000
    assert noted.strip() == "note: 2 of 4 images have no label: grey."
    assert "--map=m.jpg: the name must end in .png" in refused(*asked, "--map=m.jpg")
    for more, what in (
        (["--map=m.png", "--query=1.png"], "--map and --query: are different questions"),
        (["--map=m.png", "--out=n.png"], "--out: has no meaning with --map, which names its PNG itself"),
    ):
        assert what in refused(*asked, *more)
    del asked[-1]
    assert "--out: has no meaning with --duplicates" in refused(*asked, "--duplicates=0.9", "--out=twice.txt")
    assert "--duplicates and --query: are different" in refused(*asked, "--duplicates=0.9", "--query=1.png")
