"""Parameters of the released PyTorch code become workdirs."""

import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from pcl_tf.training.checkpoints import newest_step
from tests import golden
from tests.helpers.commands import done
from tests.helpers.killed import Killed

G = golden.NUMBERS
CLOSE = dict(rtol=1e-4, atol=1e-4)


def saved(path, prefix="", **changed):
    """An .npz of the fixture's weights by the released module's names; its path."""
    state = golden.official_weights() | {"exp_fc.3.num_batches_tracked": np.array(7)} | changed
    np.savez(path, **{f"{prefix}{k}": v for k, v in state.items() if v is not None})
    return path


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("convert")
    done("convert", f"--torch={saved(folder / 'best.npz', 'module.')}", f"--workdir={folder / 'w'}", "--recipe=vox64_official:smoke",
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


@pytest.mark.slow
def test_where_it_was_killed_it_begins_again_and_training_waits_for_it(tmp_path, monkeypatch):
    small = ["--recipe=vox64_official:smoke", *SMALL, f"--workdir={tmp_path / 'w'}"]
    convert = ["convert", f"--torch={saved(tmp_path / 'best.npz')}", *small]

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


@pytest.mark.slow
def test_every_command_goes_on_from_it(converted, tmp_path):
    converted = shutil.copytree(converted, tmp_path / "w")  # training changes it, and other tests read it
    done("export", f"--workdir={converted}", "--image_size=100", "--version=1")
    done("reconstruct", f"--workdir={converted}", f"--out={tmp_path / 'fig4.png'}", "--count=2")
    assert (tmp_path / "fig4.png").read_bytes().startswith(b"\x89PNG")
    ended = done("train", "--recipe=vox64_official:smoke", *SMALL, f"--workdir={converted}")
    assert "resuming at step 0" in ended.stdout
    assert json.loads((converted / "result.json").read_text())["step"] == 2


@pytest.mark.slow
def test_what_does_not_fit_is_named_all_at_once(tmp_path):
    changed = {
        "encoder.conv1.0.bias": None,
        "encoder.conv1.2.weight": golden.official_weights()["encoder.conv1.2.weight"][:5],
        "encoder.more": np.zeros(3),
    }
    path = saved(tmp_path / "best.npz", **changed)
    ended = done("convert", f"--torch={path}", f"--workdir={tmp_path / 'w'}", code=2)
    assert "missing: encoder.conv1.0.bias (64,)" in ended.stderr
    assert "unexpected: encoder.more (3,)" in ended.stderr
    assert "shape: encoder.conv1.2.weight is (5, 64, 3, 3), needed is (64, 64, 3, 3)" in ended.stderr
    assert not (tmp_path / "w" / "checkpoints").exists()
    ended = done("convert", f"--torch={tmp_path / 'nothing.pth'}", f"--workdir={tmp_path / 'w'}", code=2)
    assert "nothing.pth: no such file" in ended.stderr
