"""What lies in an export, and who can load it: TF Serving's own loader and files, Keras users, onnxruntime."""

import contextlib
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from pcl_tf.errors import Refused
from pcl_tf.serving.export import check_version, replaceable, save_export, save_hub
from pcl_tf.store import atomic_path, remove, versions
from tests.helpers import labelled
from tests.helpers.images import SERVED
from tests.helpers.killed import Killed
from tests.serving.conftest import SIZE

FACES = np.random.default_rng(0).random((3, SIZE, SIZE, 3), np.float32)


def metagraph(export):
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel.FromString((export / "saved_model.pb").read_bytes())
    return next(m for m in saved.meta_graphs if "serve" in m.meta_info_def.tags)


def test_signatures_are_what_tf_serving_expects(export):
    signatures = metagraph(export).signature_def
    assert {"serving_default", "embed"} <= set(signatures)
    for name, key, dtype in (("serving_default", "image_bytes", tf.string), ("embed", "images", tf.float32)):
        inputs, outputs = signatures[name].inputs, signatures[name].outputs
        assert set(inputs) == {key} and inputs[key].dtype == dtype.as_datatype_enum
        assert set(outputs) == {"face_aware", "face", "pose"}
        for tensor in (*inputs.values(), *outputs.values()):
            assert tensor.tensor_shape.dim[0].size == -1  # the server's batching merges requests along it
        assert signatures[name].method_name == "tensorflow/serving/predict"


def test_warm_up_requests_can_be_replayed(export, loaded):
    path = export / "assets.extra" / "tf_serving_warmup_requests"
    serve, sizes = loaded.signatures["serving_default"], []
    for record in tf.data.TFRecordDataset([str(path)]):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        assert log.WhichOneof("log_type") == "predict_log"
        assert (request.model_spec.name, request.model_spec.signature_name) == ("pcl", "serving_default")
        images = tf.make_ndarray(request.inputs["image_bytes"])
        sizes.append(len(images))
        assert len(serve(image_bytes=tf.constant(images))["face"]) == sizes[-1]
    assert sizes == [1, 8, 32]


def test_kerass_loader_of_the_hub_takes_the_folder(export, small_encoder, tmp_path):
    for _ in range(2):  # the second is replaced
        save_hub(export, tmp_path / "hub")
    names = {"config.json", "metadata.json", "model.weights.h5", "README.md"}
    assert {path.name for path in (tmp_path / "hub").iterdir()} == names
    theirs, ours = ((folder / "README.md").read_text().splitlines() for folder in (tmp_path / "hub", export))
    assert {*theirs} ^ {*ours} == {'library_name: "keras"', 'library_name: "tensorflow"'}
    loaded = keras.saving.load_model(tmp_path / "hub")  # as hf://OWNER/NAME does when it has downloaded one
    np.testing.assert_array_equal(loaded(FACES)["face"], small_encoder(FACES)["face"])
    (tmp_path / "mine").mkdir()
    with pytest.raises(Refused, match="is a folder; it is left as it is"):
        save_hub(export, tmp_path / "mine")


def test_only_the_newest_versions_stay(tmp_path, monkeypatch):
    @contextlib.contextmanager
    def written(archive, target, *_, **__):
        with atomic_path(target, replaces=replaceable) as aside:
            _made(aside, "saved_model.pb", "assets/recipe.json", "assets/provenance.json")
            yield aside

    monkeypatch.setattr("pcl_tf.serving.export.written", written)
    monkeypatch.setattr(keras.export, "ExportArchive", mock.MagicMock)  # writing it takes seconds

    def save(version, keep):
        return save_export(
            labelled.encoder(), tmp_path, step=0, image_size=SIZE, recipe_json="{}", version=version, keep=keep
        )

    (tmp_path / "9").mkdir()
    (tmp_path / "10").mkdir()
    save(11, 2)
    assert versions(tmp_path) == [10, 11]
    assert save(2, 1) == tmp_path / "2" and versions(tmp_path) == [2, 11]  # what was asked for is not thrown away
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr("pcl_tf.store.shutil.rmtree", mock.Mock(side_effect=Killed))
        remove(tmp_path / "2")
    assert versions(tmp_path) == [11] and save(12, 0) and versions(tmp_path) == [11, 12]
    assert not [p.name for p in tmp_path.iterdir() if not p.name.isdigit()]


def _made(path, *names):
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text("mine")


@pytest.mark.parametrize("file", ["7/thesis.txt", "7/saved_model.pb", "7"])  # the second of another program
def test_what_stands_where_an_export_goes_and_is_none_is_refused(tmp_path, file):
    _made(tmp_path, file)
    with pytest.raises(Refused, match="7: is no export"):
        check_version(tmp_path / "7")
    _made(tmp_path, "8/saved_model.pb", "8/assets/recipe.json", "9", "²/x")
    check_version(tmp_path / "8")
    assert versions(tmp_path)[-1] == 8


def test_a_session_serves_it(export, loaded):
    """As TensorFlow Serving loads it: the graph and the names of its signatures, without the Python it was made with."""
    images = [SERVED[kind][0] for kind in ("jpeg", "png")]
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        signature = tf.compat.v1.saved_model.load(session, ["serve"], str(export)).signature_def["serving_default"]
        pose = session.run(signature.outputs["pose"].name, {signature.inputs["image_bytes"].name: images})
    expected = loaded.signatures["serving_default"](image_bytes=tf.constant(images))["pose"]
    np.testing.assert_allclose(pose, expected, atol=1e-5)


def test_a_layer_around_an_export_is_frozen_under_any_policy_and_the_keras_file_is_not(export, loaded, small_encoder):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        faces = keras.Input((SIZE, SIZE, 3), dtype="float32")
        layer = keras.layers.TFSMLayer(str(export), call_endpoint="embed", dtype="float32")
        features = keras.layers.Reshape((64,), dtype="float32")(layer(faces)["face_aware"])  # it takes any size
        model = keras.Model(faces, keras.layers.Dense(2)(features))
    finally:
        keras.config.set_dtype_policy(before)
    expected, weights = loaded.embed(tf.constant(FACES))["face_aware"], [w.numpy() for w in layer.weights]
    model.compile("adam", "mse")
    model.fit(FACES, np.ones((3, 2)), verbose=0)
    assert len(layer.weights) > 10 and not layer.trainable_weights and len(model.trainable_weights) == 2
    assert all(np.array_equal(a, w.numpy()) for a, w in zip(weights, layer.weights, strict=True))
    np.testing.assert_allclose(keras.Model(faces, features)(FACES), expected, atol=1e-6)
    again = keras.models.load_model(export / "assets/encoder.keras")
    assert len(again.trainable_weights) == len(small_encoder.trainable_weights) > 10
