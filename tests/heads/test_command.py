"""The command that writes generated faces and their truth."""

import csv

import numpy as np
import pytest
from PIL import Image

from pcl_tf.data.faces import open_faces
from pcl_tf.heads import people, render
from pcl_tf.recipe import named
from tests.helpers.commands import ended, refused

WHO = range(2**21, 2**21 + 7)


def written(folder, *flags):
    code, _, said = ended("heads", f"--out={folder}", "--image_size=16", "--people=7", *flags)
    assert code == 0, said
    with open(folder / "labels.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    return rows, np.stack([np.asarray(Image.open(folder / row["path"])) for row in rows])


def test_pictures_and_rows_are_of_one_truth(tmp_path):
    rows, images = written(tmp_path, "--count=35", "--first=4", "--seed=3")
    labels = people.sample_labels(35, 3, WHO, first=4)
    np.testing.assert_array_equal(images, render.render(labels, 16))
    got = np.array([[float(row[name]) for name in ("yaw", "pitch", "roll", "AU12")] for row in rows])
    smile = labels["actions"][:, people.ACTIONS.index(12), None]
    np.testing.assert_allclose(got, np.concatenate([labels["angles"], smile], 1), rtol=1e-4)
    nose = np.array([[float(row["nose, x"]), float(row["nose, y"])] for row in rows])
    np.testing.assert_allclose(nose, render.landmarks(labels, 16)[:, 4], rtol=1e-4)
    assert {row["subject"] for row in rows if row["split"] == "test"} == {"person 0", "person 5"}

    (tmp_path / rows[33]["path"]).unlink()
    (kept := tmp_path / rows[3]["path"]).write_bytes(b"is not rendered again")
    ended("heads", f"--out={tmp_path}", "--image_size=16", "--people=7", "--count=35", "--first=4", "--seed=3")
    assert (tmp_path / rows[33]["path"]).exists() and kept.read_bytes().startswith(b"is not")
    assert "by other flags" in refused("heads", f"--out={tmp_path}", "--image_size=16", "--people=7", "--seed=2")


@pytest.mark.parametrize("flag, count, per", [("--scenes", 6, 2), ("--frames=3", 4, 3)])
def test_folders_are_clips_to_train_on(flag, count, per, tmp_path):
    rows, images = written(tmp_path / "heads", f"--count={count}", flag)
    labels = people.sample_scenes(count, 0, WHO) if per == 2 else people.sample_clip(per, 0, WHO, clip=0, fps=25)
    np.testing.assert_array_equal(images[: len(labels["light"])], render.render(labels, 16))
    data = named("vox64", overrides=[f"data.source={tmp_path / 'heads'}", "data.clips=by_folder"]).data
    faces = open_faces(data, 16, tmp_path / "cache", "needed")
    pairs = faces.rows(len(rows), seed=0)(0)
    assert len(rows) == count * per == len(faces) and (pairs[:, 0] // per == pairs[:, 1] // per).all()


@pytest.mark.parametrize("left", people.PARTS[3:])
def test_what_is_taken_away_differs_no_more(left):
    """Two scenes of one head are one picture without light, background and camera, and two with any of them."""
    labels = people.sample_scenes(12, 5)
    none = render.render(people.without(labels, people.PARTS[3:]), 32).astype(int)
    np.testing.assert_array_equal(none[::2], none[1::2])
    one = render.render(people.without(labels, [part for part in people.PARTS[3:] if part != left]), 32).astype(int)
    assert (np.abs(one[::2] - one[1::2]).mean((1, 2, 3)) > 1).mean() > 0.7


def test_people_of_one_origin_sex_and_age_differ_in_clothes_and_eyes_alone():
    labels = people.sample_labels(1, 5)
    two = {name: np.repeat(x, 2, 0) for name, x in labels.items()}
    two["traits"][1, 5:] = people.traits(np.array([99]))[0, 5:]

    def change(*parts):
        a, b = render.render(people.without(two, parts), 64)[:, 20:44, 16:48].astype(int)
        return np.abs(a - b).mean()

    alike = change("shape", "skin", "hair")
    assert alike < 3 and all(
        change(*({"shape", "skin", "hair"} - {part})) > alike for part in ("shape", "skin", "hair")
    )
