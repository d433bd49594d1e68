"""What was said of each image: the same numbers as the result, row by row, and names that are read once."""

import csv
import dataclasses

import numpy as np
import pytest

from pcl_tf.data.listed import arrays
from pcl_tf.evaluation import curves, linear, predictions
from pcl_tf.evaluation.evaluate import evaluate
from pcl_tf.evaluation.names import all_names, naming
from pcl_tf.evaluation.task import Task, folds_from

FACES = np.arange(12, dtype=np.uint8)[:, None, None, None].repeat(3, 3)
X = np.array([3, -1, 2, -2, 1, -3, 0.5, -0.5, 4, -4, 2, 2], np.float32)[:, None]
NAMES = [f"{i}.png" for i in range(12)]


@pytest.fixture
def answers(monkeypatch):
    """Every probe answers with its feature, or that and its negative."""

    def fit(kind, x, y, *args, **options):
        weights = np.array([[-1.0, 1.0]], np.float32) if kind == "classification" else np.ones((1, 1), np.float32)
        return linear.Linear(weights, np.zeros(weights.shape[1], np.float32)), {"solver": "none"}

    monkeypatch.setattr(linear, "fit", fit)


def task(kind, labels, names, **more):
    return Task("t", kind, arrays("faces", FACES), 8, names, labels, folds_from(np.arange(12) % 3), **more)


def written(path, task, result):
    predictions.write(path, task, result.scored, names=NAMES)
    with open(path, newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


def test_classes(answers, tmp_path):
    groups = {"age": np.array(["old", ""] * 6), "label": np.array(list("abcdefghijkl"))}
    asked = task("classification", (X[:, 0] > 1).astype(int), ("no", "yes"), groups=groups)
    result = evaluate(asked, X, bad=[4])
    rows = written(tmp_path / "p.csv", asked, result)
    assert [r["image"] for r in rows] == [NAMES[i] for i in (0, 3, 6, 9, 1, 7, 10, 2, 5, 8, 11)]
    assert [int(r["fold"]) for r in rows] == [0] * 4 + [1] * 3 + [2] * 4
    assert np.mean([r["label"] == r["predicted"] for r in rows]) == pytest.approx(result.value) == 10 / 11
    assert float(rows[0]["score_yes"]) == pytest.approx(1 / (1 + np.exp(-6)), rel=1e-6)
    assert [rows[0]["age"], rows[1]["age"], rows[0]["group_label"]] == ["old", "", "a"]


def test_labels_and_targets(answers, tmp_path):
    asked = task("multilabel", (X > 1).astype(np.float32), ("AU1",))
    rows = written(tmp_path / "p.csv", asked, evaluate(asked, X))
    assert rows[2] == {"image": "6.png", "fold": "0", "label_AU1": "0", "predicted_AU1": "1", "score_AU1": "0.6224593"}
    asked = task("regression", X + 0.25, ("yaw",))
    result = evaluate(asked, X)
    rows = written(tmp_path / "p.csv", asked, result)
    assert rows[1] == {"image": "3.png", "fold": "0", "label_yaw": "-1.75", "predicted_yaw": "-2"}
    assert result.value == result.detail_intervals["yaw"][0] == 0.25


def test_pairs(tmp_path):
    r = np.random.RandomState(0)
    pairs = np.array([r.choice(12, 2, replace=False) for _ in range(120)])
    same = np.arange(120) % 2
    asked = Task(
        "t", "verification", arrays("faces", FACES), 8, pairs=pairs, same=same, folds=np.repeat(np.arange(3), 40)
    )
    x = r.normal(size=(12, 4))
    result = evaluate(asked, x, bad=[5])
    rows = written(tmp_path / "p.csv", asked, result)
    left = pairs[(pairs != 5).all(1)]
    assert [(r["image1"], r["image2"]) for r in rows] == [(NAMES[a], NAMES[b]) for a, b in left]
    for key, value in (("predicted", result.value), ("learnt_predicted", result.learnt["value"])):
        right = np.array([r["same"] == r[key] for r in rows])
        folds = np.array([int(r["fold"]) for r in rows])
        assert np.mean([right[folds == f].mean() for f in range(3)]) == pytest.approx(value)
    for key, roc in (("similarity", result.roc), ("learnt_similarity", result.learnt["roc"])):
        far, tar = curves.roc([float(r[key]) for r in rows], np.array([int(r["same"]) for r in rows]))
        assert roc["EER"] == pytest.approx(curves.equal_error_rate(far, tar), abs=1e-5)
    a, b = x[left[0]]
    assert float(rows[0]["similarity"]) == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), rel=1e-6)


def test_names_are_read_once_and_again_where_the_images_moved(tmp_path):
    reads = []

    def items(place="a"):
        for i, face in enumerate(FACES):
            reads.append(i)
            yield f"{place}/{i}.png", face

    faces = dataclasses.replace(arrays("faces", FACES), items=items)
    expected = [f"a/{i}.png" for i in range(12)]
    source, names = naming(faces)
    list(source.items())  # as an extraction reads them
    assert all_names(source, names, tmp_path) == expected and len(reads) == 12
    assert all_names(*naming(faces), tmp_path) == expected and len(reads) == 13  # a look at the first
    moved = dataclasses.replace(faces, items=lambda: items("b"))
    assert all_names(*naming(moved), tmp_path) == [f"b/{i}.png" for i in range(12)]
    (tmp_path / "names.json").write_text("{")
    assert all_names(*naming(faces), tmp_path) == expected
