"""A linear probe: encoding, then each solver."""

import statistics
import tempfile
import time
from typing import Any

from ml_collections import ConfigDict

from pcl_tf.benchmark.spread import spread
from pcl_tf.evaluation.corpora.generated import expression
from pcl_tf.evaluation.evaluate import evaluate
from pcl_tf.evaluation.features import extract
from pcl_tf.evaluation.models import open_encoder
from pcl_tf.methods.build import build_encoder
from pcl_tf.serving.export import save_export


def probe(recipe: ConfigDict, rounds: int = 3) -> dict[str, Any]:
    """Times a probe of an untrained encoder on generated expressions.

    Args:
      recipe: resolved recipe.
      rounds: every part is measured once in each, in turns; medians are returned.

    Returns:
      {'images', 'encoded_images_per_second', 'lbfgs_seconds', 'adam_seconds', 'adam_over_lbfgs' (median of the ratios
      round by round), 'spreads' (of the three: slowest minus fastest over the median)}.
    """
    size = recipe.image_size
    task = expression(size)
    times: dict[str, list[float]] = {"encode": [], "lbfgs": [], "adam": []}
    with tempfile.TemporaryDirectory() as folder:
        encoder = open_encoder(
            str(save_export(build_encoder(recipe, size), folder, step=0, image_size=size, recipe_json="{}"))
        )
        for turn in range(rounds):
            began = time.perf_counter()
            features = extract(encoder, task.source, size, cache=f"{folder}/features{turn}")
            times["encode"].append(time.perf_counter() - began)
            for solver in ("lbfgs", "adam"):
                began = time.perf_counter()
                evaluate(task, features["face_aware"], bad=features.bad, solver=solver, seed=0)
                times[solver].append(time.perf_counter() - began)
    middle = {name: statistics.median(found) for name, found in times.items()}
    return {
        "images": task.source.count,
        "encoded_images_per_second": task.source.count / middle["encode"],
        "lbfgs_seconds": middle["lbfgs"],
        "adam_seconds": middle["adam"],
        "adam_over_lbfgs": statistics.median(a / b for a, b in zip(times["adam"], times["lbfgs"], strict=True)),
        "spreads": [spread(found) for found in times.values()],
    }
