"""Every key of a recipe does what it says: another value changes what it should, and nothing else.

Where a key is read: the objective of a step, the networks, the optimiser, the batches. Each has a table.
"""

import functools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pcl_tf import recipe as recipes
from pcl_tf.data import faces as data
from pcl_tf.methods import METHODS
from pcl_tf.methods.build import method_of
from pcl_tf.methods.keys import TCAE_LOSSES
from pcl_tf.training import loop
from tests.helpers.methods import SIDE, built, gradient, noise_faces, parts_of, set_dynamic_weights, step, tiny

# Method -> key -> (another value than that of BASE, the losses and alphas that change; the weighted sum always does).
BASE = {"method.face_views": "flip", "method.temperature": 1.0, "epoch_steps": 1}
_FACE = {
    "face_positives": ("frames", "face"),
    "face_views": ("flip(p=1)", "face"),
    "photometric": (0.0, "face"),
    "temperature": (0.2, "face"),
}
_PAIRS = {"embedding": 64, "frame_views": "flip", "kept_share": 1.0}
_SIMCLR = {**_FACE, "interpolate_negatives": (False, "face")}
OBJECTIVE = {
    "pcl": {
        **_SIMCLR,
        "updates": ("alternating", "dis orth face pose"),  # each part has other images
        "reconstruct": (False, "dis orth"),
        "pdd_batch": (2, "dis orth"),
        "recon_noise_std": (0.1, "dis orth"),
        "decoder_batches": ("apart", "dis"),
        "orthogonality": ("cross_correlation", "orth"),
        "pose_contrast": ("face_style", "pose"),
        "pose_batch": (3, "pose"),
        "negatives_per_image": (4, "pose"),
        "pose_denominator": ("negatives", "pose"),
        "pose_negatives": ("official_layout", "pose"),
        "pose_one_norm": (False, "pose"),
        "pose_augmentation": ("rotate_translate", "dis orth pose"),
        "dynamic_weights": (False, "alpha_face alpha_pose"),
        "temperature": (0.2, "face pose"),
        "pose_temperature": (0.2, "pose"),
        "pdd_weight": (2.0, ""),
        "pose_weight": (2.0, ""),
        "interpolate_negatives": (False, "face pose"),
        "photometric": (0.0, "face pose"),
        "pose_views": ("flip(p=1)", "pose"),
    },
    "simclr": _SIMCLR,
    "moco": {
        **_FACE,
        "queue": (18, "face"),
        "both_directions": (False, "face"),
    },
    "fabnet": {key: (value, "flow") for key, value in _PAIRS.items()},
    "facecycle": {
        "embedding": (64, "pixel ssim symmetry"),
        "frame_views": ("flip(p=1)", "pixel ssim symmetry"),
        "mirror_share": (1.0, "pixel ssim symmetry"),
    },
    "tcae": {key: (value, " ".join(TCAE_LOSSES)) for key, value in _PAIRS.items()},
}
# What a key is held beside, before and after: the views it is a strength or a part of.
BESIDE = {
    "photometric": {"face_views": "sobel", "pose_views": "sobel"},
    "interpolate_negatives": {"negatives_per_image": 5},  # three are permuted into themselves with this seed
    "face_positives": {"face_views": "jitter(p=1)", "temperature": 0.07},
    "both_directions": {"face_views": "jitter(p=1)", "temperature": 0.07},  # views and keys that are told apart
    "pose_negatives": {"negatives_per_image": 4},  # as many of each of the two images
    "pose_denominator": {"dynamic_weights": False},
    "pose_one_norm": {"pose_views": "flip", "temperature": 0.07},  # negatives that stand apart from the positives
}
EPOCH = {"seed": (2, "dis orth face pose"), "epoch_steps": (2, "alpha_face alpha_pose")}  # keys of no method
SIZES = {  # key -> (another value, the networks whose outputs have another shape)
    "image_size": (32, "encoder decoder"),
    "network.backbone": ("patch_cnn", "encoder"),
    "network.width": (0.5, "encoder"),
    "network.head_dim": (16, "face_head pose_head"),
}
OPTIMISER = {  # key -> (decay beside it, another value, what changes)
    "optimizer.learning_rate": (0.0, 1e-4, "rate"),
    "optimizer.warmup_steps": (0.0, 10, "rate"),
    "total_steps": (0.0, 60, "rate"),
    "optimizer.decay": (0.0, 0.5, "gradient"),
    "optimizer.decay_kind": (0.5, "decoupled", "gradient"),
    "optimizer.clip_norm": (0.0, 1e-3, "gradient"),
}
# Each of these has tests of its own; so have MoCo's momentum, the steps of a kept share, TCAE's weights and what of
# FaceCycle needs VGG-19.
ELSEWHERE = "batch_size method.name data.source data.sampling data.clips data.gap data.max_unreadable_share".split()
ELSEWHERE += "data.generated_images data.cache checkpoint.every checkpoint.keep".split()  # of a whole run: test_run.py
ELSEWHERE += "watch.log_every watch.images_every watch.generated watch.labelled network.weights".split()

ARGUMENTS = {name: "vox64:smoke" + ("" if name == "pcl" else f",{name}") for name in METHODS}


def test_the_tables_have_every_key():
    assert recipes.KEYS.keys() == {*EPOCH, *SIZES, *OPTIMISER, *ELSEWHERE}
    for name in OBJECTIVE:
        own = {key.removeprefix("method.") for key in recipes.keys(name).keys() - recipes.KEYS.keys()}
        weights = {key for key in own if key.endswith("_weight") and name in ("tcae", "facecycle")}
        assert own - {"momentum", "kept_steps", "vgg", *weights} == set(OBJECTIVE[name]), name
    assert METHODS.keys() == OBJECTIVE.keys()


def base_of(method):
    """Overrides of a method's smallest recipe, all its keys known to it."""
    known = {key: value for key, value in BASE.items() if key in recipes.keys(method)}
    return known | ({"method.pose_views": "resized_crop"} if method == "pcl" else {})


@pytest.fixture(scope="module")
def objective():
    """Function (name of a method, overrides) -> {loss or alpha: value} of one step, on networks shared by a method."""
    networks = {}

    def losses(name, overrides):
        c = tiny(ARGUMENTS[name], overrides)
        if name not in networks:
            networks[name] = built(tiny(ARGUMENTS[name], base_of(name)))
        shared = networks[name]
        keras.utils.set_random_seed(0)  # of MoCo's queue, of codes and flows
        model = method_of(c)(c, shared)
        if model.balance is not None:
            set_dynamic_weights(model, 0.3, 1.7)
        total, logs = parts_of(model, noise_faces(c))
        found = {key.removeprefix("loss_"): v for key, v in logs.items() if key.startswith(("loss_", "alpha_"))}
        return {**found, "sum": total}

    cache = {}

    def cached(name, overrides):
        key = name, json.dumps(overrides, sort_keys=True)
        if key not in cache:
            cache[key] = losses(name, overrides)
        return cache[key]

    return cached


def changed(before, after):
    """Names of values that differ, those that one has alone too."""
    return {
        key
        for key in before.keys() | after.keys()
        if not np.isclose(before.get(key, np.nan), after.get(key, np.nan), rtol=1e-5, atol=0)
    }


CASES = [(name, f"method.{key}", *case) for name, keys in OBJECTIVE.items() for key, case in keys.items()]
CASES += [("pcl", key, *case) for key, case in EPOCH.items()]


@pytest.mark.parametrize("name, key, value, differs", CASES, ids=[f"{name}-{key}" for name, key, *_ in CASES])
def test_a_key_changes_its_terms_of_the_objective(objective, name, key, value, differs):
    beside = {f"method.{k}": v for k, v in BESIDE.get(key.removeprefix("method."), {}).items()}
    given = base_of(name) | {k: v for k, v in beside.items() if k in recipes.keys(name)}
    assert changed(objective(name, given), objective(name, {**given, key: value})) == {*differs.split(), "sum"}


@functools.cache
def shapes(key=None):
    model = built(tiny(overrides={"network.backbone": "cnn16", **({key: SIZES[key][0]} if key else {})}))
    outputs = {name: getattr(model, name).output for name in ("encoder", "face_head", "pose_head", "decoder")}
    return {name: [tuple(x.shape) for x in tf.nest.flatten(output)] for name, output in outputs.items()}


@pytest.mark.parametrize("key", SIZES)
def test_a_key_changes_the_networks(key):
    before, after = shapes(), shapes(key)
    assert {name for name in before if before[name] != after[name]} == set(SIZES[key][1].split())


@functools.cache
def optimised(what, decay=0.0, key=None):
    """The 'gradient' that reaches Adam, or the learning 'rate' five updates on."""
    changes = {"optimizer.decay": decay, **({key: OPTIMISER[key][1]} if key else {})}
    c = tiny(ARGUMENTS["simclr"], {"method.face_views": "flip", **changes})
    model = built(c)
    if what == "gradient":
        step(model, noise_faces(c))
        return gradient(model)
    model.optimizer.iterations.assign(5)
    return np.float32(model.optimizer.learning_rate)


@pytest.mark.parametrize("key", OPTIMISER)
def test_a_key_changes_the_optimiser(key):
    decay, _, what = OPTIMISER[key]
    assert not np.allclose(optimised(what, decay), optimised(what, decay, key), rtol=1e-3, atol=0)


def test_the_batch_has_its_size_and_the_seed_its_order():
    faces = data.ArrayFaces(np.repeat(np.arange(50, dtype=np.uint8), SIDE * SIDE * 3).reshape(50, SIDE, SIDE, 3))

    def drawn(**overrides):
        c = tiny(overrides=overrides)
        (batch,) = loop.distributed(tf.distribute.get_strategy(), c, faces, first=0, last=1)
        return batch.numpy()[:, 0, 0, 0].tolist()

    assert len(drawn()) == 6 and drawn(batch_size=12)[:6] == drawn()
    assert sorted(drawn(seed=1)) != sorted(drawn())


def test_where_faces_come_from(tmp_path, monkeypatch):
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    asked = []

    def decoded(source, size, *, cache_dir, max_unreadable_share):
        asked.append((source.count, size, cache_dir, max_unreadable_share))
        return {"faces": np.zeros([source.count, size, size, 3], np.uint8)}

    monkeypatch.setattr(data, "decoded_faces", decoded)
    monkeypatch.setattr(data, "find_clips", lambda source: source if source == "clips" else None)
    monkeypatch.setattr(data, "ClipFaces", lambda *prepared, gap: prepared)

    def opened(**keys):
        c = tiny(overrides={f"data.{key}": value for key, value in keys.items()})
        return data.open_faces(c.data, c.image_size, "cache")

    assert len(opened(source=str(tmp_path), max_unreadable_share=0.5)) == 1
    assert asked == [(1, SIDE, "cache", 0.5)]
    assert opened(source="clips", sampling="identity") == ("clips", SIDE, "identity")
