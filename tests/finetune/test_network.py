"""The fine-tuned network: what it begins from, what moves when, what it refuses."""

import dataclasses
import json
import re

import keras
import numpy as np
import pytest

from pcl_tf.encoders.encoder import load_keras, open_encoder
from pcl_tf.encoders.features import extract
from pcl_tf.encoders.stacked import vector_of
from pcl_tf.errors import Refused
from pcl_tf.evaluation.evaluate import evaluate
from pcl_tf.finetune import run
from pcl_tf.finetune.fit import Options
from tests.helpers import labelled


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """``Encoder`` of a .keras file."""
    path = tmp_path_factory.mktemp("model") / "encoder.keras"
    labelled.encoder().save(path)
    return open_encoder(str(path))


@pytest.fixture(scope="module")
def prepared(opened, tmp_path_factory):
    """{kind: (task, ``Material``)}."""
    cache = tmp_path_factory.mktemp("cache")

    def one(task):
        return task, run.read(opened, task, extract(opened, task.source, task.image_size, cache=cache), cache)

    return {kind: one(labelled.task(kind)) for kind in labelled.KINDS}


def tuned(prepared, kind, folder, **options):
    return run.trained(prepared[kind][1], Options(**{"epochs": 2, "batch_size": 16, "rate": 1e-2, **options}), folder)


def trunk_of(model, opened):
    """{name of a weight: (before, after)} of the encoder in a model."""
    before = load_keras(opened.keras_file)
    (after,) = [layer for layer in model.layers if layer.name == before.name]
    return {w.path: (a, w.numpy()) for a, w in zip(before.get_weights(), after.weights, strict=True)}


@pytest.mark.parametrize("kind", labelled.KINDS)
def test_the_last_layer_alone_is_the_probe_of_the_rows_that_teach(opened, prepared, kind, tmp_path):
    result, model = tuned(prepared, kind, tmp_path, epochs=0)
    task, faces = prepared[kind]
    teach, held = run.teaching(task, task.splits[0][0], part=1.0)
    few = dataclasses.replace(task, splits=((teach, task.splits[0][1]),))
    probe = evaluate(few, np.asarray(faces.values["face_aware"]))
    assert (result.value, *result.interval) == pytest.approx((probe.value, *probe.interval), abs=0.01)
    assert result.detail_intervals.keys() == probe.detail_intervals.keys() and len(result.scored.rows) == 20
    assert result.counts == {"train": len(teach) + len(held), "test": 20, "folds": 1, "unreadable": 0}
    for name, (before, after) in trunk_of(model, opened).items():
        np.testing.assert_array_equal(before, after, err_msg=name)  # statistics of BatchNorm among them


@pytest.mark.parametrize("kind, epochs", [("classification", 4), ("multilabel", 4), ("regression", 12)])
def test_then_all_layers_move_and_learn_and_what_is_kept_is_no_worse_on_what_was_held_out(
    opened, prepared, kind, epochs, tmp_path, capsys
):
    result, model = tuned(prepared, kind, tmp_path, epochs=epochs, patience=12)
    losses = json.loads((tmp_path / "fold0" / "losses.json").read_text())
    assert len(losses) == epochs + 1 and result.protocol["best_epoch"] == int(np.argmin(losses))
    assert result.protocol["held_out_loss"] == min(losses)
    if result.protocol["best_epoch"]:
        assert all(not np.array_equal(a, b) for a, b in trunk_of(model, opened).values())
    # The loss of the twelve rows that are held out goes up and down with rounding, that of the others falls.
    losses = [float(found[1]) for found in re.finditer(r"loss ([\d.]+), held-out", capsys.readouterr().out)]
    assert len(losses) == epochs and losses[-1] < (0.5 if epochs == 12 else 1) * losses[0], losses


def test_from_scratch_is_the_same_network_with_other_weights(opened, prepared, tmp_path):
    models = [
        tuned(prepared, "classification", tmp_path / str(i), from_scratch=True, epochs=0, seed=seed)[1]
        for i, seed in enumerate((3, 3, 1))
    ]
    before = load_keras(opened.keras_file).get_weights()
    pairs = list(zip(before, models[0].get_weights()[: len(before)], strict=True))
    assert all(a.shape == b.shape for a, b in pairs)
    kernels = [(a, b) for a, b in pairs if a.ndim == 4]
    assert kernels and all(not np.array_equal(a, b) and 0.5 < a.std() / b.std() < 2 for a, b in kernels)
    for a, b, c in zip(*(m.get_weights() for m in models), strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.ndim < 2 or not np.array_equal(a, c)


def test_an_unreadable_fold_is_refused_before_anything_is_trained(opened, prepared, tmp_path):
    task, faces = prepared["classification"]
    place = np.where(np.isin(np.arange(labelled.COUNT), task.splits[0][1]), -1, faces.place)
    with pytest.raises(Refused, match="generated_classification, fold 1 of 1: 60 training and 0 test images"):
        run.trained(dataclasses.replace(faces, place=place), Options(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_maps_of_features_become_vectors_channel_by_channel():
    a, b = keras.Input((2, 3, 4)), keras.Input((2, 3, 4))
    model = keras.Model([a, b], vector_of({"face": a, "pose": b}, "face+pose"))
    x = np.random.RandomState(0).normal(size=(2, 5, 2, 3, 4)).astype(np.float32)
    expected = x.sum(0).transpose(0, 3, 1, 2).reshape(5, -1)
    np.testing.assert_allclose(model.predict(list(x), verbose=0), expected, atol=1e-6)
