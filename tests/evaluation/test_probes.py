"""Ridge and k-NN against slow or closed-form references, and the labelled folder they run on."""

import tracemalloc

import numpy as np
import pytest
from PIL import Image

from pcl_tf.choices import ANGLES
from pcl_tf.data.listed import arrays
from pcl_tf.errors import Refused
from pcl_tf.evaluation import generated, linear, ridge
from pcl_tf.evaluation.corpora import generated as faces_of
from pcl_tf.evaluation.evaluate import evaluate
from pcl_tf.evaluation.kinds import KINDS
from pcl_tf.evaluation.knn import Nearest, knn_accuracy
from pcl_tf.evaluation.online import OnlineProbe, labelled
from pcl_tf.evaluation.task import Task, folds_from

R = np.random.RandomState


@pytest.mark.parametrize("shape", [(60, 7), (20, 50)])  # fewer features than rows, and more
def test_ridge_against_normal_equations(shape):
    """Each target's penalty is the one of least leave-one-out error, here by leaving out one row after the other."""
    x, y = 5 + R(0).randn(*shape), R(1).randn(shape[0], 2) + 1.76e9  # a time in seconds
    y[:, 0] += x[:, 0]
    z = (x - x.mean(0)) / x.std(0)

    def solved(rows, penalty, column):
        mean, target = z[rows].mean(0), y[rows, column]
        a = z[rows] - mean
        w = np.linalg.solve(a.T @ a + penalty * len(z) * np.eye(shape[1]), a.T @ (target - target.mean()))
        return lambda q: (q - mean) @ w + target.mean()

    every = np.arange(len(z))
    for column in (0, 1):
        errors = [
            sum((solved(every != i, p, column)(z[i]) - y[i, column]) ** 2 for i in every) for p in ridge.PENALTIES
        ]
        expected = solved(every, ridge.PENALTIES[np.argmin(errors)], column)(z)
        np.testing.assert_allclose(ridge.predict((x, y), x)[:, column] - 1.76e9, expected - 1.76e9, atol=1e-5)


def test_ridge_finds_a_linear_law_and_not_noise():
    x = R(0).randn(300, 20)
    y = np.concatenate([x @ R(1).randn(20, 1), R(2).randn(300, 1)], axis=1)
    law, noise = np.abs(ridge.predict((x[:200], y[:200]), x[200:]) - y[200:]).mean(0) / np.abs(y).mean(0)
    assert law < 0.05 and noise > 0.9


def test_features_are_decomposed_once_for_all_targets(monkeypatch):
    fit, shapes = ridge.RidgeCV.fit, []
    monkeypatch.setattr(ridge.RidgeCV, "fit", lambda self, x, y: shapes.append(y.shape) or fit(self, x, y))
    ridge.predict((R(0).randn(50, 7), R(1).randn(50, 3)), R(2).randn(4, 7))
    assert shapes == [(50, 3)]


def test_knn_against_a_loop():
    train, test = R(0).randn(40, 5), R(1).randn(25, 5)
    a, b = R(2).randint(3, size=40), R(3).randint(3, size=25)
    right = 0
    for x, label in zip(test, b, strict=True):
        cosines = [x @ t / np.linalg.norm(x) / np.linalg.norm(t) for t in train]
        near = sorted(range(40), key=lambda i: -cosines[i])[:7]
        votes = [sum(a[i] == c for i in near) for c in range(3)]
        right += votes.index(max(votes)) == label
    assert knn_accuracy((train, a), (test, b), k=7) == pytest.approx(right / 25)


def test_class_folders(tmp_path, capsys):
    for name, value in (("b", 200), ("a", 10)):
        (tmp_path / name).mkdir()
        for i in range(30):
            Image.new("RGB", (9, 9), (value,) * 3).save(tmp_path / name / f"{i}.png")
    (tmp_path / "a" / "broken.jpg").write_bytes(b"\xff\xd8 nothing")
    task = labelled(tmp_path, 8)
    assert task.names == ("a", "b") and task.labels.tolist() == [0] * 31 + [1] * 30
    probe = OnlineProbe(task)
    assert "note: 1 of 61 images cannot be read and are left out: a/broken.jpg (" in capsys.readouterr().err
    assert probe.captions() == ["a"] * 30 + ["b"] * 30
    assert len(probe.images) == 60 and probe.place.tolist() == [*range(30), -1, *range(30, 60)]
    scores = probe(lambda faces: {"gray": faces.mean((1, 2)) - 100, "none": np.zeros((len(faces), 2))})
    assert scores["knn/gray"] == scores["ridge/gray"] == 1.0 > scores["ridge/none"]
    with pytest.raises(Refused, match="at least two"):
        labelled(tmp_path / "a", 8)
    for path in tmp_path.glob("*/1*.png"):
        path.write_bytes(b"")
    with pytest.raises(
        Refused, match=r"watch.labelled: 23 of 61 images cannot be read .* and 18 more. That is too many"
    ):
        OnlineProbe(labelled(tmp_path, 8))


@pytest.mark.parametrize("kind", ["pose", "actions", "verification"])
def test_online_probes_of_every_kind(kind):
    task = faces_of.MAKERS[kind](16, train=300, test=100, **({"count": 400} if kind == "verification" else {}))
    probe, faces = OnlineProbe(task), faces_of.sample_labels(400, faces_of.SEED)
    shown = np.flatnonzero(probe.place >= 0)
    truth = {"pose": faces["angles"], "actions": faces["aus"], "verification": np.eye(64)[faces["identity"]]}[kind]
    scores = probe(lambda images: {"truth": truth[shown], "noise": R(0).normal(size=(len(images), 2))})
    told = {
        "pose": ["yaw -26, pitch 3.44, roll -1.14"],
        "actions": ["none", "AU4 AU9"],
        "verification": [f"image {shown[0]}"],
    }[kind]
    assert probe.captions()[: len(told)] == told and len(probe.captions()) == len(shown)
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
        truth = [np.eye(64)[labels["identity"][rows]], np.eye(7)[labels["expression"][rows]], labels["angles"][rows]]
        return {"truth": np.concatenate(truth, 1), "noise": noise}

    rows = generated.measure(embed, 16, train=120, test=40, batch=70)
    chance = generated.chance(120, 40)
    assert rows["truth"]["expression"] == 1
    for name in ANGLES:
        assert rows["truth"][name] < 0.3 * chance[name]
        assert rows["noise"][name] == pytest.approx(chance[name], rel=0.15)
    assert "chance" in generated.table({"trained": rows})


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


def test_few_training_rows_all_vote():
    x, y = np.array([[1.0, 0], [0, 1], [1, 0.1]]), np.array([[1.0], [2], [6]])
    assert Nearest(x, y)(np.array([[1.0, 0]])).tolist() == [[3.0]]
    assert knn_accuracy((x, np.array([4, 4, 1])), (x, np.array([4, 4, 4]))) == 1


def test_neighbours_of_many_fit_in_memory():
    x = R(0).randn(20_000, 2).astype(np.float32)
    near = Nearest(x, np.ones((len(x), 1)))
    tracemalloc.start()
    try:
        assert (near(x[:2000]) == 1).all()
        assert tracemalloc.get_traced_memory()[1] < 300e6  # all 2,000 at once would take 500 MB
    finally:
        tracemalloc.stop()


def test_neighbours_score_every_kind():
    x, r = np.repeat(np.eye(3), 30, axis=0), R(0)
    x = x + 0.01 * r.randn(*x.shape)
    layer, protocol = linear.fit("classification", x, np.repeat([2, 0, 1], 30), solver="knn", classes=4)
    assert protocol["k"] == 20 and layer(np.eye(3)).tolist() == [[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]]
    targets = np.repeat([[1.0, 5], [2, 6], [3, 7]], 30, axis=0)
    np.testing.assert_allclose(
        linear.fit("regression", x, targets, solver="knn")[0](np.eye(3)), [[1, 5], [2, 6], [3, 7]]
    )
    labels = np.repeat([[1.0, 0], [0, 1], [1, 1]], 30, axis=0)
    labels[:30, 1] = np.arange(30) % 2  # as many neighbours have it as not: it is not there
    scores = linear.fit("multilabel", x[:, :2], labels, solver="knn")[0](np.eye(3)[:2, :2])
    assert scores[1].tolist() == [0, 1]
    _, predicted = KINDS["multilabel"].answers(scores, logits=False)
    assert predicted[:, 0].tolist() == [1, 0]


@pytest.mark.parametrize("kind", ["classification", "multilabel"])
def test_scores_of_neighbours_are_shares(kind):
    classes = np.arange(50) % 2
    labels = classes if kind == "classification" else np.eye(2)[classes]
    source = arrays("faces", np.zeros((50, 8, 8, 3), np.uint8))
    task = Task("t", kind, source, 8, ("a", "b"), labels, ((np.arange(30), np.arange(30, 50)),))
    found = evaluate(task, np.eye(2)[classes] + 0.1, solver="knn")
    # of 30 images 15 are of one's own class, the other 5 neighbours are not
    assert found.value == 1 and found.layer is None and found.protocol["k"] == 20
    np.testing.assert_allclose(found.scored.scores, np.where(np.eye(2)[classes[30:]], 0.75, 0.25))
