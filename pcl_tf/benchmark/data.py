"""The input pipeline alone."""

import statistics
import tempfile
import time

from ml_collections import ConfigDict

from pcl_tf.benchmark.measure import spread
from pcl_tf.data.faces import ArrayFaces, open_faces
from pcl_tf.data.pipeline import batches
from pcl_tf.methods.build import images_per_step, method_of


def data(recipe: ConfigDict, seconds: float = 5.0) -> dict[str, float]:
    """Images a second of opening the faces (where decoding them is once a run) and of the batches every step waits for.

    Args:
      recipe: resolved recipe; without a data.source 1024 faces are generated.
      seconds: how long batches are read, in five rounds.

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
