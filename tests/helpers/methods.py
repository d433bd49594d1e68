"""The smallest recipe with every part of PCL, and ways to look into a step of it."""

import contextlib
import json

import keras
import numpy as np
import tensorflow as tf

from pcl_tf import recipe as recipes
from pcl_tf.data.pipeline import share
from pcl_tf.methods.build import build_method, images_per_step, method_of, parts_per_step
from pcl_tf.networks.backbones import BACKBONES
from pcl_tf.seeds import replica_rng

SIDE = 16  # the least the decoder allows
PLAIN = {"method.photometric": 0.0, "method.face_views": "jitter"}  # views that are the images themselves


def one_conv(width, dtype, name, image_size, **_):
    """A backbone of one convolution: a step costs half a second, and the method does not know the difference."""
    image = keras.Input((None, None, 3), name="image")
    return keras.Model(image, keras.layers.Conv2D(4, 16, 16, dtype=dtype, name="conv")(image), name=name)


BACKBONES["one_conv"] = one_conv


def tiny(name="vox64:smoke", overrides=None):
    """A resolved recipe whose eager step takes half a second.

    Args:
      name: of a recipe, with its arguments.
      overrides: {'method.pose_batch': 2}.

    Returns:
      locked ConfigDict; a step's parts take 6 (face), 4 (pdd) and 2 (pose) images, a pose has 3 negatives.
    """
    c = recipes.named(name)
    sizes = {"image_size": SIDE, "batch_size": 6, "network.backbone": "one_conv", "network.head_dim": 8}
    parts = {"method.pdd_batch": 4, "method.pose_batch": 2, "method.negatives_per_image": 3, "method.queue": 12}
    parts = {key: value for key, value in parts.items() if key in recipes.flatten(c)}  # of this recipe's method
    c.update_from_flattened_dict({**sizes, **parts, **(overrides or {})})
    return recipes.resolve(c)


def noise_faces(c, seed=0):
    """uint8 images of a step, every pixel drawn by itself; of pairs these are the first frames."""
    first, other = (
        np.random.RandomState(s).randint(0, 256, (images_per_step(c), c.image_size, c.image_size, 3), np.uint8)
        for s in (seed, 1000 + seed)
    )
    return first if method_of(c).pairs(c) == "none" else np.stack([first, other], axis=1)


def halves(c):
    """uint8 images of a step in which a flip is seen and whose owner no flip hides: red is 40 left and 200 right,
    green is 10 + 20 * (index of the image)."""
    n = images_per_step(c)
    x = np.zeros((n, SIDE, SIDE, 3), np.uint8)
    x[:, :, : SIDE // 2, 0], x[:, :, SIDE // 2 :, 0] = 40, 200
    x[..., 1] = 10 + 20 * np.arange(n)[:, None, None]
    return x


def built(c, **how):
    """The recipe's method with the same first weights at every call; how: as of ``build_method``."""
    keras.utils.set_random_seed(0)
    return build_method(c, **how)


def step(model, images):
    """One eager step -> {name: float}."""
    return {k: float(v) for k, v in model.train_step(images).items()}


def parts_of(model, images):
    """The parts of the model's first step on uint8 images, without gradients -> (their weighted sum, logs {name: float})."""
    total, found = 0.0, {f"alpha_{k}": v for k, v in model.alphas().items()}
    for part in model.parts(tf.constant(images / 255.0, tf.float32), replica_rng(model.recipe.seed, 0)):
        weighted, logs = part()
        total, found = total + float(weighted), found | logs
    return total, {key: float(value) for key, value in found.items() if np.ndim(value) == 0}  # MoCo's keys are a matrix


_STEPS = {}


def stepped(name="vox64:smoke", overrides=None, *, alpha=None, **how):
    """The first step of a ``tiny`` recipe, shared by all tests of the process: nobody may change the model.

    Args:
      name, overrides: as of ``tiny``.
      alpha: (face, pose), what Dynamic Weight Average is at; see ``set_dynamic_weights``.
      how: as of ``build_method``.

    Returns:
      (logs {name: float}, model).
    """
    key = json.dumps([name, overrides, alpha, how], sort_keys=True)
    if key not in _STEPS:
        c = tiny(name, overrides)
        model = built(c, **how)
        if alpha:
            set_dynamic_weights(model, *alpha)
        if how.get("precision") == "mixed_float16":
            model.optimizer.dynamic_scale.assign(8.0)
        _STEPS[key] = step(model, noise_faces(c)), model
    return _STEPS[key]


def one_and_two(name, overrides, two_replicas, *, xla="none", graph=True):
    """(logs {name: float}, model) of the first step on one replica, see ``stepped``, and on two, whether in a graph."""
    c = tiny(name, overrides)
    with two_replicas.scope():
        two = built(c, replicas=2, xla=xla)
    shares = [share(noise_faces(c), parts_per_step(c), replica=replica, replicas=2) for replica in range(2)]
    images = two_replicas.experimental_distribute_values_from_function(
        lambda context: tf.constant(shares[context.replica_id_in_sync_group])
    )

    def both(x):
        return two_replicas.run(tf.autograph.experimental.do_not_convert(two.train_step), args=(x,))

    logs = (tf.function(both, autograph=False) if graph else both)(images)
    found = {k: float(two_replicas.experimental_local_results(v)[0]) for k, v in logs.items()}
    return stepped(name, overrides), (found, two)


def set_dynamic_weights(model, face, pose):
    """Feeds Dynamic Weight Average two epochs after which the weights are these; they sum to 2.

    The recipe's epoch_steps must be 1.
    """
    assert face + pose == 2.0
    model.balance.update(tf.constant(1.0), tf.constant(1.0))
    # alpha = 2 softmax(ratio / 2): the ratios' difference is what counts.
    model.balance.update(
        tf.constant(4.0 + 2.0 * np.log(face), tf.float32), tf.constant(4.0 + 2.0 * np.log(pose), tf.float32)
    )


def gradient(model):
    """The one gradient a fresh model's Adam has seen (its first moment is a tenth of it), as a flat vector."""
    assert int(model.optimizer.iterations.numpy()) == 1
    moments = [v.numpy() for v in model.optimizer.variables if v.path.endswith("momentum")]
    assert len(moments) == len(model.trainable_variables)
    return 10.0 * np.concatenate([m.ravel() for m in moments])


@contextlib.contextmanager
def watched(network):
    """Records what passes a network: a list of (inputs, outputs, training) as numpy, one for each call."""
    seen, call = [], network.call

    def watching(inputs, training=None, mask=None):
        out = call(inputs, training=training, mask=mask)
        seen.append((*tf.nest.map_structure(np.asarray, (inputs, out)), training))
        return out

    network.call = watching
    try:
        yield seen
    finally:
        network.call = call
