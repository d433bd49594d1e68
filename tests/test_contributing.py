"""The diffs of CONTRIBUTING.md, applied: each new part does what is said, by what its neighbours import and one line more."""

import doctest
import inspect
import pathlib
import re
import sys
import types

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pcl_tf.evaluation import corpora, tasks
from pcl_tf.evaluation.corpora import expression
from pcl_tf.losses import pose_contrast
from pcl_tf.methods import moco, pcl, registry, simclr
from pcl_tf.networks import backbones, patch_cnn
from pcl_tf.views import filters, named
from recipes import common
from tests.helpers.methods import SIDE, built, noise_faces, step, tiny

TEXT = (pathlib.Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()
NEIGHBOURS = {
    "pcl_tf/views/invert.py": (filters,),
    "pcl_tf/networks/plain4.py": (patch_cnn,),
    "pcl_tf/losses/uniformity.py": (pose_contrast,),
    "pcl_tf/evaluation/corpora/sketches.py": (expression,),
    "pcl_tf/methods/uniform.py": (pcl, moco, simclr),
    "tests/methods/test_uniform.py": (sys.modules[__name__],),
}
REGISTRIES = {
    "pcl_tf/views/named.py, in VIEWS": named,
    "pcl_tf/networks/backbones.py, in BACKBONES": backbones,
    "pcl_tf/evaluation/corpora/__init__.py, in CORPORA": corpora,
    "pcl_tf/methods/registry.py, in METHODS": registry,
}


def additions():
    """{file, or file and the registry in it: the lines that are added}."""
    found = {}
    for block in re.findall(r"```diff\n(.*?)```", TEXT, re.S):
        for part in block.split("+++ ")[1:]:
            target, *lines = part.splitlines()
            found[target] = "\n".join(line.removeprefix("+") for line in lines)
    return found


ADDED = additions()


@pytest.fixture
def applied(monkeypatch):
    """Function of a new file's path: its module, named in its registry as the diff says."""

    def apply(path, **more):
        name = path.removesuffix(".py").replace("/", ".")
        module = types.ModuleType(name)
        for neighbour in NEIGHBOURS[path]:
            vars(module).update({k: v for k, v in vars(neighbour).items() if not k.startswith("__")})
        vars(module).update(more)
        exec(compile(ADDED[path], path, "exec"), vars(module))
        monkeypatch.setitem(sys.modules, name, module)
        for place, holder in REGISTRIES.items():
            if pathlib.PurePath(place.split(",")[0]).parent == pathlib.PurePath(path).parent:
                names = {**vars(holder), **vars(module)}
                exec(ADDED.get(place.split(",")[0], ""), names)  # a function that imports it when it is used
                entry = eval("{" + ADDED[place] + "}", names)
                for key, value in entry.items():
                    monkeypatch.setitem(getattr(holder, place.rpartition(" ")[2]), key, value)
        return module

    return apply


def test_every_new_file_and_registry_is_tried():
    other = {"tests/views/test_views.py, in VIEWS", "tests/networks/test_golden.py", "pcl_tf/losses/__init__.py"}
    loaders = {"pcl_tf/methods/registry.py", "pcl_tf/evaluation/corpora/__init__.py"}
    assert ADDED.keys() == {*NEIGHBOURS, *REGISTRIES, *other, *loaders}


def test_the_view(applied):
    applied("pcl_tf/views/invert.py")
    images = np.random.RandomState(0).rand(3, 8, 8, 3).astype("float32")
    (view,) = named.named_views("invert(p=1)", size=8)
    np.testing.assert_allclose(view(images), 1 - images, atol=1e-6)


def test_the_backbone(applied):
    applied("pcl_tf/networks/plain4.py")
    c = tiny("vox64:smoke,simclr", {"network.backbone": "plain4"})
    assert np.isfinite(step(built(c), noise_faces(c))["loss"])
    assert backbones.backbone("plain4", width=0.125).output_shape[-1] == 16


def test_the_loss(applied):
    module = applied("pcl_tf/losses/uniformity.py")
    found = doctest.DocTestFinder().find(module.uniformity, "uniformity", module, vars(module))
    results = [doctest.DocTestRunner().run(test) for test in found]
    assert sum(r.attempted for r in results) == 1 and not sum(r.failed for r in results)
    z = tf.math.l2_normalize(tf.constant(np.random.RandomState(0).randn(5, 3), tf.float32), 1).numpy()
    pairs = [np.exp(-2 * np.sum((z[i] - z[j]) ** 2)) for i in range(5) for j in range(5) if i != j]
    np.testing.assert_allclose(module.uniformity(tf.constant(z)), np.log(np.mean(pairs)), rtol=1e-5)


def test_the_probe_task(applied, tmp_path):
    applied("pcl_tf/evaluation/corpora/sketches.py")
    (tmp_path / "sketches").mkdir()
    for i in range(10):
        Image.fromarray(np.full((8, 8, 3), i, np.uint8)).save(tmp_path / f"sketches/{i}.png")
    rows = [f"{i}.png,{'plain' if i // 5 else 'smile'}" for i in range(10)]
    (tmp_path / "sketches/labels.csv").write_text("\n".join(["path,label", *rows]))
    task = tasks.open_task("sketches", data_dir=str(tmp_path))
    assert task.names == ("plain", "smile") and task.image_size == 64 and task.source.count == 10
    assert task.labels.tolist() == [1] * 5 + [0] * 5 and task.splits[0][1].tolist() == [0, 5]


def test_the_method(applied, monkeypatch):
    loss = applied("pcl_tf/losses/uniformity.py").uniformity
    applied("pcl_tf/methods/uniform.py", uniformity=loss)
    monkeypatch.setattr(common, "ABLATIONS", (*common.ABLATIONS, "uniform"))  # made of METHODS when it was imported
    tests = applied("tests/methods/test_uniform.py")
    tests.test_a_step()
    assert inspect.isclass(registry.METHODS["uniform"].load()) and SIDE == 16
