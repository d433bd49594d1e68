"""Eq. 6, value and gradient, from the Gram matrix and with all mixed negatives materialised."""

import multiprocessing
import queue
import time
from multiprocessing.queues import Queue
from typing import Any

import numpy as np
import tensorflow as tf

from pcl_tf.benchmark.memory import peak_memory
from pcl_tf.losses.face_contrast import face_logits
from pcl_tf.losses.info_nce import cross_entropy
from pcl_tf.losses.negatives import mixing_draw


def _materialised(z: tf.Tensor, mix: tf.Tensor, permutation: tf.Tensor) -> tf.Tensor:
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


def _contrast(kind: str, images: int, dim: int, *, answer: "Queue[Any]") -> None:
    def logits(z: tf.Tensor, mix: tf.Tensor, permutation: tf.Tensor) -> tf.Tensor:
        if kind == "gram":
            return face_logits(z, temperature=0.07, mix=mix, permutation=permutation)
        return _materialised(z, mix, permutation)

    @tf.function(autograph=False)
    def value_and_gradient(z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        mix, permutation = mixing_draw(z.shape[0], z.shape[0] - 2, tf.constant([1, 2]))
        with tf.GradientTape() as tape:
            tape.watch(z)
            loss = cross_entropy(logits(z, mix, permutation))
        return loss, tape.gradient(loss, z)

    float(value_and_gradient(tf.random.stateless_normal([8, dim], [1, 2]))[0])  # libraries loaded: not counted
    before = peak_memory()
    z = tf.random.stateless_normal([2 * images, dim], [1, 2])
    loss = float(value_and_gradient(z)[0])
    began = time.perf_counter()
    gradient = value_and_gradient(z)[1].numpy()
    answer.put((loss, float(np.abs(gradient).sum()), peak_memory() - before, time.perf_counter() - began))


def contrast(images: int = 256, dim: int = 512) -> dict[str, dict[str, float]]:
    """Eq. 6, value and gradient: from the Gram matrix, and with all mixed negatives materialised.

    Each in a process of its own, so that one's memory is not the other's.

    Returns:
      {'gram', 'materialised': {'loss', 'gradient_l1', 'extra_memory_mb', 'seconds'}}.
    """
    spawn = multiprocessing.get_context("spawn")
    result = {}
    for kind in ("gram", "materialised"):
        answer = spawn.Queue()
        process = spawn.Process(target=_contrast, args=(kind, images, dim), kwargs={"answer": answer})
        process.start()
        names = ("loss", "gradient_l1", "extra_memory_mb", "seconds")
        found = None
        while found is None:
            ended = process.exitcode is not None  # asked before the queue, which may hold its last word
            try:
                found = answer.get(timeout=1)
            except queue.Empty:
                if ended:
                    raise ValueError(f"{kind}: the process ended with exit code {process.exitcode}.") from None
        result[kind] = dict(zip(names, found, strict=True))
        process.join()
    return result
