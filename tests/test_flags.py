"""Flags out of range, or without what they need: a line that names them, before any work."""

import sys

import pytest

from pcl_tf import recipe as recipes
from pcl_tf.recipe import parse_flags
from tests.helpers.commands import FLAGS, command, ended, refused


@pytest.mark.parametrize("value", ["-1", "15", "2049", "64.5", "nan", ""])
def test_a_side_is_16_to_2048_pixels(value):
    assert "image_size" in refused("export", "--workdir=nowhere", f"--image_size={value}")


def test_a_seed_is_one_that_numpy_takes():
    assert "1000000" in refused("probe", "--model=pixels", "--task=generated_pose", "--seed=4294967296")


def test_a_checkpoint_without_torch(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    said = refused("convert", f"--torch={tmp_path / 'best.pth'}", f"--workdir={tmp_path / 'w'}")
    assert "torch is not installed" in said and 'pip install "pcl_tf[torch]"' in said
    assert not (tmp_path / "w").exists()


def test_an_export_to_onnx_without_its_packages(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    (tmp_path / "recipe.json").write_text("{}")
    said = refused("export", f"--workdir={tmp_path}", "--onnx")
    assert "tf2onnx is not installed" in said and 'pip install "pcl_tf[onnx]"' in said


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["train", "--steps=0"], "--steps"),
        (["train", "--steps=nan"], "--steps"),
        (["train", "--out=FOLDER"], "is a folder"),
        (["train", "--profile=FILE/below"], "cannot be written to (Not a directory)"),
        (["train", "--profile=FILE"], "cannot be written to (Not a directory)"),
        (["data", "--profile=x"], "--profile has no meaning without the part train"),
        (["data", "--against=precision=float32"], "--against has no meaning without the part train"),
        (["train", "--profile=x", "--against=precision=float32"], "--profile has no meaning with --against"),
        (["train", "--against=precision"], "--against=precision=: not one of float32"),
        (["train", "--against=xla=maybe"], "--against=xla=maybe: not one of none, views, step"),
        (["data", "--xla"], "--xla has no meaning without the part train"),
        (["train", "--recipe.image_size=-1"], "--recipe.image_size"),
    ],
)
def test_the_benchmark_refuses_before_it_measures(arguments, said, tmp_path):
    (tmp_path / "file").write_text("mine")
    arguments = [a.replace("FOLDER", str(tmp_path)).replace("FILE", str(tmp_path / "file")) for a in arguments]
    assert said in refused("benchmark", *arguments, "--recipe=quickstart")
    assert (tmp_path / "file").read_text() == "mine"


def test_what_xla_does_not_go_with(tmp_path):
    run = ("train", "--recipe=vox64:smoke", f"--workdir={tmp_path / 'w'}", "--xla")
    assert "--xla: not together with --deterministic" in refused(*run, "--deterministic")
    assert "--xla: only on one device" in refused(*run, "--strategy=mirrored")  # two logical processors in tests
    assert not (tmp_path / "w").exists()


def test_a_command_beside_another_has_flags_of_its_own():
    for name in ("probe", "client", "probe"):
        code, _, said = ended(name, "--no_such_flag")
        assert code == 2 and "no_such_flag" in said


@pytest.mark.parametrize("name", ["export", "reconstruct"])
def test_a_recipe_cut_short_is_named(name, tmp_path):
    (tmp_path / "recipe.json").write_text('{"batch_size"')
    out = [f"--out={tmp_path / 'fig4.png'}"] if name == "reconstruct" else []
    assert "recipe.json: is no recipe of a run" in refused(name, f"--workdir={tmp_path}", *out)


@pytest.mark.parametrize(
    "name", ["", ".", "folder", "folder/", "faces.zip", "faces.zip/fig4.png", "fig4.jpg", "/dev/null"]
)
def test_reconstruct_refuses_names_before_work_begins(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "faces.zip").write_text("my only copy")
    assert f"--out={name}: " in refused("reconstruct", "--workdir=nowhere", f"--out={name}")
    assert (tmp_path / "faces.zip").read_text() == "my only copy"


def test_the_clients_list_of_names_writes_over_nobodys_file(tmp_path):
    (tmp_path / "faces.txt").write_text("mine")
    server = "--server=http://localhost:1"
    assert "faces.txt exists and would be written over" in refused(
        "client", server, tmp_path, f"--out={tmp_path}/faces.npy"
    )
    (tmp_path / "faces.npy").mkdir()
    assert "faces.npy: is a folder" in refused("client", server, tmp_path, f"--out={tmp_path}/faces.npy")
    assert (tmp_path / "faces.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("train", ["--recipe=quickstart", "--workdir=w", "--data="]),
        ("reconstruct", ["--workdir=w", "--data="]),
        ("reproduce", ["--workdir=w", "--table=1", "--data="]),
        ("reproduce", ["--workdir=w", "--table=1", "--pose="]),
        ("probe", ["--model=pixels", "--task=generated_pose", "--targets="]),
        ("probe", ["--model=pixels", "--task=generated_pose", "--groups="]),
        ("probe", ["--model=pixels", "--task=generated_pose", "--out="]),
        ("finetune", ["--model=x", "--task=generated_pose", "--out="]),
        ("client", ["--server=localhost:1", "face.jpg", "--out="]),
        ("embed", ["--model=pixels", "--data=x", "--out=x.npz", "--cache="]),
    ],
)
def test_a_flag_of_an_unset_variable_is_not_left_out(name, arguments):
    assert refused(name, *arguments) == f"error: {arguments[-1]}: is empty; leave it out, or give a value."


@pytest.mark.parametrize(
    "arguments",
    [
        ["--recipe=quickstart", "--set", "total_steps=7", "--set=method.face_views=flip", "-recipe.image_size=32"],
        ["--recipe.total_steps=7", "--recipe=quickstart", "--recipe.method.face_views=flip", "--set=image_size=32"],
    ],
)
def test_keys_of_a_recipe_by_set(arguments, monkeypatch):
    with command("train"):
        monkeypatch.setattr(sys, "argv", ["train", *arguments])
        parse_flags(sys.argv)
        c = recipes.named(FLAGS.recipe, overrides=FLAGS.set)
        assert (c.total_steps, c.method.face_views, c.image_size) == (7, "flip", 32)


@pytest.mark.parametrize("wrong", ["total_steps", "", "totl_steps=7"])
def test_what_is_set_is_a_key_and_a_value(wrong, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train"])
    assert (wrong or "--set=: is empty") in refused("train", "--recipe=quickstart", "--workdir=w", f"--set={wrong}")


NEEDS = {
    "convert": "--torch and --workdir are",
    "embed": "--model and --data and --out are",
    "finetune": "--model and --task are",
    "neighbours": "--embeddings is",
    "probe": "--model and --task are",
    "reconstruct": "--workdir is",
    "reproduce": "--workdir and --table or --figure are",
}


@pytest.mark.parametrize("name", NEEDS)
def test_flags_that_are_needed(name):
    assert refused(name) == f"error: {NEEDS[name]} needed; see --help."
    assert refused(name, "runs") == "error: unexpected argument runs; see --help."
