"""Probes of a run: the labelled set they read, the images they choose, and scores between chance and truth."""

import numpy as np
import pytest
from PIL import Image

from pcl_tf.choices import ANGLES
from pcl_tf.data.listed import arrays
from pcl_tf.errors import Refused
from pcl_tf.evaluation import generated
from pcl_tf.evaluation.corpora import generated as faces_of
from pcl_tf.evaluation.online import OnlineProbe, labelled
from pcl_tf.evaluation.task import Task, folds_from

R = np.random.RandomState


def test_class_folders(tmp_path, capsys):
    for name, value in (("b", 200), ("a", 10)):
        (tmp_path / name).mkdir()
        for i in range(30):
            Image.new("RGB", (9, 9), (value,) * 3).save(tmp_path / name / f"{i}.png")
    (tmp_path / "a" / "broken.jpg").write_bytes(b"\xff\xd8 nothing")
    task = labelled(tmp_path, 8)
    assert task.names == ("a", "b") and task.labels.tolist() == [0] * 31 + [1] * 30
    probe = OnlineProbe(task)
    left_out = "note: --recipe.watch.labelled: 1 of 61 images cannot be read and are left out: a/broken.jpg ("
    assert left_out in capsys.readouterr().err
    assert len(probe.images) == 60 and probe.place.tolist() == [*range(30), -1, *range(30, 60)]
    scores = probe(lambda faces: {"gray": faces.mean((1, 2)) - 100, "none": np.zeros((len(faces), 2))})
    assert scores["knn/gray"] == scores["ridge/gray"] == 1.0 > scores["ridge/none"]
    with pytest.raises(Refused, match="at least two"):
        labelled(tmp_path / "a", 8)
    for path in tmp_path.glob("*/1*.png"):
        path.write_bytes(b"")
    with pytest.raises(Refused, match="watch.labelled: 23 of 61 images .*b/19.png .*That is too many"):
        OnlineProbe(labelled(tmp_path, 8))


@pytest.mark.parametrize("kind", ["pose", "actions", "verification"])
def test_online_probes_of_every_kind(kind):
    task = faces_of.MAKERS[kind](16, **({"pairs": 300} if kind == "verification" else {}))
    probe, faces = OnlineProbe(task), faces_of.truth(faces_of.COUNT)
    shown = np.flatnonzero(probe.place >= 0)
    truth = {"pose": faces["angles"], "actions": faces["aus"], "verification": np.eye(20)[faces["identity"] % 20]}[kind]
    scores = probe(lambda images: {"truth": truth[shown], "noise": R(0).normal(size=(len(images), 2))})
    name = "verification" if kind == "verification" else "ridge"
    best = {"pose": 0.0, "actions": 1.0, "verification": 1.0}[kind]
    assert abs(scores[f"{name}/truth"] - best) < 0.5 * abs(scores[f"{name}/noise"] - best)


def _pairs(count, same, folds):
    """A verification of pairs that share no image, of 1 x 1 pixel faces."""
    images = arrays("faces", np.zeros((2 * count, 1, 1, 3), np.uint8))
    return Task("t", "verification", images, 1, pairs=np.arange(2 * count).reshape(-1, 2), same=same, folds=folds)


def test_a_choice_of_images_follows_no_rhythm_of_a_list(monkeypatch):
    """Lists often alternate: same and different pairs, folds, classes."""
    monkeypatch.setattr("pcl_tf.evaluation.online.LIMIT", 400)
    for folds in (np.arange(1000) % 2, np.arange(1000) // 999):  # the second has one pair in a fold
        task = _pairs(1000, np.arange(1000) // 2 % 2, folds)
        shown = sorted(OnlineProbe._chosen(task))
        used = np.array(shown[::2]) // 2
        assert len(shown) == 400 and np.array_equal(task.pairs[used].ravel(), shown)
        assert 0.4 < task.same[used].mean() < 0.6 and set(folds[used]) == {0, 1}
        probe = OnlineProbe(task)
        noise = R(0).normal(size=(len(probe.images), 8))
        assert 0.3 < probe(lambda faces, noise=noise: {"x": noise})["verification/x"] < 0.7
    small = _pairs(200, np.arange(200) % 2, np.arange(200) % 2)
    assert OnlineProbe._chosen(small) == set(range(400))

    labels = np.arange(1500) // 2 % 5
    images = arrays("faces", np.zeros((1500, 1, 1, 3), np.uint8))
    task = Task("t", "classification", images, 1, tuple("abcde"), labels, folds_from(np.arange(1500) % 2))
    rows = np.array(sorted(OnlineProbe._chosen(task)))
    assert len(rows) == 400 and (rows % 2).sum() == 200 and np.bincount(labels[rows]).min() > 50


def test_generated_faces_rank_features_between_chance_and_truth():
    labels, faces = generated.faces(160, 16)
    known = {bytes(face): i for i, face in enumerate(faces)}

    def embed(images):
        rows = [known[bytes(i)] for i in images]
        noise = np.random.RandomState(len(rows)).normal(size=(len(rows), 2))
        truth = [
            np.eye(20)[labels["identity"][rows] % 20],
            np.eye(7)[labels["expression"][rows]],
            labels["angles"][rows],
        ]
        return {"truth": np.concatenate(truth, 1), "noise": noise}

    rows = generated.measure(embed, 16, 160)
    chance = generated.chance(160)
    assert rows["truth"]["expression"] == 1
    for name in ANGLES:
        assert rows["truth"][name] < 0.3 * chance[name]
        assert rows["noise"][name] == pytest.approx(chance[name], rel=0.15)
    assert "chance" in generated.table({"trained": rows}, 160)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/nowhere", "--recipe.watch.labelled=/nowhere: no such folder, and no task"),
        ("regression:/nowhere.csv", "/nowhere.csv: cannot be read"),
        ("lfw", "--recipe.watch.labelled=lfw: where is it. --recipe.watch.labelled=lfw:PATH is needed"),
        ("fer:x", "--recipe.watch.labelled=fer: not one of"),
    ],
)
def test_a_missing_labelled_set_is_refused_by_its_flag(text, said):
    with pytest.raises(Refused, match=said):
        labelled(text, 16)
