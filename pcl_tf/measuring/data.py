"""The input pipeline alone."""

import tempfile
import time

from pcl_tf.data.faces import ArrayFaces, open_faces
from pcl_tf.data.pipeline import batches
from pcl_tf.measuring.memory import resident
from pcl_tf.methods.build import images_per_step


def data(recipe, seconds=5.0):
    """Images a second of opening the faces (where decoding them is once a run) and of the batches every step waits for.

    Args:
      recipe: resolved recipe; without a data.source 1024 faces are generated.
      seconds: how long batches are read.

    Returns:
      dict: 'first_epoch_images_per_second' (rendered or read, decoded, resized, cached; not for datasets of clips),
      'pipeline_images_per_second', and 'memory_growth_mb' of the second half of the reading.
    """
    source = recipe.data.copy_and_resolve_references()
    if not source.source:
        source.source, source.synthetic_images = "synthetic", 1024
    result, count, held = {}, 0, None
    with tempfile.TemporaryDirectory() as cache:
        began = time.perf_counter()
        faces = open_faces(source, recipe.image_size, cache)
        if isinstance(faces, ArrayFaces):
            result["first_epoch_images_per_second"] = len(faces) / (time.perf_counter() - began)
        batch = images_per_step(recipe)
        read = iter(batches(faces, [batch], recipe.seed, 0, 10**9))
        next(read)
        began = time.perf_counter()
        while (passed := time.perf_counter() - began) < seconds:
            if passed > seconds / 2 and held is None:
                held = resident()
            next(read)
            count += batch
        rate = count / (time.perf_counter() - began)
    return {**result, "pipeline_images_per_second": rate, "memory_growth_mb": resident() - held}
