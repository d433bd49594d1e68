"""The input pipeline alone."""

import statistics
import tempfile
import time

import psutil
from ml_collections import ConfigDict

from pcl_tf.benchmark.measure import spread
from pcl_tf.data.faces import ArrayFaces, open_faces
from pcl_tf.data.pipeline import batches
from pcl_tf.methods.build import images_per_step, method_of

_ROUNDS = 5


def data(recipe: ConfigDict, seconds: float = 5.0) -> dict[str, float]:
    """Images a second of opening the faces (where decoding them is once a run) and of the batches every step waits for.

    Args:
      recipe: resolved recipe; without a data.source 1024 faces are generated.
      seconds: how long batches are read, in five rounds.

    Returns:
      dict: 'first_epoch_images_per_second' (rendered or read, decoded, resized, cached; not for datasets of clips),
      'pipeline_images_per_second' (median of the rounds), 'spread' (fastest minus slowest over the median), and
      'memory_growth_mb' from the third round on.
    """
    source = recipe.data.copy_and_resolve_references()
    if not source.source:
        source.source, source.generated_images = "generated", 1024
    result, rates, held = {}, [], []
    with tempfile.TemporaryDirectory() as cache:
        began = time.perf_counter()
        faces = open_faces(source, recipe.image_size, cache, method_of(recipe).pairs(recipe))
        if isinstance(faces, ArrayFaces):
            result["first_epoch_images_per_second"] = len(faces) / (time.perf_counter() - began)
        batch = images_per_step(recipe)
        read = iter(batches(faces, [batch], seed=recipe.seed, first_step=0, total_steps=10**9))
        next(read)
        for _ in range(_ROUNDS):
            count, began = 0, time.perf_counter()
            while not count or time.perf_counter() - began < seconds / _ROUNDS:
                next(read)
                count += batch
            rates.append(count / (time.perf_counter() - began))
            held.append(psutil.Process().memory_info().rss / 2**20)
    return {
        **result,
        "pipeline_images_per_second": statistics.median(rates),
        "spread": spread(rates),
        "memory_growth_mb": held[-1] - held[1],
    }
