"""The probe command on a real export, and its saved probes in a process that cannot import pcl_tf."""

import csv
import json
import os
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pcl_tf import recipe as recipes
from pcl_tf.methods.build import build_encoder
from pcl_tf.serving.export import save_export
from recipes import quickstart
from tests.helpers.commands import done, refused


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """A run with an export of an untrained small encoder."""
    c = quickstart.get_config("smoke")
    path = tmp_path_factory.mktemp("run")
    encoder = build_encoder(c, None, portable=True)  # as a run exports it
    save_export(encoder, path / "export", step=7, image_size=32, recipe_json=recipes.to_json(c))
    return path


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """Two kinds of image that anything can tell apart, as a manifest; the label is in no file name."""
    root, r = tmp_path_factory.mktemp("faces"), np.random.RandomState(0)
    rows = ["path,label,split,age"]
    for i in range(60):
        image = r.randint(90, 110, size=(32, 32, 3), dtype=np.uint8)
        image[:16] += np.uint8(100 * (i % 2))
        Image.fromarray(image).save(root / f"{i}.png")
        rows.append(
            f"{i}.png,{'dark' if i % 2 == 0 else 'light'},{'train' if i < 40 else 'test'},{'old' if i < 50 else ''}"
        )
    (root / "m.csv").write_text("\n".join(rows))
    return root


@pytest.fixture(scope="module")
def probed(workdir, faces):
    """One run of the command and its result."""
    ended = done(
        "probe",
        f"--model={workdir},hog",
        f"--task=classification:{faces / 'm.csv'}",
        "--feature=face_aware,face+pose",
        "--image_size=32",
        "--groups=age",
    )
    return ended, json.loads((workdir / "probe" / "result.json").read_text())["results"]


def test_the_result_says_everything(probed):
    ended, rows = probed
    assert [(r["model_step"], r["feature"]) for r in rows] == [(7, "face_aware"), (7, "face+pose"), (0, "face_aware")]
    first = rows[0]
    assert first["metric"] == "accuracy" and first["value"] == 1.0 and first["interval"] == [1.0, 1.0]
    assert first["counts"] == {"train": 40, "test": 20, "folds": 1, "unreadable": 0}
    assert first["detail"] == {"dark": 1.0, "light": 1.0} and first["protocol"]["solver"] == "lbfgs"
    assert first["images_encoded"] == 60 and rows[1]["images_encoded"] == 0
    assert len(first["recipe_hash"]) == 16 and rows[2]["recipe_hash"] is None
    assert "100.00" in ended.stdout


def test_the_second_model_is_compared_with_the_first(probed, workdir):
    ended, rows = probed
    assert ["difference" in r for r in rows] == [False, False, True]
    less = rows[2]["difference"]
    assert less["to"] == rows[0]["model"] and less["value"] == pytest.approx(rows[2]["value"] - rows[0]["value"])
    assert ended.stdout.count("accuracy, less") == 1
    assert "accuracy, less" in (workdir / "probe" / "tables.md").read_text()


def test_groups_reach_the_screen_the_result_and_the_predictions(probed):
    ended, rows = probed
    told = rows[0]["groups"]["age"]
    assert told["groups"]["old"]["count"] == told["without"] == 10 and told["gap"] is None
    assert ended.stdout.count("age: old") == ended.stdout.count("age: of no group: 10") == 3
    with open(rows[0]["predictions"], newline="") as f:
        kept = list(csv.DictReader(f))
    assert [(r["image"], r["age"]) for r in kept] == [(f"{i}.png", "old" if i < 50 else "") for i in range(40, 60)]
    assert all(r["label"] == r["predicted"] and float(r[f"score_{r['label']}"]) > 0.5 for r in kept)


def test_a_second_call_encodes_nothing_and_repeats_exactly(probed, workdir, faces):
    args = [f"--model={workdir}", f"--task=classification:{faces / 'm.csv'}", "--image_size=32", "--feature=face+pose"]
    done("probe", *args, "--groups=age")
    rows = json.loads((workdir / "probe" / "result.json").read_text())["results"]
    assert [(r["model"], r["feature"]) for r in rows] == [(r["model"], r["feature"]) for r in probed[1]]
    row, before = rows[1], dict(probed[1][1])
    assert row["images_encoded"] == 0 and {k: v for k, v in row.items() if k != "model"} == {
        k: v for k, v in before.items() if k != "model"
    }


def test_scalars_are_in_tensorboard(probed, workdir):
    found, runs = {}, sorted((workdir / "probe" / "logs").iterdir())
    assert [r.name for r in runs] == ["hog-1", f"{workdir.name}-{probed[1][0]['model_digest'][:8]}"]
    for path in runs[1].glob("events*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for v in event.summary.value:
                if not v.tensor.tensor_shape.dim:  # not the pictures
                    found[v.tag, event.step] = float(tf.make_ndarray(v.tensor))
    assert found["probe/m/face_aware/accuracy", 7] == 1.0 and found["probe/m/face_aware/detail/dark", 7] == 1.0


def test_the_saved_probe_runs_from_image_to_label_without_pcl_tf(probed, faces, tmp_path):
    for row in probed[1][:2]:
        shutil.copy(row["probe"], tmp_path / "probe.keras")
        code = """
            import sys, numpy as np
            from PIL import Image
            sys.modules["pcl_tf"] = None
            import keras
            probe = keras.models.load_model(sys.argv[1])
            images = np.stack([np.asarray(Image.open(f"{sys.argv[2]}/{i}.png")) for i in range(40, 60)]) / np.float32(255)
            out = probe.predict(images, verbose=0)
            assert np.allclose(out.sum(1), 1, atol=1e-5)
            assert list(out.argmax(1)) == [0, 1] * 10
        """
        args = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "probe.keras"), str(faces)]
        ran = subprocess.run(args, capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": ""})
        assert ran.returncode == 0, ran.stderr[-2000:]


def test_the_export_and_its_keras_form_agree(workdir):
    from pcl_tf.encoders.encoder import open_encoder

    faces = np.random.RandomState(0).randint(256, size=(5, 48, 48, 3), dtype=np.uint8)
    export = workdir / "export" / "7"
    a, b = (open_encoder(str(p)).embed(faces) for p in (export, export / "assets" / "encoder.keras"))
    assert a.keys() == b.keys()
    for key in a:
        np.testing.assert_allclose(a[key], b[key], atol=1e-5)


@pytest.mark.parametrize(
    ("args", "match"),
    [
        (["--model=/nowhere", "--task=generated_pose"], "--model=/nowhere"),
        (["--model=hog", "--task=lfw"], "--task=lfw: where is it? --task=lfw:PATH or the folder of corpora"),
        (["--model=hog", "--task=nope"], "--task=nope: not one of"),
        (["--model=hog"], "--task is needed"),
        (["--model=hog", "--task=generated_pose", "--feature=hair"], "--feature=hair"),
    ],
)
def test_errors_are_one_line(args, match, tmp_path):
    said = done("probe", *args, f"--out={tmp_path}", code=2).stderr
    assert match in said and "Traceback" not in said


def test_neighbours_score_no_pairs():
    tasks = "--task=generated_pose,generated_verification"
    said = refused("probe", "--model=hog", tasks, "--solver=knn", "--image_size=16")
    assert "--solver=knn: generated_verification compares pairs" in said
