"""The code of every README does what it says: python blocks run, and so do commands on a few faces."""

import pathlib
import re
import shlex
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from pcl_tf import recipe as recipes
from pcl_tf.networks.encoder import encoder
from pcl_tf.serving.export import save_backbone, save_export
from tests.helpers import labelled
from tests.helpers.commands import done

ROOT = pathlib.Path(__file__).resolve().parents[1]
READMES = [ROOT / "README.md", *sorted((ROOT / "pcl_tf").rglob("README.md")), ROOT / "recipes" / "README.md"]
TEXTS = {path: path.read_text() for path in READMES}


def blocks():
    """Blocks of python, each once, but those of pandas, which is no dependency."""
    found = (b for text in TEXTS.values() for b in re.findall(r"```python\n(.*?)```", text, re.S))
    return dict.fromkeys(b for b in found if "pandas" not in b.partition("\n")[0])


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """A folder in which README's python may run: a small quick start and a photograph."""
    root = tmp_path_factory.mktemp("readme")
    keras.utils.set_random_seed(0)
    small, run = encoder(None, width=0.125), root / "runs" / "quickstart"
    steps = recipes.named("quickstart").total_steps
    save_export(small, run / "export", step=steps, image_size=32, recipe_json="{}")
    save_backbone(small, run / "backbone.keras")
    noise = np.random.RandomState(0).randint(0, 256, (320, 320, 3), np.uint8)
    Image.fromarray(noise).save(root / "face.jpg", quality=98)
    (root / "photos").mkdir()
    for i, path in enumerate(["a.jpg", "b.jpg", *(f"photos/{k}.png" for k in range(9))]):
        Image.fromarray(np.roll(noise[:40, :40] // (1 + i % 3), 7 * i)).save(root / path)
    return root


@pytest.mark.slow
@pytest.mark.parametrize("code", blocks())
def test_python_runs(code, place, monkeypatch):
    monkeypatch.chdir(place)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    if "pcl_tf" in names:
        assert "pipeline" in names or names["table"].names.tolist() == [f"{k}.png" for k in range(9)]
        return
    if "encoder" in names:
        assert names["features"]["pose"].shape[0] == len(names["faces"])
        return
    if "clip" in names:
        assert names["faces"].shape == (64, 64, 64, 3) and len(names["clip"]["angles"]) == 100
        return
    model = names["model"]
    if not isinstance(model, keras.Model):
        assert [v.shape[0] for v in (names["features"][k] for k in ("face_aware", "face", "pose"))] == [1, 1, 1]
        return
    before = model.get_weights()
    model.fit(np.random.RandomState(0).rand(4, 32, 32, 3), np.arange(4) % 7, verbose=0)
    moved = sum(not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    if "trainable = False" in code:
        assert moved == len(model.trainable_weights) == 2
    else:
        assert moved > 2


def test_links_lead_somewhere():
    for name, text in TEXTS.items():
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", re.sub(r"```.*?```", "", text, flags=re.S)):
            if "://" not in target:
                assert name.parent.joinpath(target).exists(), f"{name}: {target}"


# What is added to a line that runs on a few small faces, so that it takes seconds.
FEW = {
    "heads": ["--count=48", "--image_size=32"],
    "embed": ["--image_size=32"],
    "probe": ["--image_size=32"],
    "finetune": ["--image_size=32", "--epochs=1"],
    "neighbours": [],
}


def lines_for_a_few_faces():
    """(README, module, arguments) of commands in blocks that work on the encoder of the quick start."""
    found = []
    for name, text in TEXTS.items():
        for block in re.findall(r"```bash\n(.*?)```", text, re.S):
            for module, words in re.findall(r"^python -m pcl_tf\.([a-z]+) (.*)$", block, re.M):
                if module in FEW and not re.search("runs/(vox64|fabnet)", words):  # these take hours
                    words = words.replace("runs/mine", "runs/quickstart")
                    found.append((name, module, shlex.split(words, comments=True)))
    return found


@pytest.mark.slow
def test_commands_run_as_they_are_written(place, tmp_path, monkeypatch):
    """Those on the quick start's encoder, file by file in their order, on eighty faces and a photograph."""
    lines = lines_for_a_few_faces()
    assert {module for _, module, _ in lines} == FEW.keys()
    shutil.copytree(place, tmp_path, dirs_exist_ok=True)
    (tmp_path / "faces").mkdir()
    rows = labelled.write_manifest(tmp_path / "faces").read_text().splitlines()
    labels = [f"faces/{row},{20 + i % 2},{'mf'[i % 2]}" for i, row in enumerate(rows[1:])]
    (tmp_path / "faces.csv").write_text("\n".join([f"{rows[0]},age,gender", *labels]))
    monkeypatch.chdir(tmp_path)
    for name, module, words in lines:
        words = ["--data=faces" if word == "--data=DIR_OR_ZIP" else word for word in words]
        if "faces.csv" in " ".join(words) and module == "probe":
            words += ["--targets=label"]  # the file has columns for all of these commands
        print(name, module, *words)
        done(module, *words, *FEW[module])
