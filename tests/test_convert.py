"""PyTorch checkpoints of the released code become workdirs. Needs torch; files here are written by the real torch.save."""

import json
import pickle
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

torch = pytest.importorskip("torch", reason="needs requirements-torch.txt")

from pcl_tf.errors import Refused
from pcl_tf.networks.torch_file import read_arrays
from pcl_tf.training.checkpoints import newest_step
from tests import golden
from tests.helpers.commands import done
from tests.helpers.killed import Killed

G = golden.NUMBERS
CLOSE = dict(rtol=1e-4, atol=1e-4)
pytestmark = pytest.mark.slow  # .ci/run installs torch for these


def state(prefix=""):
    """The fixture's weights as the released module's state dict."""
    tensors = {f"{prefix}{k}": torch.from_numpy(v) for k, v in golden.official_weights().items()}
    return tensors | {f"{prefix}exp_fc.3.num_batches_tracked": torch.tensor(7)}


class Runs:
    """An object whose unpickling runs code."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("kind", ["plain", "data parallel", "nested", "old format", "half", "parameters"])
def test_all_ways_of_saving_are_read(tmp_path, kind):
    content, options = state("module." if kind == "data parallel" else ""), {}
    if kind == "nested":
        content = {"epoch": 3, "lr": 0.1, "optimizer": {"state": {}, "param_groups": [1]}, "state_dict": content}
    if kind == "half":
        content = {k: v.half() for k, v in content.items()}
    if kind == "parameters":
        content = {k: torch.nn.Parameter(v) if v.is_floating_point() else v for k, v in content.items()}
    if kind == "old format":
        options = {"_use_new_zipfile_serialization": False}
    torch.save(content, tmp_path / "best.pth", **options)
    arrays = read_arrays(tmp_path / "best.pth")
    for name, expected in golden.official_weights().items():
        np.testing.assert_allclose(arrays[name], expected, atol=1e-3 if kind == "half" else 0)


def test_hidden_code_does_not_run(tmp_path):
    torch.save({"state_dict": state(), "extra": Runs(tmp_path / "owned")}, tmp_path / "evil.pth")
    (tmp_path / "bare.pkl").write_bytes(pickle.dumps(Runs(tmp_path / "owned")))
    for name in ("evil.pth", "bare.pkl"):
        with pytest.raises(Refused, match="could run code"):
            read_arrays(tmp_path / name)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("content", [b"", b"no checkpoint at all", b"PK\x03\x04 cut short", b"a face", b"X\0"])
def test_files_that_are_none(tmp_path, content):
    (tmp_path / "best.pth").write_bytes(content)
    with pytest.raises(Refused, match="best.pth"):
        read_arrays(tmp_path / "best.pth")


def test_tensors_that_are_no_arrays_are_named(tmp_path):
    torch.save({"encoder.weight": torch.eye(2).to_sparse()}, tmp_path / "best.pth")
    with pytest.raises(Refused, match="best.pth: 'encoder.weight': is no plain array of numbers"):
        read_arrays(tmp_path / "best.pth")


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("convert")
    torch.save({"state_dict": state("module.")}, folder / "best.pth")
    done("convert", f"--torch={folder / 'best.pth'}", f"--workdir={folder / 'w'}", "--recipe=vox64_official:smoke",
         *SMALL)  # fmt: skip
    return folder / "w"


# The paper's networks, trained for two steps on few images.
SMALL = [
    "--recipe.network.width=1.0",
    "--recipe.network.head_dim=512",
    "--recipe.image_size=64",
    "--recipe.batch_size=4",
    "--recipe.method.pdd_batch=2",
    "--recipe.method.negatives_per_image=2",
    "--recipe.data.generated_images=16",
    "--recipe.total_steps=2",
]


def test_where_it_was_killed_it_begins_again_and_training_waits_for_it(tmp_path, monkeypatch):
    torch.save(state(), tmp_path / "best.pth")
    small = ["--recipe=vox64_official:smoke", *SMALL, f"--workdir={tmp_path / 'w'}"]
    convert = ["convert", f"--torch={tmp_path / 'best.pth'}", *small]

    def killed(checkpoints, step):
        folder = tmp_path / "w" / "checkpoints"
        folder.mkdir(exist_ok=True)
        for ending in ("unfinished", "data-00000-of-00001"):
            (folder / f"ckpt-{step}.{ending}").touch()
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr("pcl_tf.training.checkpoints.Checkpoints.save", killed)
        done(*convert)
    with monkeypatch.context() as patched:
        patched.setattr("pcl_tf.training.loop._shared_faces", lambda *_, **__: pytest.fail("a run began"))
        said = done("train", *small, code=2).stderr
    assert "pcl_tf.convert was stopped there before its weights were whole; run it again" in said
    with monkeypatch.context() as patched:
        patched.setattr("pcl_tf.training.export.export_run", lambda *_, **__: "exported")
        assert "exported" in done(*convert).stdout and newest_step(tmp_path / "w") == 0
    assert "holds a run" in done(*convert, code=2).stderr


def test_the_export_gives_the_released_codes_numbers(converted):
    model = tf.saved_model.load(str(converted / "export" / "0"))
    for size in (64, 100):
        out = model.embed(tf.constant(golden.nhwc(G[f"x{size}"])))
        for ours, theirs in {"face_aware": "trunk", "face": "face", "pose": "pose"}.items():
            np.testing.assert_allclose(out[ours], G[f"{theirs}{size}"], err_msg=ours, **CLOSE)
    backbone = keras.models.load_model(converted / "backbone.keras")
    trunk = np.moveaxis(backbone(golden.nhwc(G["x64"])).numpy(), -1, 1).reshape(len(G["x64"]), -1)
    np.testing.assert_allclose(trunk, G["trunk64"], **CLOSE)


def test_every_command_goes_on_from_it(converted, tmp_path):
    converted = shutil.copytree(converted, tmp_path / "w")  # training changes it, and other tests read it
    done("export", f"--workdir={converted}", "--image_size=100", "--version=1")
    done("reconstruct", f"--workdir={converted}", f"--out={tmp_path / 'fig4.png'}", "--count=2")
    assert (tmp_path / "fig4.png").read_bytes().startswith(b"\x89PNG")
    ended = done("train", "--recipe=vox64_official:smoke", *SMALL, f"--workdir={converted}")
    assert "resuming at step 0" in ended.stdout
    assert json.loads((converted / "result.json").read_text())["step"] == 2


def test_what_does_not_fit_is_named_all_at_once(tmp_path):
    weights = state()
    del weights["encoder.conv1.0.bias"]
    weights["encoder.conv1.2.weight"] = weights["encoder.conv1.2.weight"][:5]
    weights["encoder.more"] = torch.zeros(3)
    torch.save(weights, tmp_path / "best.pth")
    ended = done("convert", f"--torch={tmp_path / 'best.pth'}", f"--workdir={tmp_path / 'w'}", code=2)
    assert "missing: encoder.conv1.0.bias (64,)" in ended.stderr
    assert "unexpected: encoder.more (3,)" in ended.stderr
    assert "shape: encoder.conv1.2.weight is (5, 64, 3, 3), needed is (64, 64, 3, 3)" in ended.stderr
    assert not (tmp_path / "w" / "checkpoints").exists()
    ended = done("convert", f"--torch={tmp_path / 'nothing.pth'}", f"--workdir={tmp_path / 'w'}", code=2)
    assert "nothing.pth: no such file" in ended.stderr
