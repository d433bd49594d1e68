"""A training step: seconds, share of the machine's peak, phases, memory; two recipes in turns; the input pipeline alone."""

import gc
import pathlib
import statistics
import sys
import tempfile
import time
from typing import Any

import numpy as np
import tensorflow as tf
from ml_collections import ConfigDict

from pcl_tf.benchmark.measure import by_phase, flops, peak, peak_memory, profile, spread
from pcl_tf.data.faces import ArrayFaces, PairedFaces, open_faces
from pcl_tf.data.pipeline import batches
from pcl_tf.methods.build import build_method, images_per_step, method_of

_FACES = 1024  # random ones: what is on them costs nothing


class Step:
    """A resolved recipe's training step in a precision, compiled as of ``choices.XLA``, traced and fed by the real pipeline."""

    def __init__(self, recipe: ConfigDict, precision: str, xla: str = "none") -> None:
        size, self.images = recipe.image_size, images_per_step(recipe)
        faces = np.random.RandomState(0).randint(0, 256, (max(_FACES, self.images), size, size, 3), np.uint8)
        single = method_of(recipe).pairs(recipe) == "none"
        source = ArrayFaces(faces) if single else PairedFaces(faces, np.arange(len(faces)) // 8)
        self.read = iter(batches(source, [self.images], seed=recipe.seed, first_step=0, total_steps=10**9))
        self.model = build_method(recipe, precision=precision, xla=xla)
        self.run = tf.function(self.model.train_step, autograph=False, jit_compile=xla == "step")
        began = time.perf_counter()
        self.concrete = self.run.get_concrete_function(next(self.read))
        self.tracing = time.perf_counter() - began
        self.once()

    def once(self) -> tuple[float, float]:
        """One step, batch and update: (seconds it took, seconds of them that it waited for the batch)."""
        began = time.perf_counter()
        images = next(self.read)
        got = time.perf_counter()
        float(self.run(images)["loss"])
        return time.perf_counter() - began, got - began


def train(
    recipe: ConfigDict, *, precision: str, steps: int, folder: str | pathlib.Path | None = None, xla: str = "none"
) -> dict[str, Any]:
    """Measures a step.

    Args:
      recipe, precision, xla: as of ``Step``; 'tracing_seconds' lacks the compiling.
      steps: how many are timed; one before and one with the profiler are not.
      folder: of the profile, for TensorBoard; None for none.

    Returns:
      dict: 'peak_gflops' (``peak`` in this precision); 'seconds_per_step' (median), 'spread' (slowest minus fastest
      over the median), 'images_per_second'; 'tflop' of a step and 'mfu', its share of the peak; 'phases' (data: share of
      the step that is waiting for a batch; the rest as its operations share their time, so that one on one core counts
      half of what two cores could have done) and 'tflop_of' each; 'operations', how many a step starts (what XLA has
      compiled is one); 'tracing_seconds', 'peak_memory_mb' of the process. Without 'phases' and 'operations' where this
      TensorFlow hides its profile, and where the whole step is compiled and its operations have lost their names.
    """
    best = peak(tf.as_dtype(precision.removeprefix("mixed_")))
    step = Step(recipe, precision, xla)
    times, waits = zip(*(step.once() for _ in range(steps)), strict=True)
    seconds = statistics.median(times)
    waited = statistics.median(waits) / seconds
    memory = peak_memory()
    profiled: dict[tuple[str, str], float] = {}
    seen: dict[str, Any] = {}
    try:
        if folder or xla != "step":
            profiled = profile(step.once, folder)
    except ImportError as error:
        print(f"no phases: {error}", file=sys.stderr)
    if profiled and xla != "step":
        taken, whole = by_phase((name, value) for (name, _), value in profiled.items()), sum(profiled.values())
        seen["phases"] = {"data": waited, **{k: (1 - waited) * v / whole for k, v in taken.items()}}
        seen["operations"] = len(profiled)
    work = by_phase((name, count / 1e12) for name, count in flops(step.concrete).items())
    tflop = sum(work.values())
    return {
        "peak_gflops": best,
        "seconds_per_step": seconds,
        "spread": spread(times),
        "images_per_second": step.images / seconds,
        "tflop": tflop,
        "mfu": 1000 * tflop / seconds / best,
        **seen,
        "tflop_of": work,
        "tracing_seconds": step.tracing,
        "peak_memory_mb": memory,
    }


def against(a: Step, b: Step, steps: int) -> dict[str, Any]:
    """Times two steps in turns, A B A B, ``steps`` times each: what the machine does meanwhile meets both.

    Returns:
      dict: 'images_per_second' of both (medians), 'ratios' of the first's to the second's pair by pair, 'ratio', their
      median.
    """
    gc.collect()
    rates = [(a.images / a.once()[0], b.images / b.once()[0]) for _ in range(steps)]
    ratios = [x / y for x, y in rates]
    medians = [statistics.median(of) for of in zip(*rates, strict=True)]
    return {"images_per_second": medians, "ratios": ratios, "ratio": statistics.median(ratios)}


def data(recipe: ConfigDict, seconds: float = 5.0) -> dict[str, float]:
    """Images a second of opening the faces (where decoding them is once a run) and of the batches every step waits for.

    Without a data.source 1024 faces are generated; batches are read for some seconds, in five rounds.

    Returns:
      dict: 'first_epoch_images_per_second' (rendered or read, decoded, resized, cached; not for datasets of clips),
      'pipeline_images_per_second' (median of the rounds) and 'spread' (fastest minus slowest over the median).
    """
    source, batch, result, rates = recipe.data.copy_and_resolve_references(), images_per_step(recipe), {}, []
    if not source.source:
        source.source, source.generated_images = "generated", 1024
    with tempfile.TemporaryDirectory() as cache:
        began = time.perf_counter()
        faces = open_faces(source, recipe.image_size, cache, method_of(recipe).pairs(recipe))
        if isinstance(faces, ArrayFaces):
            result["first_epoch_images_per_second"] = len(faces) / (time.perf_counter() - began)
        read = iter(batches(faces, [batch], seed=recipe.seed, first_step=0, total_steps=10**9))
        next(read)
        for _ in range(5):
            count, began = 0, time.perf_counter()
            while not count or time.perf_counter() - began < seconds / 5:
                next(read)
                count += batch
            rates.append(count / (time.perf_counter() - began))
    return {**result, "pipeline_images_per_second": statistics.median(rates), "spread": spread(rates)}
