"""Seconds, images a second and memory of the parts of a run."""

import multiprocessing
import resource
import statistics
import tempfile
import time

import numpy as np
import tensorflow as tf

from pcl_tf.data.faces import ArrayFaces, open_faces
from pcl_tf.data.pipeline import batches
from pcl_tf.losses.face_contrast import face_logits, first_is_right
from pcl_tf.losses.negatives import mixing_draw
from pcl_tf.methods.build import build_method, images_per_step


def peak_memory():
    """Largest resident set of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def pipeline(recipe, seconds=5.0):
    """Images a second of opening the faces (where decoding them is once a run) and of the batches every step waits for.

    Args:
      recipe: resolved recipe; without a data.source 1024 faces are generated.
      seconds: how long batches are read.

    Returns:
      dict: 'first_epoch_images_per_second' (rendered or read, decoded, resized, cached; not for datasets of clips),
      'pipeline_images_per_second', and 'memory_growth_mb' of the second half of the reading.
    """
    data = recipe.data.copy_and_resolve_references()
    if not data.source:
        data.source, data.synthetic_images = "synthetic", 1024
    result, count, held = {}, 0, None
    with tempfile.TemporaryDirectory() as cache:
        began = time.perf_counter()
        faces = open_faces(data, recipe.image_size, cache)
        if isinstance(faces, ArrayFaces):
            result["first_epoch_images_per_second"] = len(faces) / (time.perf_counter() - began)
        batch = images_per_step(recipe)
        read = iter(batches(faces, [batch], recipe.seed, 0, 10**9))
        next(read)
        began = time.perf_counter()
        while (passed := time.perf_counter() - began) < seconds:
            if passed > seconds / 2 and held is None:
                held = _resident()
            next(read)
            count += batch
        rate = count / (time.perf_counter() - began)
    return {**result, "pipeline_images_per_second": rate, "memory_growth_mb": _resident() - held}


def _resident():
    """Resident set of this process now, in MB."""
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * resource.getpagesize() / 2**20


def training_step(recipe, precision, steps):
    """Median seconds of a training step, after one that traces.

    Returns:
      dict: 'seconds_per_step', 'images_per_second' (of the batch), 'tracing_seconds', 'peak_memory_mb'.
    """
    model = build_method(recipe, precision)
    step = tf.function(model.train_step, autograph=False)
    size, batch = recipe.image_size, images_per_step(recipe)
    images = tf.constant(np.random.RandomState(0).randint(0, 256, (batch, size, size, 3), np.uint8))
    times = []
    for _ in range(steps + 1):
        began = time.perf_counter()
        float(step(images)["loss"])
        times.append(time.perf_counter() - began)
    seconds = statistics.median(times[1:])
    return {
        "seconds_per_step": seconds,
        "images_per_second": batch / seconds,
        "tracing_seconds": times[0],
        "peak_memory_mb": peak_memory(),
    }


def _materialised(z, mix, permutation):
    # Eq. 6 as the released code does it: every mixed negative of every anchor as a vector, [2N, 2N - 2, D].
    rows = z.shape[0]
    partner = (np.arange(rows) + rows // 2) % rows
    others = np.stack([np.setdiff1d(np.arange(rows), (i, partner[i])) for i in range(rows)])
    negatives = tf.gather(z, others)
    mixed = mix[..., None] * negatives + (1 - mix[..., None]) * tf.gather(negatives, permutation, axis=1)
    unit = tf.math.l2_normalize(z, axis=1)
    negative = tf.einsum("ad,and->an", unit, tf.math.l2_normalize(mixed, axis=2))
    positive = tf.reduce_sum(unit * tf.gather(unit, partner), axis=1, keepdims=True)
    return tf.concat([positive, negative], axis=1) / 0.07


def _contrast(kind, images, dim, answer):
    def logits(z, mix, permutation):
        if kind == "gram":
            return face_logits(z, 0.07, mix, permutation)
        return _materialised(z, mix, permutation)

    @tf.function(autograph=False)
    def value_and_gradient(z):
        mix, permutation = mixing_draw(z.shape[0], z.shape[0] - 2, tf.constant([1, 2]))
        with tf.GradientTape() as tape:
            tape.watch(z)
            loss, _ = first_is_right(logits(z, mix, permutation))
        return loss, tape.gradient(loss, z)

    float(value_and_gradient(tf.random.stateless_normal([8, dim], [1, 2]))[0])  # libraries loaded: not counted
    before = peak_memory()
    z = tf.random.stateless_normal([2 * images, dim], [1, 2])
    loss = float(value_and_gradient(z)[0])
    began = time.perf_counter()
    gradient = value_and_gradient(z)[1].numpy()
    answer.put((loss, float(np.abs(gradient).sum()), peak_memory() - before, time.perf_counter() - began))


def contrast(images=256, dim=512):
    """Eq. 6, value and gradient: from the Gram matrix, and with all mixed negatives materialised.

    Each in a process of its own, so that one's memory is not the other's.

    Returns:
      {'gram', 'materialised': {'loss', 'gradient_l1', 'extra_memory_mb', 'seconds'}}.
    """
    spawn = multiprocessing.get_context("spawn")
    result = {}
    for kind in ("gram", "materialised"):
        answer = spawn.Queue()
        process = spawn.Process(target=_contrast, args=(kind, images, dim, answer))
        process.start()
        names = ("loss", "gradient_l1", "extra_memory_mb", "seconds")
        result[kind] = dict(zip(names, answer.get(timeout=600), strict=True))
        process.join()
    return result
