"""The probe command on a real export, and its saved probes."""

import csv
import json

import keras
import numpy as np
import pytest
from PIL import Image

from pcl_tf import recipe as recipes
from pcl_tf.encoders.encoder import open_encoder
from pcl_tf.methods.build import build_encoder
from pcl_tf.serving.export import save_export
from recipes import quickstart
from tests.helpers.commands import done, refused
from tests.helpers.keras_files import packages_of


@pytest.fixture(scope="module")
def probed(tmp_path_factory):
    """(workdir, faces, what one run of the command printed): an untrained small encoder on two kinds of image.

    Anything can tell them apart; the label is in no file name. The workdir has a comma in its name.
    """
    c = quickstart.get_config("smoke")
    workdir, faces = (tmp_path_factory.mktemp(name) for name in ("lr=1,bs=2", "f"))
    encoder = build_encoder(c, None, portable=True)  # as a run exports it
    save_export(encoder, workdir / "export", step=7, image_size=32, recipe_json=recipes.to_json(c))
    r, rows = np.random.RandomState(0), ["path,label,split,age"]
    for i in range(60):
        image = r.randint(90, 110, size=(32, 32, 3), dtype=np.uint8)
        image[:16] += np.uint8(100 * (i % 2))
        Image.fromarray(image).save(faces / f"{i}.png")
        rows.append(f"{i}.png,{('dark', 'light')[i % 2]},{('train', 'test')[i >= 40]},{'old' * (i < 50)}")
    (faces / "m.csv").write_text("\n".join(rows))
    asked = ["--feature=face_aware,face+pose", "--image_size=32", "--groups=age"]
    ended = done("probe", f"--model={workdir},hog", f"--task=classification:{faces / 'm.csv'}", *asked)
    return workdir, faces, ended.stdout


def results(workdir):
    return json.loads((workdir / "probe" / "result.json").read_text())["results"]


def test_the_result_the_screen_and_the_predictions_say_everything(probed):
    workdir, _, printed = probed
    rows = results(workdir)
    assert [(r["model_step"], r["feature"]) for r in rows] == [(7, "face_aware"), (7, "face+pose"), (0, "face_aware")]
    first = rows[0]
    assert first["metric"] == "accuracy" and first["value"] == 1.0 and first["interval"] == [1.0, 1.0]
    assert first["counts"] == {"train": 40, "test": 20, "folds": 1, "unreadable": 0}
    assert first["detail"] == {"dark": 1.0, "light": 1.0} and first["protocol"]["solver"] == "lbfgs"
    assert first["images_encoded"] == 60 and rows[1]["images_encoded"] == 0
    assert len(first["recipe_hash"]) == 16 and rows[2]["recipe_hash"] is None and "100.00" in printed
    assert ["difference" in r for r in rows] == [False, False, True]
    less = rows[2]["difference"]
    assert less["to"] == first["model"] and less["value"] == pytest.approx(rows[2]["value"] - first["value"])
    assert printed.count("accuracy, less") == 1 and "accuracy, less" in (workdir / "probe" / "tables.md").read_text()
    age = first["groups"]["age"]
    assert age["groups"]["old"]["count"] == age["without"] == 10 and age["gap"] is None
    assert printed.count("age: old") == printed.count("age: of no group: 10") == 3
    with open(first["predictions"], newline="") as f:
        predicted = list(csv.DictReader(f))
    assert [(r["image"], r["age"]) for r in predicted] == [(f"{i}.png", "old" * (i < 50)) for i in range(40, 60)]
    assert all(r["label"] == r["predicted"] and float(r[f"score_{r['label']}"]) > 0.5 for r in predicted)
    assert sorted(p.name for p in (workdir / "probe" / "logs").iterdir())[0] == "hog-hog-1"


def test_a_second_call_encodes_nothing_and_repeats_exactly(probed):
    workdir, faces, _ = probed
    before = results(workdir)
    args = [f"--model={workdir}", f"--task=classification:{faces / 'm.csv'}", "--image_size=32", "--feature=face+pose"]
    done("probe", *args, "--groups=age")
    assert results(workdir) == before


def test_the_saved_probe_is_a_keras_model_from_image_to_label_without_pcl_tf(probed):
    images = np.stack([np.asarray(Image.open(probed[1] / f"{i}.png")) for i in range(40, 60)]) / np.float32(255)
    for row in results(probed[0])[:2]:
        assert packages_of(row["probe"]) == {"keras"}
        out = np.asarray(keras.models.load_model(row["probe"])(images))
        np.testing.assert_allclose(out.sum(1), 1, atol=1e-5)
        assert list(out.argmax(1)) == [0, 1] * 10


def test_the_export_and_its_keras_form_agree(probed):
    faces = np.random.RandomState(0).randint(256, size=(5, 48, 48, 3), dtype=np.uint8)
    export = probed[0] / "export" / "7"
    a, b = (open_encoder(str(p)).embed(faces) for p in (export, export / "assets" / "encoder.keras"))
    assert a.keys() == b.keys()
    for key in a:
        np.testing.assert_allclose(a[key], b[key], atol=1e-5)


@pytest.mark.parametrize(
    ("args", "match"),
    [
        (["--model=hog", "--task=lfw"], "--task=lfw: where is it? --task=lfw:PATH or the folder of corpora"),
        (["--model=hog"], "--task is needed"),
        (["--model=hog", "--task=generated_pose", "--feature=hair"], "--feature=hair"),
    ],
)
def test_errors_are_one_line(args, match, tmp_path):
    assert match in refused("probe", *args, f"--out={tmp_path}")
