"""Heads: one format for those of a probe, of a fine-tuning and of a box, and what they answer."""

import csv
import dataclasses

import keras
import numpy as np
import pytest
from PIL import Image

import pcl_tf
from pcl_tf.data.listed import arrays
from pcl_tf.encoders.encoder import open_encoder
from pcl_tf.encoders.head import Head, attached
from pcl_tf.errors import Refused
from pcl_tf.evaluation.kinds import KINDS
from pcl_tf.evaluation.task import Task
from pcl_tf.faces import box
from pcl_tf.faces.answers import Answers
from pcl_tf.faces.pictures import Pictures
from pcl_tf.prepare.detector import Face
from pcl_tf.results.probing import probe
from pcl_tf.serving.export import save_export
from tests.helpers import labelled

R = np.random.RandomState


def head(kind="regression", names=("yaw", "pitch"), name="pose", width=128, **more):
    weights, bias = R(0).normal(size=(width, len(names))).astype(np.float32), R(1).normal(size=len(names))
    measured = {"task": name, "metric": "MAE", "value": 3.25, "interval": [3.0, 3.5]}
    return Head(name, kind, "face", tuple(names), ("degrees",) * len(names), 32, "", measured, weights, bias, **more)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A workdir with an export of an untrained encoder, and probes of it of which side and which angles."""
    folder = tmp_path_factory.mktemp("run")
    model = labelled.encoder()
    save_export(model, folder / "export", step=7, image_size=32, recipe_json='{"image_size": 32}')
    encoder = open_encoder(str(folder))
    tasks = [labelled.task("classification"), labelled.task("regression"), labelled.task("multilabel")]
    rows = probe([encoder], tasks, ["face"], solver="lbfgs", seed=0, out=folder / "probe", cache=folder / "f")
    return folder, encoder, {row["kind"]: row["probe"] for row in rows}


def test_a_head_survives_its_file_and_runs_nothing(tmp_path):
    one = head(threshold=0.25)
    back = Head.from_bytes(one.to_bytes(), "x")
    for field in dataclasses.fields(Head):
        np.testing.assert_array_equal(getattr(back, field.name), getattr(one, field.name), err_msg=field.name)
    np.savez(tmp_path / "x.npz", about=np.array([object()], object))
    for data in (b"no head", (tmp_path / "x.npz").read_bytes()):
        with pytest.raises(Refused, match="h.npz: no head of pcl_tf"):
            Head.from_bytes(data, "h.npz")


def columns_of(head):
    return KINDS[head.kind].answer_types(head.name, head.names)


def values_of(head, x):
    return KINDS[head.kind].answer_values(head.names, *KINDS[head.kind].answers(head(x)))


def test_what_heads_answer():
    x = R(2).normal(size=(3, 128)).astype(np.float32)
    scores = x @ head().weights + head().bias
    assert columns_of(head()) == {"yaw": float, "pitch": float}
    np.testing.assert_allclose(values_of(head(), x), scores.T)
    classes = head("classification", ("sad", "glad"), "expression")
    assert columns_of(classes) == {"expression": str, "p_sad": float, "p_glad": float}
    said, *shares = values_of(classes, x)
    assert said == [("sad", "glad")[k] for k in scores.argmax(1)]
    np.testing.assert_allclose(np.sum(shares, 0), 1)
    labels = head("multilabel", ("AU1", "AU2"), "actions")
    np.testing.assert_allclose(values_of(labels, x)[2:], 1 / (1 + np.exp(-scores.T)), atol=1e-7)
    assert [*columns_of(labels)] == ["AU1", "AU2", "p_AU1", "p_AU2"] and values_of(labels, x)[0] == (
        scores[:, 0] > 0
    ).tolist()


def test_a_probe_answers_as_its_keras_model_does(run):
    _, encoder, probes = run
    faces = labelled.faces()[1][:5]
    rows = list(pcl_tf.load(probes["classification"]).predict(faces))
    assert rows[2].keys() == Answers([pcl_tf.load(probes["classification"])], Pictures(faces)).columns.keys()
    said = keras.models.load_model(probes["classification"])(faces / np.float32(255)).numpy()
    np.testing.assert_allclose([[row["p_left"], row["p_right"]] for row in rows], said, atol=1e-5)
    assert rows[0]["classification"] == ("left", "right")[said[0].argmax()]  # the name of the task
    angles = [[row["yaw"], row["pitch"]] for row in pcl_tf.load(probes["regression"]).predict(faces)]
    np.testing.assert_allclose(
        angles, keras.models.load_model(probes["regression"])(faces / np.float32(255)), atol=1e-3
    )
    found, first = attached(probes["regression"]), encoder.embed(faces)["face"]
    assert found.units == ("degrees",) * 2 and found.encoder == encoder.digest and found.measured["metric"] == "MAE"
    np.testing.assert_allclose(pcl_tf.load(probes["regression"]).embed(faces).features["face"], first, atol=1e-5)


def test_what_is_no_head_answers_nothing(run, tmp_path):
    folder, encoder, _ = run
    for name in (str(folder), "pixels"):
        with pytest.raises(Refused, match="has nothing to answer with"):
            pcl_tf.load(name).predict("generated")
    with pytest.raises(Refused, match="no .keras of pcl_tf.probe"):
        box.parse([str(encoder.keras_file)])


def test_rows_of_pictures_without_a_face_and_of_several_models(run, tmp_path):
    _, _, probes = run
    for name in ("a.png", "b.png"):
        Image.new("RGB", (40, 40), "gray").save(tmp_path / name)
    (tmp_path / "b.png").write_bytes(b"no picture")
    models = [pcl_tf.load(probes[kind]) for kind in ("regression", "multilabel", "regression")]
    answers = Answers(models, Pictures(tmp_path))
    first, second = answers
    got = [first[k] for k in ("file", "frame", "time", "face_found", "x", "w")]
    assert got == ["a.png", None, None, True, 0.0, 40.0]
    labels = {f"p_{name}": name for name in labelled.KINDS["multilabel"][0]}
    numbers = {"yaw": "yaw", "pitch": "pitch"}
    titles, panels = zip(*answers.panels, strict=True)
    assert panels == (numbers, labels, {f"{name}_2": name for name in numbers})
    assert [title.startswith(model.name) for title, model in zip(titles, models, strict=True)] == [True] * 3
    assert first["yaw_2"] == first["yaw"] and first["AU1"] in (0, 1)
    assert (second["file"], second["face_found"], second["yaw"]) == ("b.png", None, None)
    (tmp_path / "a.png").write_bytes(b"no picture")
    assert next(iter(answers))["face_found"] is None
    with pytest.raises(Refused, match="nothing in it is readable.*a.png: no JPEG"):
        list(answers)
    assert repr(Answers(models[:1], Pictures(tmp_path))) == "<answers: regression; iterate over them, or to_pandas()>"
    assert repr(models[0].heads) == "(<head 'regression': yaw, pitch>,)"
    assert [*answers.unreadable] == ["a.png", "b.png"] and first.keys() == second.keys() == answers.columns.keys()


def test_roll_is_that_of_the_picture_though_faces_are_turned_upright(run, tmp_path, monkeypatch):
    task = labelled.task("regression")
    task = dataclasses.replace(task, names=("yaw", "roll"))
    folder, encoder, _ = run
    (row,) = probe([encoder], [task], ["face"], solver="lbfgs", seed=0, out=tmp_path, cache=tmp_path / "f")
    upright = np.array([[20.0, 25.0], [44, 25], [32, 35], [24, 45], [40, 45]])
    noise = R(0).randint(0, 256, (64, 64, 3)).astype(np.uint8)

    model = pcl_tf.load(row["probe"])

    def rolls(image, landmarks):
        monkeypatch.setattr("pcl_tf.prepare.detector.detect", lambda image: [Face((16.0, 16.0, 32.0, 32.0), landmarks)])
        return [next(iter(model.predict(image, detect=True, align=a)))["roll"] for a in (True, False)]

    quarter = np.stack([64 - upright[:, 1], upright[:, 0]], axis=1)  # clockwise
    (level, plain), (turned, _) = rolls(noise, upright), rolls(np.rot90(noise, -1), quarter)
    assert turned - level == pytest.approx(90, abs=0.5) and abs(level - plain) < 45


def test_a_box_holds_all_and_its_features_are_those_of_the_unrounded_encoder(run, tmp_path, monkeypatch):
    folder, encoder, probes = run
    heads = box.parse([f"side={probes['classification']}", probes["regression"]])
    assert [*heads] == ["side", "regression"]
    place = tmp_path / "weights" / "small"
    with pytest.raises(Refused, match="give --license"):
        box.write_box(place, folder / "export/7", heads, about={}, margin=1.2)
    box.write_box(place, folder / "export/7", heads, about={"license": "mine", "data_terms": "none"}, margin=1.2)
    parts = {"encoder.keras", "heads", "recipe.json", "provenance.json", "README.md", "LICENSE", "box.json"}
    assert {p.name for p in place.iterdir()} == parts
    card = (place / "README.md").read_text()
    assert "| regression | yaw, pitch | face | generated_regression | MAE" in card and "degrees |" in card

    monkeypatch.setattr("pcl_tf.encoders.encoder.BOXES", tmp_path / "weights")
    model, faces = pcl_tf.load("small"), labelled.faces()[1][:9]
    assert model.crop == (32, 1.2) and pcl_tf.load("small", margin=2).margin == 2 and model.encoder.step == 7
    assert open_encoder(str(place)).digest == model.encoder.digest
    for key, x in encoder.embed(faces).items():
        np.testing.assert_allclose(model.embed(faces).features[key], x, atol=1e-3 * np.abs(x).max())
    row = next(iter(model.predict(faces)))
    assert {"yaw", "pitch", "side", "p_left"} <= {*row}
    stock = keras.models.load_model(place / "encoder.keras")  # by any backend
    assert {w.dtype for w in stock.weights} == {"float32"}
    assert (place / "encoder.keras").stat().st_size < encoder.keras_file.stat().st_size
    with pytest.raises(Refused, match="was learnt on another encoder"):
        box.write_box(place, folder / "export/7", {"pose": head()}, about={"license": "mine"}, margin=1.5)


def test_two_pictures_are_one_persons_where_the_layer_of_a_probe_says_so(run, tmp_path):
    folder, encoder, _ = run
    images = labelled.faces()[1]
    images = np.concatenate([images, images // 2 + 40])  # everybody again, under other light
    who = np.repeat(np.arange(80), 2)
    pairs = np.stack([who, 80 + (who + np.arange(160) % 2) % 80], 1)  # with oneself, with the next
    about = {"pairs": pairs, "same": 1 - np.arange(160) % 2, "folds": who // 20}
    task = Task("people", "verification", arrays("people", images), 32, **about)
    (row,) = probe([encoder], [task], ["face"], solver="lbfgs", seed=0, out=tmp_path, cache=tmp_path / "f")
    model = pcl_tf.load(row["probe"])
    (pairs_head,) = model.heads
    assert pairs_head.threshold == row["learnt"]["protocol"]["thresholds"][0]
    assert pairs_head.measured["value"] == row["learnt"]["value"]
    with open(row["predictions"], newline="") as f:
        first = [line for line in csv.DictReader(f) if line["fold"] == "0"][:2]  # by the layer of the first fold
    for line, (a, b) in zip(first, pairs, strict=False):
        same, above = model.same_person(images[a], images[b])
        assert above == pytest.approx(float(line["whitened_cosine"]) - pairs_head.threshold, abs=1e-3)
        assert same == (line["whitened_predicted"] == "1")
    with pytest.raises(Refused, match="has no head of pairs"):
        pcl_tf.load("pixels").same_person(images[0], images[1])
