"""A probe from faces to rows, CSV, pictures, tables and TensorBoard, of each kind of task."""

import csv
import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pcl_tf.data.files import Unreadable
from pcl_tf.data.listed import arrays
from pcl_tf.encoders.encoder import Encoder
from pcl_tf.evaluation import linear, verification
from pcl_tf.evaluation.evaluate import evaluate
from pcl_tf.evaluation.task import Task, folds_from
from pcl_tf.results import pictures, probing, store

R = np.random.RandomState
FACES = R(0).randint(256, size=(80, 8, 8, 3), dtype=np.uint8)
SOURCE = arrays("faces", FACES)
SPLIT = ((np.arange(40), np.arange(40, 80)),)
ROW = {"model": "runs/m$_$", "task": "t", "feature": "face"}


def model(name="one", digest="1111111111", step=0):
    def embed(faces):
        x = faces.reshape(len(faces), -1).astype(np.float32)
        return {"face_aware": x, "pose": x[:, :20]}

    return Encoder(name, digest, embed, step=step)


def probed(folder, models, tasks, features=("face_aware",), *, solver="knn", seed=0):
    how = {"out": folder, "cache": folder / "features"}
    return probing.probe(models, tasks, features, solver=solver, seed=seed, **how)


def of_folder(folder):
    return json.loads((folder / "result.json").read_text())["results"]


def classes(count=3, origin="", name="t"):
    names, labels = tuple(f"$c_${i}" for i in range(count)), np.arange(80) % min(count, 40)
    return Task(name, "classification", SOURCE, 8, names, labels, SPLIT, origin=origin)


PAIRS = np.stack([np.arange(80), (np.arange(80) + 1) % 80], 1)
FOLDS = {"same": (np.arange(80) >= 40).astype(int), "folds": np.arange(80) % 4}
ANGLES = ("yaw", "$", *map(str, range(12)))
TASKS = {
    "confusion": classes(),
    "predicted-true": Task("t", "regression", SOURCE, 8, ANGLES, R(2).normal(size=(80, 14)), SPLIT),
    "f1": Task("t", "multilabel", SOURCE, 8, ("AU1", "AU$2"), R(1).randint(2, size=(80, 2)).astype(np.float32), SPLIT),
    "roc": Task("t", "verification", SOURCE, 8, pairs=PAIRS, **FOLDS),
}


def scalars(folder):
    """{tag: (step, value)} of all events below a folder."""
    found = {}
    for path in folder.rglob("events*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            found |= {v.tag: (event.step, tf.make_ndarray(v.tensor)) for v in event.summary.value}
    return found


@pytest.mark.parametrize("name", TASKS)
def test_every_kind_has_its_picture(name, tmp_path):
    result = evaluate(TASKS[name], R(3).normal(size=(80, 6)), solver="knn")
    ((found, path),) = pictures.save(tmp_path / "p", TASKS[name], result, row=ROW).items()
    image = Image.open(path)
    assert found == name and 300 < min(image.size) and max(image.size) < 2000  # of 14 targets 12 are drawn
    assert np.asarray(image.convert("L")).std() > 10


def test_the_same_result_is_the_same_picture_and_one_of_many_classes_stays_small(tmp_path):
    task = classes(41)
    result = evaluate(task, R(3).normal(size=(80, 6)), solver="knn")
    drawn = [pictures.save(tmp_path / stem, task, result, row=ROW)["confusion"] for stem in "ab"]
    assert max(Image.open(drawn[0]).size) < 2000
    assert open(drawn[0], "rb").read() == open(drawn[1], "rb").read()


def test_a_probe_leaves_pictures_predictions_tables_and_scalars(tmp_path):
    (row,) = probed(tmp_path, [model()], [TASKS["roc"]], solver="lbfgs")
    (kept,) = of_folder(tmp_path)
    assert kept["pictures"] == row["pictures"] and kept["predictions"] == row["predictions"]
    assert len(open(row["predictions"]).readlines()) == 81
    assert kept["roc"]["EER"] == pytest.approx(0.5, abs=0.3) and list(kept["roc"]["TAR@FAR"]) == ["0.1"]
    assert (tmp_path / "tables.md").read_text().count("\n| one |") == 1 + bool(row["learnt"])
    shown, tag = scalars(tmp_path / "logs"), "probe/t/face_aware/lbfgs-8px-seed0"
    assert shown[f"{tag}/EER"][1] == pytest.approx(kept["roc"]["EER"])
    png = tf.io.decode_png(shown[f"{tag}/roc"][1][2]).numpy()
    np.testing.assert_array_equal(png, np.asarray(Image.open(kept["pictures"]["roc"]).convert("RGB")))


def test_models_have_runs_of_their_own_and_are_compared_with_the_first(tmp_path, capsys):
    tasks = [classes(2, f"/data/{folder}/labels.csv", "labels") for folder in "ab"]
    models = [model(), model("two", "2222222222", step=5)]
    found = probed(tmp_path, models, tasks, ("face_aware", "pose"))
    assert [row.get("difference", {}).get("to") for row in found] == [None] * 4 + ["one"] * 4
    assert all(row["difference"]["value"] == 0 for row in found[4:])  # of the same feature
    probed(tmp_path, models[:1], tasks[:1], seed=1)
    rows = of_folder(tmp_path)
    other = rows[2]["task"]
    expected = [(m, t, 0) for m in ("one", "two") for t in ("labels", other) for _ in range(2)]
    assert other.startswith("labels-")
    assert [(r["model"], r["task"], r["seed"]) for r in rows] == [*expected, ("one", "labels", 1)]
    runs = sorted((tmp_path / "logs").iterdir())
    assert [r.name for r in runs] == ["one-11111111", "two-22222222"]
    shown = scalars(runs[0])
    assert {f"probe/labels/face_aware/knn-8px-seed{seed}/accuracy" for seed in (0, 1)} <= set(shown)
    assert {step for step, _ in shown.values()} == {0} and {step for step, _ in scalars(runs[1]).values()} == {5}
    assert capsys.readouterr().out.count("less one") == 4


def test_unreadable_images_are_named_on_the_screen_and_in_the_result(tmp_path, capsys):
    def items():
        for i, (name, face) in enumerate(SOURCE.items()):
            yield name, Unreadable("no such face") if i == 42 else face

    task = dataclasses.replace(classes(name="labels"), source=dataclasses.replace(SOURCE, items=items))
    (found,) = probed(tmp_path, [model()], [task])
    note = "labels: 1 of 80 images cannot be read and are left out: faces#42 (no such face)."
    assert f"note: {note}\n" in capsys.readouterr().err
    assert found["notes"] == [note] and found["counts"]["test"] == 39 and found["counts"]["unreadable"] == 1


def test_no_number_is_lost_to_a_file_beside_it(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError("no space")

    monkeypatch.setattr(store, "_write_predictions", full)
    with pytest.raises(OSError, match="no space"):
        probed(tmp_path, [model()], [classes()])
    (kept,) = of_folder(tmp_path)
    assert 0 <= kept["value"] <= 1 and "predictions" not in kept


X = np.array([3, -1, 2, -2, 1, -3, 0.5, -0.5, 4, -4, 2, 2], np.float32)[:, None]
NAMES = [f"{i}.png" for i in range(240)]


def predictions(path, kind, labels, names, *, monkeypatch=None, bad=(), **more):
    """(result, lines of the CSV) where every probe answers with X, or that and its negative."""
    weights = np.array([[-1.0, 1.0]], np.float32) if kind == "classification" else np.ones((1, 1), np.float32)
    answer = linear.Linear(weights, np.zeros(weights.shape[1], np.float32)), {"solver": "none"}
    monkeypatch.setattr(linear, "fit", lambda *args, **options: answer)
    task = Task("t", kind, arrays("faces", FACES[:12]), 8, names, labels, folds_from(np.arange(12) % 3), **more)
    return written(path / "p.csv", task, evaluate(task, X, bad=bad))


def written(path, task, result):
    store._write_predictions(str(path), task, result, images=NAMES[: task.source.count])
    with open(path, newline="", encoding="utf-8") as f:
        return result, list(csv.DictReader(f))


def test_predictions_of_classes(tmp_path, monkeypatch):
    groups = {"age": np.array(["=old", ""] * 6), "label": np.array(list("abcdefghijkl"))}
    how = {"monkeypatch": monkeypatch, "bad": [4], "groups": groups}
    result, rows = predictions(tmp_path, "classification", (X[:, 0] > 1).astype(int), ("no", "yes"), **how)
    assert [r["image"] for r in rows] == [NAMES[i] for i in (0, 3, 6, 9, 1, 7, 10, 2, 5, 8, 11)]
    assert [int(r["fold"]) for r in rows] == [0] * 4 + [1] * 3 + [2] * 4
    assert np.mean([r["label"] == r["predicted"] for r in rows]) == pytest.approx(result.value) == 10 / 11
    assert float(rows[0]["score_yes"]) == pytest.approx(1 / (1 + np.exp(-6)), rel=1e-6)
    assert [rows[0]["age"], rows[1]["age"], rows[0]["group_label"]] == ["'=old", "", "a"]


def test_predictions_of_labels_and_targets(tmp_path, monkeypatch):
    _, rows = predictions(tmp_path, "multilabel", (X > 1).astype(np.float32), ("AU1",), monkeypatch=monkeypatch)
    assert rows[2] == {"image": "6.png", "fold": "0", "label_AU1": "0", "predicted_AU1": "1", "score_AU1": "0.6224593"}
    result, rows = predictions(tmp_path, "regression", X + 0.25, ("yaw",), monkeypatch=monkeypatch)
    assert rows[1] == {"image": "3.png", "fold": "0", "label_yaw": "-1.75", "predicted_yaw": "-2"}
    assert result.value == result.detail_intervals["yaw"][0] == 0.25
    seconds = X.astype(np.float64) + 1764460007.25  # keep their last digits
    _, rows = predictions(tmp_path, "regression", seconds, ("taken_at",), monkeypatch=monkeypatch)
    assert [r["label_taken_at"] for r in rows[:2]] == ["1764460010.25", "1764460005.25"]


def test_predictions_of_pairs(tmp_path):
    both, folds = np.arange(240).reshape(-1, 2), np.repeat(np.arange(3), 40)
    source = arrays("faces", np.zeros((240, 1, 1, 3), np.uint8))
    task = Task("t", "verification", source, 8, pairs=both, same=np.arange(120) % 2, folds=folds)
    x = R(0).normal(size=(240, 4))
    result, rows = written(tmp_path / "p.csv", task, evaluate(task, x, bad=[5]))
    left = both[(both != 5).all(1)]
    assert [(r["image1"], r["image2"]) for r in rows] == [(NAMES[a], NAMES[b]) for a, b in left]
    folds = np.array([int(r["fold"]) for r in rows])
    for prefix, one in (("", result), ("whitened_", result.learnt)):
        right = np.array([r["same"] == r[f"{prefix}predicted"] for r in rows])
        assert np.mean([right[folds == f].mean() for f in range(3)]) == pytest.approx(one.value)
        cosines, same = ([float(r[name]) for r in rows] for name in (f"{prefix}cosine", "same"))
        assert one.roc["EER"] == pytest.approx(verification.operating_points(cosines, same)["EER"], abs=1e-5)
    a, b = x[left[0]]
    assert float(rows[0]["cosine"]) == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), rel=1e-6)
