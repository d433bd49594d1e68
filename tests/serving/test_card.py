"""The model card: read as hubs read it, true of its export, and honest about what is not known."""

import json
import re
import shutil

import numpy as np
import pytest
import yaml
from PIL import Image

from pcl_tf import recipe as recipes
from pcl_tf.provenance import provenance
from pcl_tf.serving import card
from recipes import small64

RECIPE = recipes.to_json(small64.get_config("smoke"))
ROW = {"model": "run", "model_step": 7, "task": "a/faces", "task_name": "faces", "kind": "classification"}
ROW |= {"feature": "face_aware", "solver": "lbfgs", "metric": "accuracy", "value": 0.5123, "interval": [0.48, 0.54]}
ROW |= {"counts": {"train": 10, "test": 600}}


@pytest.fixture
def workdir(tmp_path):
    """A workdir with the assets of export 7 alone."""
    assets = tmp_path / "export/7/assets"
    assets.mkdir(parents=True)
    (assets / "recipe.json").write_text(RECIPE)
    (assets / "provenance.json").write_text(provenance(RECIPE, 7))
    (tmp_path / "probe").mkdir()
    return tmp_path


def written(workdir):
    """(front matter as a hub reads it, the text below it) of the card of export 7."""
    card.write_card(workdir / "export/7", workdir)
    _, front, text = (workdir / "export/7/README.md").read_text().split("---\n", 2)
    return yaml.safe_load(front), text


def probed(workdir, *changes):
    digest = json.loads((workdir / "export/7/assets/provenance.json").read_text())["recipe_hash"]
    rows = [{**ROW, "recipe_hash": digest, **change} for change in changes]
    (workdir / "probe/result.json").write_text(json.dumps({"results": rows}))


def test_what_is_not_known_is_not_claimed(workdir):
    front, text = written(workdir)
    assert front["library_name"] == "tensorflow" and front["pipeline_tag"] == "image-feature-extraction"
    assert "pcl" in front["tags"] and not {"license", "metrics", "model-index"} & set(front)
    assert "as its user states them: not known here" in text and "None was found in the workdir" in text
    assert "without labels for 7 steps" in text and "| `batch_size` | 32 |" in text
    (workdir / "export/7/assets/provenance.json").write_text(provenance(RECIPE, 0))
    for name in ("probe/result.json", "result.json"):
        (workdir / name).write_text("{")
    text = written(workdir)[1]
    assert "untrained, or were taken over" in text and "trained without labels for" not in text


def test_what_is_stated_stays_for_later_cards(workdir):
    card.state(workdir, license="CC-BY-NC-4.0", data_terms="VoxCeleb:\nresearch | only")
    card.state(workdir, license=None, data_terms=None)
    front, text = written(workdir)
    assert front["license"] == "cc-by-nc-4.0" and "as its user states them: VoxCeleb: research | only\n" in text
    card.state(workdir, license='Mine: "no" sale', data_terms=None)
    front, text = written(workdir)
    assert (front["license"], front["license_name"]) == ("other", 'Mine: "no" sale') and "research | only" in text


def test_only_probes_of_these_weights_are_in_it(workdir):
    others = {"model_step": 8}, {"recipe_hash": "another"}
    probed(workdir, {}, {"metric": "MAE", "value": 7.5, "kind": "regression", "task": "pose"}, *others)
    front, text = written(workdir)
    assert front["metrics"] == ["accuracy", "mae"]
    first, second = front["model-index"][0]["results"]
    assert first["metrics"][0]["type"] == "accuracy" and first["metrics"][0]["value"] == 0.5123
    assert first["task"]["type"] == "image-classification" and first["dataset"] == {"name": "a/faces", "type": "faces"}
    assert second["metrics"] == [{"type": "mae", "value": 7.5, "name": "MAE of face_aware"}]
    rows = [line for line in text.splitlines() if "lbfgs" in line]
    assert rows[0] == "| a/faces | face_aware | lbfgs | accuracy | 51.23 % | 48.00 .. 54.00 | 600 |"
    assert len(rows) == 2 and "| MAE | 7.50 | 0.48 .. 0.54 |" in rows[1]


def test_the_card_names_the_faces_without_the_path_to_them(workdir):
    for source, said in (
        ("/d/voxceleb/64px_6fps/1.0.0", "Faces of voxceleb/64px_6fps."),
        ("/d/celeba,tfds:lfw:test", "Faces of celeba, tfds:lfw:test."),
        ("generated", "Rendered heads (`pcl_tf.heads`): they show nobody"),
    ):
        recipe = json.loads(RECIPE)
        recipe["data"]["source"] = source
        (workdir / "export/7/assets/recipe.json").write_text(json.dumps(recipe))
        assert f"\n{said}" in written(workdir)[1]
    for group, key, value in (("method", "vgg", "vgg19.h5"), ("network", "weights", "faces64")):
        recipe = json.loads(RECIPE)
        recipe["data"]["source"], recipe[group][key] = "generated", value
        (workdir / "export/7/assets/recipe.json").write_text(json.dumps(recipe))
        assert "nothing was learnt of photographs" not in written(workdir)[1]
    for step in (7, 8):  # their number, of a run of another step, is not theirs
        (workdir / "result.json").write_text(json.dumps({"step": step, "faces": 12345}))
        assert ("of them: 12,345" in written(workdir)[1]) == (step == 7)


def test_every_export_has_a_card_whose_code_loads_it(export, tmp_path, monkeypatch):
    text = (export / "README.md").read_text()
    assert yaml.safe_load(text.split("---\n")[1])["library_name"] == "tensorflow"
    assert "a method that is not known here" in text and "Which faces it was trained on is not known here" in text
    shutil.copytree(export, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save("face.jpg")
    names = {}
    (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
    exec(compile(code, "README.md", "exec"), names)
    assert names["features"]["face_aware"].shape[0] == 1
    assert names["model"].embed(np.zeros((2, 40, 40, 3), np.float32))["pose"].shape[0] == 2
