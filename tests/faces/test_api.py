"""import pcl_tf: free, and three lines later an answer."""

import doctest
import importlib
import os
import pickle
import subprocess
import sys
import types

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import pcl_tf
from pcl_tf.encoders.encoder import boxes
from pcl_tf.errors import Refused
from pcl_tf.heads import people, render

FACES = np.random.RandomState(0).randint(0, 256, (6, 32, 32, 3)).astype(np.uint8)


def test_the_import_is_free():
    script = "import sys, pcl_tf; dir(pcl_tf); print(sorted(m for m in sys.modules if m.split('.')[0] in {'numpy', 'keras', 'tensorflow', 'absl'}))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "[]\n"
    assert {*dir(pcl_tf)} == {"load", "FaceModel", "Table", "Refused", "FaceFeatures", "__version__"}
    assert all(getattr(pcl_tf, name) for name in pcl_tf.__all__) and pcl_tf.Refused is Refused
    assert not hasattr(pcl_tf, "nothing")


@pytest.mark.parametrize("name", ["", ".faces.model", ".faces.table", ".faces.features"])
def test_examples_of_docstrings_run(name):
    found = doctest.testmod(importlib.import_module(f"pcl_tf{name}"))
    assert found.attempted and not found.failed


def test_a_table_answers_which_faces_are_alike(tmp_path, monkeypatch):
    faces = np.concatenate([FACES, FACES[2:3]])
    table = pcl_tf.load("pixels").embed(faces)
    assert repr(table) == "<table of 7 faces: face_aware 1024>"
    assert {near.name for near in table.nearest(FACES[2], k=2)} == {"image#2", "image#6"}
    assert [near.name for near in table.nearest("image#2", by="face_aware", k=1)] == ["image#6"]
    assert table.duplicates() == [["image#2", "image#6"]]
    groups, cosine = table.clusters(6)
    assert np.bincount(groups).tolist() == [2, 1, 1, 1, 1, 1] and groups[2] == groups[6] and cosine.min() > 0.99
    with pytest.raises(Refused, match="hold face_aware"):
        table.nearest("image#2", by="pose")
    table.save(tmp_path / "e.npz")
    read = pcl_tf.Table.read(tmp_path / "e.npz")
    assert read.nearest("image#2", k=1) == table.nearest("image#2", k=1)
    with pytest.raises(Refused, match="has no model"):
        read.nearest(FACES[2])
    with pytest.raises(Refused, match="in memory"):
        read.faces([0])
    monkeypatch.setitem(sys.modules, "pandas", types.SimpleNamespace(DataFrame=dict))
    assert [*table.to_pandas()][:2] == ["name", "face_aware_0"]


@pytest.mark.parametrize("name", boxes())
def test_an_encoder_of_the_package_tells_which_way_a_head_turns(name):
    labels = people.sample_labels(32, seed=3, identities=range(10**7, 10**7 + 32))
    rows = list(pcl_tf.load(name).predict(render.render(labels, 128)))
    yaw, roll = ([row[angle] for row in rows] for angle in ("yaw", "roll"))
    assert np.corrcoef(yaw, labels["angles"][:, 0])[0, 1] > 0.6
    assert np.corrcoef(roll, labels["angles"][:, 2])[0, 1] > 0.6


def test_without_a_name_it_is_the_encoder_that_anybody_may_use():
    assert pcl_tf.load().encoder.digest == pcl_tf.load("heads64").encoder.digest


@pytest.mark.slow
def test_opening_an_encoder_prints_nothing_of_tensorflow():
    environment = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    script = "import pcl_tf; pcl_tf.load().embed('generated')"
    ended = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_features_are_a_step_of_a_pipeline(tmp_path):
    labels = np.arange(6) % 2
    pipeline = clone(make_pipeline(pcl_tf.FaceFeatures("pixels"), LogisticRegression()))
    assert (pickle.loads(pickle.dumps(pipeline.fit(FACES, labels))).predict(FACES) == labels).all()
    np.testing.assert_array_equal(pipeline[:1].transform(FACES), pcl_tf.load("pixels").embed(FACES).by())
    with_model = clone(pcl_tf.FaceFeatures(pcl_tf.load("pixels", image_size=16)))
    assert with_model.transform(FACES).shape == (6, 1024)
    with pytest.raises(Refused, match="pixels has face_aware"):
        pcl_tf.FaceFeatures("pixels", "pose").transform(FACES)
    (tmp_path / "x.png").write_bytes(b"no picture")
    with pytest.raises(Refused, match="x.png"):
        pipeline.predict(np.array([str(tmp_path / "x.png")]))
