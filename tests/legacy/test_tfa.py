"""An export of today in TensorFlow 2.15 with Keras 2 and TensorFlow Addons. Runs in an environment of its own:

pip install -r requirements-tfa.txt && PCL_EXPORT=runs/quickstart/export/120 python -m pytest -c /dev/null tests/legacy
"""

import os

import numpy as np
import pytest
import tensorflow as tf

EXPORT = os.environ.get("PCL_EXPORT", "")
if not tf.__version__.startswith("2.15"):
    pytest.skip("needs requirements-tfa.txt", allow_module_level=True)

import tensorflow_addons as tfa

KEYS = {"face_aware", "face", "pose"}
ROUNDING = 1e-4  # a batch of another size sums in another order; features are of order one


@pytest.fixture(scope="module")
def encoder():
    assert EXPORT, "PCL_EXPORT names no export: set it to a folder such as runs/quickstart/export/120"
    return tf.saved_model.load(EXPORT)


@pytest.fixture(scope="module")
def data(encoder):
    """Features of 200 drawn images and three labels they carry: bright left, bright top, red."""
    r = np.random.RandomState(0)
    labels = r.randint(0, 2, (200, 3)).astype("float32")
    images = r.uniform(0, 0.3, (200, 64, 64, 3)).astype("float32")
    images[:, :, :32] += 0.4 * labels[:, 0, None, None, None]
    images[:, :32] += 0.2 * labels[:, 1, None, None, None]
    images[..., 0] += 0.3 * labels[:, 2, None, None]
    return encoder.embed(images)["face_aware"].numpy(), labels, images


def test_signatures_answer(encoder):
    pixels = np.random.RandomState(0).randint(0, 256, (64, 64, 3)).astype("uint8")
    served = encoder.signatures["serving_default"](image_bytes=tf.constant([tf.io.encode_png(pixels).numpy()] * 2))
    embedded = encoder.signatures["embed"](images=tf.constant(pixels[None] / 255.0, tf.float32))
    assert set(served) == set(embedded) == KEYS
    for key in KEYS:
        np.testing.assert_allclose(served[key], np.repeat(embedded[key], 2, 0), atol=ROUNDING)
    with pytest.raises(tf.errors.InvalidArgumentError):
        encoder.signatures["serving_default"](image_bytes=tf.constant([b"no image"]))


def test_a_keras_2_probe_learns_with_addons(data):
    """Action units the way tfa's users score them: F1 per label, focal loss, AdamW."""
    features, labels, _ = data
    features = (features - features.mean(0)) / features.std(0)
    tf.keras.utils.set_random_seed(0)
    probe = tf.keras.Sequential([tf.keras.layers.Dense(3, activation="sigmoid")])
    probe.compile(
        optimizer=tfa.optimizers.AdamW(weight_decay=1e-4, learning_rate=1e-2),
        loss=tfa.losses.SigmoidFocalCrossEntropy(),
        metrics=[tfa.metrics.F1Score(3, average=None, threshold=0.5)],
    )
    probe.fit(features[:150], labels[:150], epochs=100, batch_size=50, verbose=0)
    f1 = probe.evaluate(features[150:], labels[150:], verbose=0)[1]
    assert f1.min() > 0.8, f1


def test_the_encoder_is_a_layer_of_a_keras_2_model(encoder, data, tmp_path):
    features, labels, images = data
    faces = tf.keras.Input((64, 64, 3))
    vector = tf.keras.layers.Lambda(lambda x: encoder.embed(x)["face_aware"])(faces)
    model = tf.keras.Model(faces, vector)
    np.testing.assert_allclose(model.predict(images[:4], verbose=0), features[:4], atol=ROUNDING)


def test_metric_learning_on_the_features(data):
    features, labels, _ = data
    embed = tf.keras.Sequential(
        [tf.keras.layers.Dense(8), tf.keras.layers.Lambda(lambda x: tf.math.l2_normalize(x, 1))]
    )
    embed.compile(tfa.optimizers.LAMB(1e-2), tfa.losses.TripletSemiHardLoss())
    history = embed.fit(features, labels[:, 0].astype(int), epochs=10, batch_size=100, verbose=0).history["loss"]
    assert history[-1] < 0.8 * history[0]
