"""Whole runs of the command, in this process or, where they are killed, in their own."""

import csv
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import pcl_tf
from pcl_tf.encoders.encoder import open_encoder
from pcl_tf.evaluation import generated
from pcl_tf.training.checkpoints import saved_steps
from tests.helpers.commands import done
from tests.helpers.processes import ROOT, call, command

SMALL = [
    "--recipe=vox64:smoke",
    "--recipe.network.backbone=patch_cnn",  # a third of the time to trace
    "--recipe.batch_size=8",
    "--recipe.method.pdd_batch=4",
    "--recipe.method.negatives_per_image=4",
    "--recipe.data.generated_images=64",
    "--recipe.total_steps=12",
    "--recipe.checkpoint.every=4",
    "--recipe.watch.log_every=2",
    "--recipe.watch.images_every=6",
    "--recipe.watch.generated=100",
]


# Where no part of the loss matters: a fourth of the time to trace, and no faces to evaluate on.
QUICK = [
    "--recipe=vox64:smoke,simclr",
    *(a for a in SMALL[1:-1] if "recipe.method" not in a),
    "--recipe.watch.generated=0",
]


def weights(workdir):
    """Every saved tensor of the newest checkpoint."""
    reader = tf.train.load_checkpoint(str(workdir / "checkpoints"))
    names = reader.get_variable_to_shape_map()
    return {n: reader.get_tensor(n) for n in names if n.startswith("state")}


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """Arguments of a small run that is watched, checkpointed and cached as a user may ask it to be."""
    folder = tmp_path_factory.mktemp("run")
    for i in range(4):
        (folder / "people" / str(i % 2)).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (60 * i,) * 3).save(folder / "people" / str(i % 2) / f"{i}.png")
    keys = {"epoch_steps": 4, "checkpoint.keep": 2, "data.cache": folder / "c", "watch.labelled": folder / "people"}
    return [*SMALL, *(f"--recipe.{key}={value}" for key, value in keys.items()), f"--workdir={folder / 'w'}"]


@pytest.fixture(scope="module")
def finished(asked):
    """The workdir of that run, and what it printed."""
    return pathlib.Path(asked[-1].partition("=")[2]), done("train", *asked)


def test_a_run_leaves_what_was_promised(finished):
    workdir, ended = finished
    result = json.loads((workdir / "result.json").read_text())
    assert (result["step"], result["faces"], result["export"]) == (12, 64, "export/12")
    assert saved_steps(workdir / "checkpoints") == [12, 8] and list((workdir.parent / "c").glob("faces-*"))
    assert set(result["generated_faces"]["trained"]) == {"face_aware", "face", "pose"}
    assert "trained face_aware" in ended.stdout and "pcl_tf.export" in ended.stdout
    assert (workdir / "reconstructions.png").read_bytes().startswith(b"\x89PNG")
    assert not list(workdir.rglob("*.part"))
    with open(workdir / "metrics.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    steps = [(row["step"], row["epoch"], bool(row["knn/face"])) for row in rows]
    assert steps == [(str(i), str(-(-i // 4)), i in (6, 12)) for i in range(2, 13, 2)]
    assert {k: float(rows[-1][k]) for k in result["last"]} == pytest.approx(result["last"], rel=1e-6)


def test_tensorboard_has_every_promised_curve_with_what_it_means_and_the_recipe(finished):
    said, texts = {}, {}
    for path in (finished[0] / "logs").glob("events*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for v in event.summary.value:
                plugin = v.metadata.plugin_data
                if plugin.plugin_name in ("scalars", "images"):
                    said[v.tag] = said.get(v.tag) or v.metadata.summary_description  # of its first point
                elif plugin.plugin_name == "text":
                    texts[v.tag] = tf.make_ndarray(v.tensor).item().decode()
    losses = {"loss/total", "loss/dis", "loss/orth", "loss/face", "loss/pose", "alpha/face", "alpha/pose"}
    train = "learning_rate gradient_norm abs_cosine face_spread pose_spread face_accuracy pose_accuracy"
    train = {f"train/{name}" for name in [*train.split(), "images_per_second"]}
    assert {*losses, "reconstructions", *train} <= set(said)
    assert not [tag for tag, text in said.items() if not text]
    assert "collapsed" in said["train/face_spread"]
    assert "| `batch_size` | 8 | 256 |" in texts["recipe"] and "| `method.updates` | joint |  |" in texts["recipe"]
    assert "    trained face_aware" in texts["generated_faces"]
    assert generated.table({}, 100).splitlines()[1] in texts["generated_faces"]  # what is chance among so many


def test_the_export_loads_where_pcl_tf_cannot_be_imported(finished, tmp_path):
    script = textwrap.dedent(
        f"""
        import sys
        try:
            import pcl_tf
            sys.exit("pcl_tf can be imported: the test proves nothing")
        except ImportError:
            pass
        import io, numpy as np, tensorflow as tf, keras
        from PIL import Image
        model = tf.saved_model.load({str(finished[0] / "export" / "12")!r})
        image = np.random.RandomState(0).randint(0, 256, (32, 32, 3), np.uint8)
        b = io.BytesIO(); Image.fromarray(image).save(b, "PNG")
        served = model.signatures["serving_default"](image_bytes=tf.constant([b.getvalue()] * 3))
        embedded = model.signatures["embed"](images=tf.constant(image[None] / 255.0, tf.float32))
        assert set(served) == set(embedded) == {{"face_aware", "face", "pose"}}
        for k, v in embedded.items():
            assert v.dtype == tf.float32
            np.testing.assert_allclose(served[k], np.repeat(v, 3, 0), atol=1e-5)
        backbone = keras.models.load_model({str(finished[0] / "backbone.keras")!r})
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(backbone(image[None] / 255.0))
        assert all(g is not None for g in tape.gradient(y, [v.value for v in backbone.trainable_variables]))
        """
    )
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    ran = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-2000:]


@pytest.mark.slow
def test_export_again_at_another_size(finished, tmp_path, monkeypatch):
    monkeypatch.setattr("pcl_tf.faces.box.CLOSE", 0.01)  # rounding evens out less in so few channels
    workdir = shutil.copytree(finished[0], tmp_path / "w")  # others read the export that is there
    digest = open_encoder(str(workdir)).digest
    done("export", f"--workdir={workdir}", "--image_size=48", f"--box={tmp_path / 'box'}", "--license=mit")
    assert pcl_tf.load(tmp_path / "box").encoder.step == 12
    assert open_encoder(str(workdir)).digest == digest  # the same weights: features and probes of them stay good
    model = tf.saved_model.load(str(workdir / "export" / "12"))
    png = tf.io.encode_png(np.random.RandomState(0).randint(0, 256, (64, 64, 3), np.uint8))
    assert model.signatures["serving_default"](image_bytes=png[None])["face_aware"].shape == (1, 32 * 3 * 3)
    assert model.signatures["embed"](images=tf.zeros([2, 80, 64, 3]))["pose"].shape == (2, 32 * 5 * 4)


@pytest.mark.slow
def test_the_same_command_again_trains_no_further(asked, finished):
    workdir = finished[0]
    before, result = weights(workdir), json.loads((workdir / "result.json").read_text())
    assert "resuming at step 12" in done("train", *asked).stdout
    again = json.loads((workdir / "result.json").read_text())
    assert all(again[key] == result[key] for key in ("last", "seconds_per_step"))
    after = weights(workdir)
    assert all(np.array_equal(before[k], after[k]) for k in before)


def test_a_run_begins_from_an_encoder(tmp_path):
    few = ["--recipe=patch64:moco", "--set=data.source=generated", "--set=data.generated_images=8"]
    few += ["--set=total_steps=0", "--set=watch.generated=100", "--set=network.weights=heads64"]
    before = []
    for _ in range(2):  # the second time its checkpoint is restored
        done("train", *few, f"--workdir={tmp_path / 'w'}")
        before.append(json.loads((tmp_path / "w" / "result.json").read_text())["generated_faces"]["heads64"])
    assert before[0] == before[1]
    faces = np.random.RandomState(0).randint(0, 256, (3, 64, 64, 3), np.uint8)
    found, box = (open_encoder(model).embed(faces) for model in (str(tmp_path / "w"), "heads64"))
    for name, features in box.items():
        np.testing.assert_allclose(found[name], features, rtol=1e-4, atol=1e-4)
    ended = done("train", *few, "--set=network.width=0.5", f"--workdir={tmp_path / 'other'}", code=2)
    assert "--recipe.network.weights=heads64: its layers are not" in ended.stderr
    ended = done("train", *few, "--set=network.weights=heads65", f"--workdir={tmp_path / 'other'}", code=2)
    assert "--recipe.network.weights=heads65: no SavedModel" in ended.stderr


def test_faces_of_voxceleb_are_asked_for(tmp_path):
    ended = done("train", "--recipe=vox64", f"--workdir={tmp_path / 'w'}", code=2)
    assert all(words in ended.stderr for words in ("VoxCeleb", "--recipe=quickstart")) and not (tmp_path / "w").exists()


def start(workdir, *args):
    log = open(workdir.parent / "log", "a")
    return subprocess.Popen(
        command("train", *args, f"--workdir={workdir}"), cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
    )


def _read_until(over, terminal):
    while not over.is_set():
        if select.select([terminal], [], [], 0.1)[0]:
            os.read(terminal, 65536)


@pytest.mark.slow
@pytest.mark.parametrize("ignored", [True, False])
def test_a_terminal_that_goes_away_loses_no_step_and_a_second_process_is_refused(ignored, tmp_path):
    """The run ends as by SIGTERM, or to its end where SIGHUP is ignored as by nohup."""
    steps = "--recipe.total_steps=60" if ignored else "--recipe.total_steps=100000"
    asked = ["train", *QUICK, steps, f"--workdir={tmp_path / 'w'}"]
    words = command(*asked)
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
        os.chdir(ROOT)
        os.execv(words[0], words)
    said = b""
    while b"loss: " not in said:
        said += os.read(terminal, 65536)
    if not ignored:
        over = threading.Event()
        reader = threading.Thread(target=_read_until, args=(over, terminal))
        reader.start()  # a terminal that nobody reads would stop the run in a print
        second = done(*asked, code=2)
        over.set()
        reader.join()
        assert "another process is training here" in second.stderr
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == (0 if ignored else 129)
    assert _latest_step(tmp_path / "w") >= (60 if ignored else 1)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    # Cosines over this temperature are infinite on every processor, which a large learning rate makes no loss be.
    ended = done("train", *QUICK, f"--workdir={tmp_path / 'w'}", "--recipe.method.temperature=1e-39", code=3)
    assert re.search(r"step \d+: .*loss\w* = (nan|inf)", ended.stderr)


@pytest.mark.slow
def test_killed_at_ten_random_steps_ends_with_the_same_weights(tmp_path):
    """One run is killed by SIGKILL again and again; another never stops. Bit for bit the same."""
    unwatched = ["--recipe.watch.generated=0", "--recipe.watch.images_every=0"]
    args = [*SMALL[:-2], *unwatched, "--deterministic", "--recipe.total_steps=104", "--recipe.checkpoint.every=1"]
    whole = tmp_path / "whole" / "w"
    call("train", *args, f"--workdir={whole}")
    killed = tmp_path / "killed" / "w"
    killed.parent.mkdir()
    draw = np.random.RandomState(0)
    for i in range(10):
        log = killed.parent / "log"
        log.write_text("")
        process = start(killed, *args)
        reached = int(draw.randint(1, 5))
        before = _latest_step(killed)
        deadline = time.time() + 300
        while _latest_step(killed) < before + reached and time.time() < deadline:
            assert process.poll() is None, f"kill {i} came too late: " + log.read_text()[-2000:]
            time.sleep(0.005)
        process.kill()
        process.wait()
    call("train", *args, f"--workdir={killed}")
    a, b = weights(whole), weights(killed)
    assert a.keys() == b.keys() and len(a) > 100
    different = [k for k in a if not np.array_equal(a[k], b[k])]
    assert not different
    steps = [line.partition(",")[0] for line in (killed / "metrics.csv").read_text().splitlines()]
    assert steps == ["step", *map(str, range(2, 105, 2))]


def _latest_step(workdir):
    steps = [int(p.name[5:-6]) for p in (workdir / "checkpoints").glob("ckpt-*.index")]
    return max(steps, default=0)
