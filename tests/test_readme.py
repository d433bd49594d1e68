"""The code of every README does what it says: python blocks run, commands have the flags they name."""

import base64
import json
import pathlib
import re
import shlex
import shutil
import subprocess

import keras
import numpy as np
import pytest
from PIL import Image

from pcl_tf import __main__ as console
from pcl_tf import recipe as recipes
from pcl_tf.console import EXIT_CODES
from pcl_tf.networks.encoder import encoder
from pcl_tf.serving.export import save_backbone, save_export
from recipes import common
from tests.helpers import labelled
from tests.helpers.commands import done

ROOT = pathlib.Path(__file__).resolve().parents[1]
READMES = sorted(ROOT.glob("README.md")) + sorted(
    p for f in ("pcl_tf", "recipes", "tests") for p in (ROOT / f).rglob("README.md")
)
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text() for path in READMES}

# First words of lines of bash blocks that no test runs or checks the flags of, and why.
NOT_RUN = {
    "python3 -m venv": "run by .ci/run",
    ".venv/bin/python -m pytest": "run by .ci/run",
    "pip install": "needs a network; .ci/run installs the wheel and the requirements, tests/test_packaging.py compares pins",
    "python -m pcl_tf ": "run by .ci/run",
    "docker run": "needs Docker and TensorFlow Serving",
    "(printf": "test_a_photograph_reaches_the_server runs it",
    "curl": "the same",
    "export HOSTS": "needs Slurm",
    "srun": "needs Slurm; the command in it is checked",
}


def blocks(language):
    found = [b for text in TEXTS.values() for b in re.findall(rf"```{language}\n(.*?)```", text, re.S)]
    return list(dict.fromkeys(found))  # several may have the same


def bash_lines():
    """Lines of all bash blocks, those that end in a backslash joined with the next."""
    lines = [line for block in blocks("bash") for line in re.sub(r"\\\n\s*", " ", block).splitlines()]
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def commands():
    """(module, its arguments) of every command of pcl_tf in every README, blocks and sentences alike."""
    lines = bash_lines()
    for text in TEXTS.values():
        plain = re.sub(r"```.*?```", "", text, flags=re.S)
        lines += [" ".join(x.split()) for x in re.findall(r"(?<!`)`([^`]+)`(?!`)", plain)]
    found = [re.search(r"(?:python -m pcl_tf\.|pcl-)([a-z]+)(?![\w.])(.*)", line) for line in lines]
    return [(m[1], re.split(r"[|']", m[2])[0]) for m in found if m]


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
    assert len(READMES) > 10 and len(blocks("python")) >= 3 and len(commands()) > 30


def test_every_line_of_a_command_block_is_checked_or_said_why_not():
    known = re.compile(r"(\.venv/bin/)?(python -m pcl_tf\.|pcl-)[a-z]+ ")
    left = [line for line in bash_lines() if not known.match(line) and not line.startswith(tuple(NOT_RUN))]
    assert not [line for line in left if not re.search(r"python -m pcl_tf\.[a-z]+ ", line)]
    assert not [start for start in NOT_RUN if not any(line.startswith(start) for line in bash_lines())]


def test_links_lead_somewhere():
    for name, text in TEXTS.items():
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", re.sub(r"```.*?```", "", text, flags=re.S)):
            if "://" not in target:
                assert (ROOT / name).parent.joinpath(target).exists(), f"{name}: {target}"


def test_exit_codes_are_those_of_the_console():
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", TEXTS["pcl_tf/README.md"], re.M)
    assert {int(code): text for code, text in rows} == EXIT_CODES


@pytest.mark.parametrize("module, text", commands())
def test_commands_have_the_flags_they_name(module, text):
    source = console.source(module).read_text()
    defined = set(re.findall(r'DEFINE_\w+\(\s*"(\w+)"', source)) | {"help", "helpfull"}
    defined |= {f"no{name}" for name in re.findall(r'DEFINE_bool\(\s*"(\w+)"', source)}
    for names in re.findall(r"DEFINE_list\(role,.*\n\s+for role in \((.*)\)", source):
        defined |= set(re.findall(r'"(\w+)"', names))
    keys = recipes.flatten(common.base())
    for name in re.findall(r"--([a-zA-Z_]\w*(?:\.\w+)*)", text):
        if name.startswith("recipe."):
            assert name.removeprefix("recipe.") in keys, name
        else:
            assert name in defined, f"pcl_tf.{module} has no --{name}"


# What is added to a line that runs on a few small faces, so that it takes seconds.
FEW = {
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
                if module in FEW and "runs/vox64" not in words:
                    found.append((name, module, shlex.split(words.replace("runs/mine", "runs/quickstart"))))
    return found


@pytest.mark.slow
def test_commands_run_as_they_are_written(place, tmp_path, monkeypatch):
    """Those on the quick start's encoder, file by file in their order, on eighty faces and a photograph."""
    lines = lines_for_a_few_faces()
    assert len(lines) >= 14 and {module for _, module, _ in lines} == FEW.keys()
    shutil.copytree(place, tmp_path, dirs_exist_ok=True)
    (tmp_path / "faces").mkdir()
    rows = labelled.write_manifest(tmp_path / "faces").read_text().splitlines()
    told = [f"faces/{row},{20 + i % 2},{'mf'[i % 2]}" for i, row in enumerate(rows[1:])]
    (tmp_path / "faces.csv").write_text("\n".join([f"{rows[0]},age,gender", *told]))
    monkeypatch.chdir(tmp_path)
    made = ["embed", "--model=runs/quickstart", "--data=faces", "--out=faces.npz"]
    for name, module, words in lines:
        words = ["--data=faces" if word == "--data=DIR_OR_ZIP" else word for word in words]
        if module == "neighbours" and "generated" not in " ".join(words):
            done(*made)
        if "faces.csv" in " ".join(words) and module == "probe":
            words += ["--targets=label"]  # the file has columns for all of these commands
        print(name, module, *words)
        done(module, *words, *FEW[module])


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


def test_what_the_table_of_equations_names_is_there():
    table = TEXTS["README.md"].split("## Where is Eq. N")[1].split("\n## ")[0]
    rows = re.findall(r"\[`([\w.]+)`\]\((pcl_tf/[\w/]+\.py)\)", table)
    assert len(rows) >= 9
    for name, path in rows:
        code = (ROOT / path).read_text()
        for part in name.split("."):
            assert re.search(rf"(?:def|class) {part}\b|^{part}\b.*=", code, re.M), f"{path}: no {part}"
