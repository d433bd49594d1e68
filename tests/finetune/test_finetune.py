"""The command: from a manifest to an export that answers with labels, stopped and gone on with."""

import csv
import dataclasses
import json
import os
import re
import shutil
import signal
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
import yaml
from PIL import Image

from pcl_tf.encoders.head import Head
from pcl_tf.finetune import fit, run
from pcl_tf.serving.classifier import save_classifier
from pcl_tf.store import alone
from tests.helpers import labelled
from tests.helpers.commands import ended, refused
from tests.helpers.killed import Killed
from tests.serving.test_card import ROW


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with encoder.keras and faces.csv."""
    folder = tmp_path_factory.mktemp("place")
    labelled.encoder().save(folder / "encoder.keras")
    labelled.write_manifest(folder)
    return folder


def arguments(place, *more, out):
    task = f"--task=classification:{place / 'faces.csv'}"
    fast = ["--epochs=3", "--batch_size=16", "--rate=0.003", "--image_size=32"]
    return ["finetune", f"--model={place / 'encoder.keras'}", task, *fast, f"--out={out}", *more]


@pytest.fixture(scope="module")
def done(place, tmp_path_factory):
    """(what the command printed, its only row, the export)."""
    out = tmp_path_factory.mktemp("out")
    code, said, error = ended(*arguments(place, "--groups=expression", out=out))
    assert code in (0, None), error
    (row,) = json.loads((out / "result.json").read_text())["results"]
    return said, row, out / row["run"] / "export/1"


@pytest.fixture(scope="module")
def exported(done):
    """What TensorFlow loads of the export."""
    return tf.saved_model.load(str(done[2]))


def answers(model, *images):
    found = model.signatures["serving_default"](image_bytes=tf.constant(images))
    return {key: value.numpy() for key, value in found.items()}


def test_the_result_is_one_of_probes_and_nothing_is_written_beside_the_model(done, place):
    said, row, export = done
    out = export.parents[2]
    assert row["solver"] == "finetune" and row["metric"] == "accuracy"
    answered = list(csv.DictReader(open(row["predictions"])))
    assert row["value"] == np.mean([line["label"] == line["predicted"] for line in answered]) and len(answered) == 20
    assert row["counts"] == {"train": 59, "test": 20, "folds": 1, "unreadable": 1}
    assert "confusion" in row["pictures"] and "finetune" in (out / "tables.md").read_text()
    assert [run.name[-8:] for run in (out / "logs").iterdir()] == [row["run"][-8:]]
    assert "1 of 80 images cannot be read" in row["notes"][0] and set(row["detail"]) == {"left", "right"}
    assert re.search(r"epoch 1 of 3: loss .* at most \d+:\d\d:\d\d to go", said) and str(export) in said
    assert f"{100 * row['value']:.2f}" in said
    assert ("No epoch was better than the start" in said) == (row["protocol"]["best_epoch"] == 0)
    assert not list(export.parents[1].glob("states"))  # nothing of the training is left
    assert sum({**row["groups"]["expression"]["too_few"]}.values()) == 20  # told, though too few to be scored
    assert list(out.glob("features/faces-*/faces")) and not (place / "probe").exists()
    assert os.path.dirname(row["predictions"]) == str(out)


def test_the_export_answers_with_labels_from_image_files(done, exported, place):
    _, row, export = done
    rows = [i for i in range(labelled.COUNT) if i % 4 == 3]
    found = answers(exported, *((place / f"{i}.png").read_bytes() for i in rows))
    assert found["classes"].shape == found["scores"].shape == (20, 2)
    assert found["classes"].tolist() == [[b"left", b"right"]] * 20
    np.testing.assert_allclose(found["scores"].sum(1), 1.0, atol=1e-5)
    turned = (labelled.faces()[0]["angles"][rows, 0] > 0).astype(int)
    assert (found["scores"].argmax(1) == turned).mean() == pytest.approx(row["value"])
    assert (export / "assets/labels.txt").read_text() == "left\nright\n"
    faces = np.stack([np.asarray(Image.open(place / f"{i}.png")) for i in rows]).astype(np.float32) / 255
    predict = exported.signatures["predict"]
    np.testing.assert_allclose(predict(images=faces)["scores"], found["scores"], atol=1e-5)
    with pytest.raises(tf.errors.InvalidArgumentError):
        answers(exported, b"no image")
    assert (export / "assets.extra/tf_serving_warmup_requests").is_file()


def test_its_card_loads_it_and_what_is_stated_later_reaches_it(done, place, tmp_path, monkeypatch):
    text = (done[2] / "README.md").read_text()
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["pipeline_tag"] == "image-classification" and front["metrics"] == ["accuracy"]
    assert front["model-index"][0]["results"][0]["metrics"][0]["value"] == done[1]["value"]
    assert "those held out among them: 59" in text and "| `rate` | 0.003 |" in text
    assert (
        "step 0" not in text and "as their user states them: not known here" in text
    )  # of this encoder no step is known
    out = shutil.copytree(done[2].parents[2], tmp_path / "out")
    code, said, error = ended(*arguments(place, "--groups=expression", "--data_terms=a | b", "--license=MIT", out=out))
    assert not code and "done already" in said and "epoch" not in said, error
    text = (out / done[1]["run"] / "export/1/README.md").read_text()
    assert "as their user states them: a | b" in text and yaml.safe_load(text.split("---\n")[1])["license"] == "mit"
    code, _, error = ended(*arguments(place, "--groups=expression", out=out))  # what was stated stays
    assert not code and next(out.glob("*/export/1/README.md")).read_text() == text, error
    monkeypatch.chdir(out / done[1]["run"] / "export/1")
    shutil.copy(place / "0.png", "face.jpg")
    names = {}
    exec(compile(re.search(r"```python\n(.*?)```", text, re.S)[1], "README.md", "exec"), names)
    assert names["found"]["classes"].shape == (1, 2)


@pytest.mark.slow
def test_a_result_that_was_killed_before_its_files_were_written_gets_them(place, tmp_path, monkeypatch):
    killed, more = mock.Mock(side_effect=Killed), ["--epochs=1"]
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(run.Results, "write_files", killed)
        ended(*arguments(place, *more, out=tmp_path))
    (row,) = json.loads((tmp_path / "result.json").read_text())["results"]
    (state,) = tmp_path.glob("*/states/fold0")
    monkeypatch.setattr(fit.keras.Model, "fit", mock.Mock(side_effect=AssertionError("trained again")))
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(run, "forget", killed)
        ended(*arguments(place, *more, out=tmp_path))  # evaluates what is kept
    (whole,) = json.loads((tmp_path / "result.json").read_text())["results"]
    assert whole["value"] == row["value"] and os.path.isfile(whole["predictions"]) and state.is_dir()
    code, said, error = ended(*arguments(place, *more, out=tmp_path))
    assert not code and "done already" in said and not state.exists(), error


def test_two_processes_are_not_at_one_fine_tuning_and_groups_that_are_not_told_are_not_done(done, place):
    with alone(done[2].parents[1] / ".lock", ""):
        said = refused(*arguments(place, out=done[2].parents[2]))
        assert "another process is at this fine-tuning" in said
    task = dataclasses.replace(labelled.task("classification"), groups={"age": np.array(["old"] * labelled.COUNT)})
    assert run.done([done[1]], done[1]["run"], task) is None
    assert run.done([done[1]], done[1]["run"], dataclasses.replace(task, groups={})) == done[1]


def test_a_signal_while_the_start_is_evaluated_stops_before_the_first_epoch(place, tmp_path, monkeypatch):
    evaluate = fit.keras.Model.evaluate
    interrupted = lambda *args, **more: os.kill(os.getpid(), signal.SIGTERM) or evaluate(*args, **more)  # noqa: E731
    monkeypatch.setattr(fit.keras.Model, "evaluate", interrupted)
    code, said, _ = ended(*arguments(place, "--epochs=0", out=tmp_path))
    assert code == 128 + signal.SIGTERM and "SIGTERM: stopping" in said


@pytest.mark.slow
def test_a_stopped_command_ends_as_if_it_had_not_been_stopped(done, place, tmp_path, monkeypatch):
    before, trained = signal.getsignal(signal.SIGTERM), fit.keras.Model.fit

    def interrupted(model, *given, initial_epoch, **more):
        if initial_epoch == 1:  # Ctrl-C is ignored where the tests run in the background
            os.kill(os.getpid(), signal.SIGTERM)
        return trained(model, *given, initial_epoch=initial_epoch, **more)

    with monkeypatch.context() as patched:
        patched.setattr(fit.keras.Model, "fit", interrupted)
        code, said, _ = ended(*arguments(place, out=tmp_path))
    assert code == 143 and signal.getsignal(signal.SIGTERM) == before
    assert "The best weights so far are in" in said and not (tmp_path / "result.json").exists()
    (losses,) = tmp_path.glob("*/states/fold0/losses.json")
    assert len(json.loads(losses.read_text())) == 2 and (losses.parent / "best.keras").is_file()
    code, said, _ = ended(*arguments(place, out=tmp_path))
    assert "resuming after epoch 1" in said
    (row,) = json.loads((tmp_path / "result.json").read_text())["results"]
    assert row["protocol"]["held_out_loss"] == pytest.approx(done[1]["protocol"]["held_out_loss"], rel=1e-5)
    assert row["value"] == done[1]["value"] and row["run"] == done[1]["run"]


def test_a_damaged_state_is_no_obstacle(tmp_path, capsys):
    model = labelled.encoder()
    lesson = fit.Lesson(np.zeros((8, 32, 32, 3), np.uint8), np.zeros((8, 8), np.float32), *[np.arange(8)] * 2, "mse")
    build = lambda: fit.keras.Model(model.input, model.output["face"])  # noqa: E731
    fit.train(build, lesson, tmp_path / "whole", fit.Options(epochs=0))
    for name in ("last.keras", "best.keras", "losses.json"):
        folder = shutil.copytree(tmp_path / "whole", tmp_path / name)
        (folder / name).write_bytes((folder / name).read_bytes()[: (folder / name).stat().st_size // 2])
        _, losses = fit.train(build, lesson, folder, fit.Options(epochs=0))
        said = capsys.readouterr().out
        assert len(losses) == 1 and "is unreadable" in said and "begins again" in said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--labels=0"], "--labels"),
        (["--rate=0"], "--rate"),
        (["--feature=hair"], "--feature=hair: value should be one of"),
        (["--labels=0.01"], "labelled images are left to teach; at least 5 are needed"),
        (["--groups=hair"], "--groups=hair: no such column"),
        (["--targets=hair"], "--targets=hair: no such column"),
        (["--model=hog"], "--model=hog: cannot be fine-tuned"),
        (["--task=verification:PLACE/pairs.csv"], "--task=verification: pairs have no labels"),
        (["--out=PLACE/faces.csv"], "cannot be written to (Not a directory)"),
    ],
)
def test_it_is_refused_before_anything_is_decoded(more, said, place, tmp_path, monkeypatch):
    (place / "pairs.csv").write_text("fold,path1,path2,same\n0,0.png,2.png,1\n1,3.png,4.png,0\n")
    monkeypatch.setattr("pcl_tf.finetune.run.extract", mock.Mock(side_effect=AssertionError("decoded")))
    more = [m.replace("PLACE", str(place)) for m in more]
    assert said in refused(*arguments(place, *more, out=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_pictures_are_answered_by_the_same_scores_and_embedded_by_its_encoder(done, exported, place):
    import pcl_tf

    paths = [place / f"{i}.png" for i in (0, 2)]
    model, expected = pcl_tf.load(done[2].parents[1]), answers(exported, *(path.read_bytes() for path in paths))
    rows = list(model.predict(paths))
    found = [[row[f"p_{name.decode()}"] for name in expected["classes"][0]] for row in rows]
    np.testing.assert_allclose(found, expected["scores"], atol=1e-4)
    assert rows[0]["faces"] == expected["classes"][0][expected["scores"][0].argmax()].decode()
    before = pcl_tf.load(place / "encoder.keras", image_size=32).embed(paths).features
    features = model.embed(paths).features
    assert features.keys() == before.keys() and not np.allclose(features["face"], before["face"], atol=1e-3)


def test_a_regression_answers_with_its_targets(tmp_path):
    import keras

    model = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    weights, bias = model.layers[-1].get_weights()
    head = Head("pose", "regression", "face", ("yaw", "pitch"), ("degrees",) * 2, 16, "", {}, weights, bias)
    row = {**ROW, "kind": "regression", "protocol": {}}
    path = save_classifier(model, tmp_path, head, recipe_json="{}", step=0, row=row, about={})
    face = np.random.RandomState(0).randint(0, 256, (16, 16, 3), np.uint8)
    saved = tf.saved_model.load(str(path))
    found = answers(saved, tf.io.encode_png(face).numpy())
    assert found["targets"].tolist() == [[b"yaw", b"pitch"]]
    np.testing.assert_allclose(found["values"], model(face[None] / np.float32(255)), atol=1e-5)
