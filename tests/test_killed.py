"""What writes is killed at its file operations, the power goes, and done again it ends as if nothing had been."""

import csv
import json
import random
import re
import shutil
import zipfile
from unittest import mock

import array_record.python.array_record_data_source  # noqa: F401  (a command may not be the first to define its flags)
import keras
import numpy as np
import pytest
from PIL import Image

from pcl_tf import recipe as recipes
from pcl_tf.choices import ROLES
from pcl_tf.encoders.encoder import open_encoder
from pcl_tf.encoders.head import Head, attach
from pcl_tf.encoders.stacked import stacked
from pcl_tf.finetune import fit
from pcl_tf.methods.build import build_method
from pcl_tf.networks import official
from pcl_tf.serving.export import save_export
from pcl_tf.store import sync, write_atomically
from pcl_tf.training.checkpoints import Checkpoints
from tests.helpers import labelled
from tests.helpers.commands import done, ended
from tests.helpers.killed import Killed, killed_at
from tests.prepare.videos import ramp, write_video
from tests.serving.server import Server
from tests.training.test_checkpoints import Tiny


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with faces."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "faces").mkdir()
    labelled.write_manifest(folder / "faces")
    return folder


@pytest.fixture(scope="module")
def more(place):
    """Beside them videos, a head, embeddings and parameters for ``convert``."""
    for n in range(3):
        write_video(place / f"videos/{n}.mp4", ramp(12))
    labelled.encoder().save(place / "encoder.keras")
    weights, bias = np.eye(8, 3, dtype=np.float32), np.zeros(3, np.float32)
    head = Head("pose", "regression", "face", ("yaw", "pitch", "roll"), ("degrees",) * 3, 32, "", {}, weights, bias)
    encoder = open_encoder(str(place / "encoder.keras"))
    stacked(encoder, "face", 32, layer=(weights, bias), activation="linear").save(place / "pose.keras")
    attach(head, place / "pose.keras")
    embed(place, place)
    network = build_method(recipes.resolve(recipes.named("vox64_official:smoke,simclr"))).encoder
    parameters = {
        f"{module}.{name}": np.ones(official._theirs(weight.shape), np.float32)
        for module, layer in official._layers(network, "encoder")
        for name, weight in zip(official._names(layer), layer.weights, strict=True)
    }
    np.savez(place / "parameters.npz", **parameters)
    return place


def checkpoints(place, out):
    """Of a run of four steps, which begins where it was."""
    tiny = Tiny()
    saved = Checkpoints(tiny, out / "checkpoints", keep=2)
    for step in range((saved.restore() or 0) + 1, 5):
        tiny.step.assign(step)
        saved.save(step)


def states(place, out):
    """Of a fine-tuning of two epochs, in whose folder other files are written too."""
    write_atomically(out / "about.json", "{}")
    model, losses = fit._restored(out / "fold0")
    if not losses:
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
    for loss in (0.5, 0.25, 0.75)[len(losses) :]:
        fit._save(out / "fold0", model, losses, loss)


def export(place, out):
    save_export(labelled.encoder(), out / "export", step=1, image_size=32, recipe_json="{}")


def embed(place, out):
    faces = f"--data={place}/faces", "--image_size=32"
    done("embed", "--model=pixels", *faces, f"--out={out}/e.npz", f"--cache={out}/cache")


def client(place, out):
    with Server(lambda images: {"face_aware": np.array([[len(image)] for image in images], np.float32)}) as server:
        done("client", f"--server={server.rest}", place / "faces", "--batch_size=16", f"--out={out}/e.npz")


def prepare(place, out):
    done("prepare", "videos", f"--data={place}/videos", f"--out={out}", "--image_size=16", "--workers=1")


def probe(place, out):
    task = f"--task=classification:{place}/faces/faces.csv"
    done("probe", "--model=pixels", task, "--image_size=32", "--solver=knn", f"--out={out}")


def neighbours(place, out):
    done("neighbours", f"--embeddings={place}/e.npz", "--clusters=3", f"--out={out}/clusters.png")


def predict(place, out):
    done("predict", f"--model={place}/pose.keras", f"--data={place}/faces", f"--out={out}/p.csv", f"--plot={out}/p.png")


STEPS = ["batch_size=8", "checkpoint.every=1", "watch.log_every=1", "watch.generated=0", "network.backbone=patch_cnn"]


def train(place, out):
    steps = [f"--set={key}" for key in (*STEPS, "total_steps=2")]
    done("train", "--recipe=vox64:smoke,simclr", *steps, "--noxla", f"--data={place}/faces", f"--workdir={out}")


def convert(place, out):
    if not (out / "recipe.json").exists():  # else it holds a run
        recipe = "--recipe=vox64_official:smoke,simclr"
        done("convert", f"--torch={place}/parameters.npz", recipe, f"--workdir={out}")


def finetune(place, out):
    task = f"--task=classification:{place}/faces/faces.csv"
    done("finetune", f"--model={place}/encoder.keras", task, "--image_size=32", "--epochs=1", f"--out={out}")


def reproduce(place, out):
    tasks = [f"--{role}=classification:{place}/faces/faces.csv" for role in ROLES]
    how = ["--base=vox64:smoke,simclr", "--steps=2", "--image_size=32", *(f"--set={key}" for key in STEPS)]
    with mock.patch("pcl_tf.reproduce.runs._call", lambda command: ended("train", *command[3:])[0]):  # not a process
        done("reproduce", "--table=7", *how, *tasks, f"--data={place}/faces", f"--workdir={out}")


def content(path):
    """Of a file that is whole, as far as it is the same in every run; raises if it is not whole."""
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return {name: x.tolist() for name, x in arrays.items()}
    if path.suffix == ".json":
        found = json.loads(path.read_text())
        return found if isinstance(found, list) else {name: len(x) for name, x in found.items() if isinstance(x, list)}
    if path.name == "metrics.csv":
        with open(path, newline="") as f:
            return [(row["step"], all(row.values())) for row in csv.DictReader(f)]
    if path.suffix == ".png":
        return np.asarray(Image.open(path)).tobytes()
    if path.suffix in (".keras", ".zip"):
        return zipfile.ZipFile(path).testzip()
    data = path.read_bytes()  # of TensorFlow's the order is not always the same
    return bool(data) if re.search(r"\.(pb|index|data-.*)$", path.name) else data


# Locks; TensorBoard's, which are named after the time; the list of checkpoints and the one before those that are kept, which
# a run that is killed at its very end leaves to its next save.
_OTHERS = r"\.lock$|/events\.|/checkpoint$|/ckpt-2\."
# Of which another file, or their name, tells whether they are whole.
_MARKED = r"\.part\.|/ckpt-|/1\.0\.0/|/incomplete\."


def tree(folder, but=_OTHERS):
    """{name: content} of all files but some."""
    files = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: content(path) for name, path in files.items() if not re.search(but, name)}


def _killed(write, points, place, out, power_cut):
    """Killed at some operations of a first call, and of one over what the first wrote."""
    kept = out.with_name("kept")
    with killed_at(out) as fresh:
        write(place, out)
    wanted = tree(out)
    shutil.copytree(out, kept)
    with killed_at(out) as again:
        write(place, out)
    assert wanted and tree(out) == wanted
    for before, operations in ((None, fresh.done), (kept, again.done)):
        for at in sorted(random.Random(0).sample(range(len(operations)), min(points, len(operations)))):
            shutil.rmtree(out)
            if before:
                shutil.copytree(before, out)
                sync(out)
            with killed_at(out, at), pytest.raises(Killed):
                write(place, out)
            power_cut(out)
            left = {*tree(out, f"{_OTHERS}|{_MARKED}")}
            assert left >= {name for name in wanted if before and not re.search(_MARKED, name)}, operations[at]
            write(place, out)
            assert tree(out) == wanted, operations[at]


@pytest.mark.parametrize("write", [checkpoints, states, embed])
def test_what_was_killed_ends_as_what_was_not(write, place, tmp_path, power_cut):
    _killed(write, 4, place, tmp_path / "out", power_cut)


@pytest.mark.slow
@pytest.mark.parametrize("write", [checkpoints, states, embed, client, prepare, probe, neighbours, predict])
def test_what_was_killed_at_more_operations_ends_as_what_was_not(write, more, tmp_path, power_cut):
    _killed(write, 25, more, tmp_path / "out", power_cut)


@pytest.mark.slow
@pytest.mark.parametrize("write", [export, train, convert, finetune, reproduce])
def test_what_trains_or_exports_ends_as_what_was_not_killed(write, more, tmp_path, power_cut):
    _killed(write, 2, more, tmp_path / "out", power_cut)
