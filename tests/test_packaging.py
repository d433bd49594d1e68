"""What pip installs: every module, the recipes, the commands; and that it works in any folder."""

import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import tomllib
import zipfile

import pytest
from packaging.requirements import Requirement

from pcl_tf import __main__ as console
from pcl_tf import recipe as recipes
from pcl_tf.console import EXTRAS, lacking

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The built wheel, as pip builds it: path."""
    build = pytest.importorskip("hatchling.build", reason="needs requirements-dev.txt")
    folder, here = tmp_path_factory.mktemp("wheel"), os.getcwd()
    os.chdir(ROOT)  # where a build backend is asked
    try:
        return folder / build.build_wheel(str(folder))
    finally:
        os.chdir(here)


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """Runs a script in a folder where pcl_tf is what the wheel holds; returns what it printed."""
    site = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(wheel).extractall(site)

    def run(script, folder, code=0, site=site):
        environment = {**os.environ, "PYTHONPATH": str(site)}
        command = [sys.executable, "-c", script]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        return done.stdout or done.stderr

    return run


def test_the_wheel_holds_the_tree(wheel):
    names = [n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n]
    tree = {p.relative_to(ROOT).as_posix() for p in (ROOT / "pcl_tf").rglob("*") if p.is_file() and p.suffix != ".pyc"}
    tree |= {f"pcl_tf/recipes/{p.name}" for p in (ROOT / "recipes").iterdir() if p.is_file()}
    assert sorted(names) == sorted(tree) and "pcl_tf/py.typed" in names


def test_every_command_is_a_console_command():
    assert PROJECT["scripts"] == {f"pcl-{name}": "pcl_tf.__main__:console" for name in console.COMMANDS}
    for name in console.COMMANDS:
        found = importlib.util.find_spec(f"pcl_tf.{name}")
        assert found.submodule_search_locations is None or importlib.util.find_spec(f"pcl_tf.{name}.__main__")


def test_what_is_pinned_is_within_the_bounds():
    pins = {}
    for path in ROOT.glob("requirements*.txt"):
        if path.name != "requirements-tfa.txt":  # an environment of its own
            lines = path.read_text().splitlines()
            pins |= dict(line.lower().split("==") for line in lines if "==" in line and not line.startswith("#"))
    extras = PROJECT["optional-dependencies"]
    named = ("prepare", "beam", "torch", "safetensors", "onnx", "profile", "dev")
    for wanted in map(Requirement, [*PROJECT["dependencies"], *(text for name in named for text in extras[name])]):
        if wanted.name != "pcl_tf":
            assert wanted.specifier.contains(pins[wanted.name]), f"{wanted}: pinned to {pins[wanted.name]}"
    light = (ROOT / "requirements.txt").read_text().lower()
    assert sorted(re.findall(r"^([\w-]+)==", light, re.M)) == sorted(
        Requirement(t).name for t in PROJECT["dependencies"]
    )


STEPS = "from pcl_tf import recipe; c = recipe.named({!r}); print(c.total_steps); recipe.to_json(c)"


def test_recipes_are_found_in_any_folder(python, tmp_path):
    assert python(STEPS.format("vox64:smoke"), tmp_path) == "30\n"
    assert python("from pcl_tf import recipe; print(recipe.known())", tmp_path) == f"{recipes.known()}\n"


def test_own_recipes_go_before_those_of_the_project(python, tmp_path):
    own = "from recipes import common\n\ndef get_config(arg=None):\n    c = common.base()\n    c.total_steps = {}\n    return c\n"
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "__init__.py").write_text("")  # a package of the same name, without `common`
    (tmp_path / "recipes" / "small64.py").write_text(own.format(7))
    (tmp_path / "mine.py").write_text(own.format(8))
    assert python(STEPS.format("small64"), tmp_path) == "7\n"
    assert python(STEPS.format("mine.py"), tmp_path) == "8\n"
    assert python(STEPS.format("vox64"), tmp_path) == "1168000\n"


def test_an_installed_command_runs_its_module(python, tmp_path):
    script = "import sys; sys.argv[:] = ['bin/pcl-train', '--workdir=w', {!r}]; from pcl_tf.__main__ import console; console()"
    assert "--workdir" in python(script.format("--help"), tmp_path)
    said = python(script.format("--recipe=vxo64"), tmp_path, code=2)
    assert said.startswith("error: --recipe=vxo64: no such recipe") and "vox64_official" in said
    assert not list(tmp_path.iterdir())


def test_an_installation_inside_a_clone_of_something_else_has_no_commit(wheel, python, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "venv")
    for args in (["init", "-q"], ["add", "venv/pcl_tf/store.py"], ["commit", "-q", "-m", "x"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *args], cwd=tmp_path, check=True)
    script = "from pcl_tf import provenance; print(provenance.revision())"
    assert python(script, tmp_path, site=tmp_path / "venv") == "None\n"
    (info,) = (tmp_path / "venv").glob("*.dist-info")
    (info / "direct_url.json").write_text('{"url": "file:///x", "vcs_info": {"vcs": "git", "commit_id": "abc"}}')
    assert python(script, tmp_path, site=tmp_path / "venv") == "abc\n"


def test_what_is_not_installed_is_named_with_an_extra_that_brings_it():
    brings = {
        e: {Requirement(t).name.replace("-", "_") for t in ts} for e, ts in PROJECT["optional-dependencies"].items()
    }
    assert all(module in brings[extra] for module, extra in EXTRAS.items())
    assert lacking(ImportError(name="tf2onnx")) == 'tf2onnx is not installed: pip install "pcl_tf[onnx]"'
