"""Flags out of range, or without what they need: a line that names them, before any work."""

import sys

import pytest

from pcl_tf import recipe as recipes
from pcl_tf.console import parsed
from tests.helpers.commands import FLAGS, command, refused


@pytest.mark.parametrize("value", ["-1", "15", "2049", "64.5", "nan", ""])
def test_a_side_is_16_to_2048_pixels(value):
    assert "image_size" in refused("export", "--workdir=nowhere", f"--image_size={value}")


@pytest.mark.parametrize("module, suffix", [("torch", "pth"), ("safetensors", "safetensors")])
def test_a_checkpoint_without_what_reads_it(module, suffix, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, f"{module}.numpy", raising=False)
    (tmp_path / f"best.{suffix}").touch()
    said = refused("convert", f"--torch={tmp_path / 'best'}.{suffix}", f"--workdir={tmp_path / 'w'}")
    assert "is not installed" in said and f'pip install "pcl_tf[{module}]"' in said
    assert not (tmp_path / "w").exists()


def test_an_export_to_onnx_without_its_packages(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    (tmp_path / "recipe.json").write_text("{}")
    said = refused("export", f"--workdir={tmp_path}", "--onnx")
    assert "tf2onnx is not installed" in said and 'pip install "pcl_tf[onnx]"' in said
    assert "tf2onnx is not installed" in refused("export", "--model=faces64", f"--web={tmp_path / 'page'}")


@pytest.mark.parametrize(
    "argument, said",
    [
        ("--steps=0", "--steps"),
        ("--out={}", "is a folder"),
        ("--profile={}/file/below", "cannot be written to (Not a directory)"),
        ("--profile={}/file", "cannot be written to (Not a directory)"),
        ("--against=precision", "--against=precision=: not one of float32"),
        ("--against=xla=maybe", "--against=xla=maybe: not one of none, views, step"),
        ("--recipe.image_size=-1", "--set image_size=-1: must be a whole number"),
    ],
)
def test_the_benchmark_refuses_before_it_measures(argument, said, tmp_path):
    (tmp_path / "file").write_text("mine")
    assert said in refused("benchmark", "train", argument.format(tmp_path), "--recipe=quickstart")
    assert (tmp_path / "file").read_text() == "mine"


def test_what_xla_does_not_go_with(tmp_path):
    run = ("train", "--recipe=vox64:smoke", f"--workdir={tmp_path / 'w'}", "--xla")
    assert "--xla: not together with --deterministic" in refused(*run, "--deterministic")
    assert "--xla: only on one device" in refused(*run, "--strategy=mirrored")  # two logical processors in tests
    assert not (tmp_path / "w").exists()


def test_reconstruct_refuses_an_output_before_work_begins(tmp_path):
    assert f"--out={tmp_path}: is a folder" in refused("reconstruct", "--workdir=nowhere", f"--out={tmp_path}")
    assert "must end in .png" in refused("reconstruct", "--workdir=nowhere", f"--out={tmp_path}/fig4.jpg")


@pytest.mark.parametrize(
    "words",
    [
        "train --recipe=quickstart --workdir=w --set=",
        "probe --model=pixels --task=generated_pose --out=",
        "client --server=localhost:1 face.jpg --out=",
    ],
)
def test_a_flag_of_an_unset_variable_is_not_left_out(words):
    assert refused(*words.split()) == f"error: {words.split()[-1]}: is empty; leave it out, or give a value."


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
        parsed(sys.argv)
        c = recipes.named(FLAGS.recipe, overrides=FLAGS.set)
        assert (c.total_steps, c.method.face_views, c.image_size) == (7, "flip", 32)


NEEDS = {
    "convert": "--torch and --workdir are",
    "embed": "--model and --data and --out are",
    "finetune": "--model and --task are",
    "neighbours": "--embeddings is",
    "predict": "--model and --data and --out are",
    "probe": "--model and --task are",
    "reconstruct": "--workdir is",
    "reproduce": "--table and --workdir are",
    "train": "--recipe and --workdir are",
}


@pytest.mark.parametrize("name", NEEDS)
def test_flags_that_are_needed(name):
    assert refused(name) == f"error: {NEEDS[name]} needed; see --help."
    assert refused(name, "runs") == "error: unexpected argument runs; see --help."
