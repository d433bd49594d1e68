"""Pictures of every kind of task are drawn, show what the numbers say, and reach files and TensorBoard."""

import io
import json
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pcl_tf.data.listed import arrays
from pcl_tf.encoders.encoder import Encoder
from pcl_tf.evaluation import pictures, report
from pcl_tf.evaluation.evaluate import evaluate
from pcl_tf.evaluation.task import Task
from tests.helpers.commands import command

R = np.random.RandomState
SPLIT = ((np.arange(40), np.arange(40, 80)),)
SOURCE = arrays("faces", R(0).randint(256, size=(80, 8, 8, 3), dtype=np.uint8))
Y = R(1).randint(2, size=(80, 2))


def classes(count):
    names, labels = tuple(f"$c_${i}" for i in range(count)), np.arange(80) % min(count, 40)
    return Task("t", "classification", SOURCE, 8, names, labels, SPLIT)


def verification(different=40):
    pairs = np.stack([np.arange(80), (np.arange(80) + 1) % 80], 1)
    same = (np.arange(80) >= different).astype(int)
    return Task("t", "verification", SOURCE, 8, pairs=pairs, same=same, folds=np.arange(80) % 4)


TASKS = {
    "confusion": classes(3),
    "predicted-true": Task("t", "regression", SOURCE, 8, ("yaw", "$", "c", "d"), R(2).normal(size=(80, 4)), SPLIT),
    "f1": Task("t", "multilabel", SOURCE, 8, ("AU1", "AU$2"), Y.astype(np.float32), SPLIT),
    "roc": verification(),
}


def drawn(task):
    pytest.importorskip("matplotlib", reason="needs the extra plots")
    result = evaluate(task, R(3).normal(size=(80, 6)), solver="knn")
    row = report.result_row(
        Encoder("runs/m$_$", "m", None), task, name="t", feature="face", result=result, encoded=0, solver="knn", seed=0
    )
    return pictures.draw(task, result.scored, json.loads(json.dumps(row)))  # as it is read again


@pytest.mark.parametrize("name", TASKS)
def test_every_kind_has_its_picture(name):
    found = drawn(TASKS[name])
    image = Image.open(io.BytesIO(found[name]))
    assert list(found) == [name] and min(image.size) > 300 and np.asarray(image.convert("L")).std() > 10
    assert drawn(TASKS[name]) == found  # the same result is the same file


def test_many_classes_and_pairs_of_one_kind_alone():
    assert Image.open(io.BytesIO(drawn(classes(41))["confusion"])).size[0] < 2000
    labels = R(2).normal(size=(80, 20))
    many = Task("t", "regression", SOURCE, 8, tuple(map(str, range(20))), labels, SPLIT)
    assert Image.open(io.BytesIO(drawn(many)["predicted-true"])).size[1] < 2000
    assert drawn(verification(different=0)) == {}


def test_a_confusion_matrix_by_hand():
    found = pictures.confusion_matrix(np.array([0, 0, 0, 2]), np.array([0, 1, 1, 0]), 3)
    assert found.tolist() == [[1, 2, 0], [0, 0, 0], [1, 0, 0]]


def probed(folder, task, solver="knn"):
    model = Encoder("one", "1111111111", lambda faces: {"face_aware": faces.reshape(len(faces), -1).astype(np.float32)})
    with command("probe") as probe:
        return probe.run(
            [model], [task], ["face_aware"], solver=solver, seed=0, out=folder, cache=folder / "features", save=True
        )[0]


def test_a_probe_leaves_pictures_predictions_and_tables(tmp_path):
    pytest.importorskip("matplotlib", reason="needs the extra plots")
    row = probed(tmp_path, TASKS["roc"], "lbfgs")
    kept = json.loads((tmp_path / "result.json").read_text())["results"][0]
    assert kept["pictures"] == row["pictures"] and kept["predictions"] == row["predictions"]
    with open(kept["pictures"]["roc"], "rb") as f:
        image = np.asarray(Image.open(f).convert("RGB"))
    assert len(open(row["predictions"]).readlines()) == 81
    assert kept["roc"]["EER"] == pytest.approx(0.5, abs=0.3) and list(kept["roc"]["TAR@FAR"]) == ["0.1"]
    assert (tmp_path / "tables.md").read_text().count("\n| one |") == 1 + bool(row["learnt"])
    assert r"\begin{tabular}" in (tmp_path / "tables.tex").read_text()
    shown = {}
    for path in (tmp_path / "logs").rglob("events*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            shown |= {v.tag: tf.make_ndarray(v.tensor) for v in event.summary.value}
    assert shown["probe/t/face_aware/EER"] == pytest.approx(kept["roc"]["EER"])
    png = tf.io.decode_png(shown["probe/t/face_aware/roc"][2]).numpy()
    np.testing.assert_array_equal(png, image)


def test_without_matplotlib_a_probe_says_so_and_goes_on(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "matplotlib.figure", raising=False)
    row = probed(tmp_path, TASKS["confusion"])
    said = [line for line in capsys.readouterr().err.splitlines() if "matplotlib" in line]
    assert len(said) == 1 and 'pip install "pcl_tf[plots]"' in said[0] and said[0].startswith("note: ")
    assert row["pictures"] == {} and 0 <= row["value"] <= 1 and "probe" not in row
