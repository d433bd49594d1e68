"""What holds for methods of every kind: two replicas are one, and a run that is resumed goes on as if it had not stopped."""

import numpy as np
import pytest
import tensorflow as tf

from pcl_tf.methods.build import build_method
from pcl_tf.seeds import Rng
from pcl_tf.training.checkpoints import Checkpoints
from tests.helpers.methods import built, noise_faces, one_and_two, step, tiny

MOCO = {"batch_size": 8, "method.queue": 24, "method.face_views": "resized_crop|jitter"}
SMALL = {"moco": MOCO, **dict.fromkeys(["fabnet", "facecycle", "tcae"], {"method.embedding": 8})}
NETWORKS = {
    "fabnet": "flow code",
    "facecycle": "code flow features generator",
    "tcae": "action_code pose_code action_flow pose_flow",
}
# The paper's network: features of the smallest one are nearly alike, and BatchNorm divides by their differences.
REAL = {"network.backbone": "cnn16", "network.head_dim": 64, "image_size": 32, "optimizer.learning_rate": 0.0}
REAL |= {"batch_size": 8}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fabnet", "facecycle", "tcae", "moco", "frames", "simclr,frames", "moco,frames"])
def test_two_replicas_are_one(name, two_replicas):
    """Of PCL on single pictures test_pcl.py asks more."""
    queue = name.startswith("moco")
    overrides = SMALL[name] if name in NETWORKS else REAL | (MOCO if queue else {})
    (logs, one), (found, two) = one_and_two(f"vox64:smoke,{name}", overrides, two_replicas)
    assert logs.keys() == found.keys() and (name != "tcae" or len(found) > 12)
    for k, value in logs.items():
        np.testing.assert_allclose(found[k], value, rtol=2e-3, atol=1e-6, err_msg=k)
    if queue:
        np.testing.assert_allclose(two.queue.numpy(), one.queue.numpy(), atol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_reach_every_network(name):
    model = built(tiny(f"vox64:smoke,{name}", SMALL[name]))
    with tf.GradientTape() as tape:
        (part,) = model.parts(tf.constant(noise_faces(model.recipe) / 255.0, tf.float32), Rng(tf.constant([1, 2])))
        loss, _ = part()
    nets = [getattr(model, net) for net in NETWORKS[name].split()]
    nets += [model.encoder.get_layer(layer) for layer in ("backbone", "face_conv2")]
    for found in tape.gradient(loss, [net.trainable_variables[0].value for net in nets]):
        assert np.abs(found).max() > 0
    assert model.face_head is None and model.decoder is None


@pytest.mark.parametrize("name", ["fabnet", "moco"])  # with networks, and with a queue and keys, of their own
def test_a_restored_method_goes_on(name, tmp_path):
    c = tiny(f"vox64:smoke,{name}", SMALL[name])
    model = built(c)
    step(model, noise_faces(c))
    Checkpoints(model, tmp_path).save(1)
    again = build_method(c)
    assert Checkpoints(again, tmp_path).restore() == 1
    a, b = (step(m, noise_faces(c, 1))["loss"] for m in (model, again))
    assert a == pytest.approx(b, rel=1e-5)
