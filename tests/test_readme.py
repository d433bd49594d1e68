"""README's code does what README says: python blocks run, commands have the flags they name."""

import base64
import json
import pathlib
import re
import shlex
import subprocess

import keras
import numpy as np
import pytest
from PIL import Image

from pcl_tf import __main__ as console
from pcl_tf import recipe as recipes
from pcl_tf.networks.encoder import encoder
from pcl_tf.serving.export import save_backbone, save_export
from recipes import common

ROOT = pathlib.Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.S)


def commands():
    """(module, its arguments) of every python -m pcl_tf.* in README, blocks and sentences alike."""
    joined = re.sub(r"\\\n\s*", " ", TEXT)
    lines = [line for block in re.findall(r"```bash\n(.*?)```", joined, re.S) for line in block.splitlines()]
    lines += [
        " ".join(x.split()) for x in re.findall(r"(?<!`)`([^`]+)`(?!`)", re.sub(r"```.*?```", "", joined, flags=re.S))
    ]
    found = [re.search(r"python -m pcl_tf\.(\w+)(.*)", line) for line in lines]
    return [(m[1], re.split(r"[|']", m[2])[0]) for m in found if m and m[1] != "NAME"]  # a sentence about all of them


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """A folder in which README's python may run: a small quick start and a photograph."""
    root = tmp_path_factory.mktemp("readme")
    keras.utils.set_random_seed(0)
    small, run = encoder(None, width=0.125), root / "runs" / "quickstart"
    save_export(small, run / "export", 250, 32, "{}")
    save_backbone(small, run / "backbone.keras")
    noise = np.random.RandomState(0).randint(0, 256, (320, 320, 3), np.uint8)
    Image.fromarray(noise).save(root / "face.jpg", quality=98)
    return root


@pytest.mark.parametrize("code", blocks("python"))
def test_python_runs(code, place, monkeypatch):
    monkeypatch.chdir(place)
    names = {}
    exec(compile(code, "README.md", "exec"), names)
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


def test_there_are_blocks_to_run():
    assert len(blocks("python")) >= 3 and len(commands()) > 15


@pytest.mark.parametrize("module, text", commands())
def test_commands_have_the_flags_they_name(module, text):
    source = console.source(module).read_text()
    defined = set(re.findall(r'DEFINE_\w+\(\s*"(\w+)"', source))
    keys = recipes.flatten(common.base())
    for name in re.findall(r"--([a-zA-Z_]\w*(?:\.\w+)*)", text):
        if name.startswith("recipe."):
            assert name.removeprefix("recipe.") in keys, name
        else:
            assert name in defined | {"helpfull"}, f"pcl_tf.{module} has no --{name}"


def test_a_photograph_reaches_the_server(place, tmp_path):
    joined = next(b for b in blocks("bash") if "b64" in b).replace("|\n", "|")
    line = next(line for line in joined.splitlines() if "b64" in line)
    assert (place / "face.jpg").stat().st_size > 130_000  # as one argument, more than Linux takes
    curl = tmp_path / "curl"
    curl.write_text(f'#!/bin/bash\n[ "${{@: -1}}" = @- ] && cat > {shlex.quote(str(tmp_path / "body"))}\n')
    curl.chmod(0o755)
    subprocess.run(["bash", "-c", f"PATH={shlex.quote(str(tmp_path))}:$PATH; {line}"], cwd=place, check=True)
    sent = json.loads((tmp_path / "body").read_text())["instances"][0]["b64"]
    assert base64.b64decode(sent) == (place / "face.jpg").read_bytes()
