"""A linear probe: encoding once, then each solver."""

import tempfile
import time

from pcl_tf.evaluation.corpora.generated import expression
from pcl_tf.evaluation.features import extract
from pcl_tf.evaluation.judge import judge
from pcl_tf.evaluation.models import open_encoder
from pcl_tf.methods.build import build_encoder
from pcl_tf.serving.export import save_export


def probe(recipe):
    """Times a probe of an untrained encoder on generated expressions.

    Args:
      recipe: resolved recipe.

    Returns:
      {'images', 'encoded_images_per_second', 'lbfgs_seconds', 'adam_seconds'}.
    """
    size = recipe.image_size
    task = expression(size)
    with tempfile.TemporaryDirectory() as folder:
        encoder = open_encoder(str(save_export(build_encoder(recipe, size), folder, 0, size, "{}")))
        began = time.perf_counter()
        features = extract(encoder, task.source, size, f"{folder}/features")
        result = {
            "images": task.source.count,
            "encoded_images_per_second": task.source.count / (time.perf_counter() - began),
        }
        for solver in ("lbfgs", "adam"):
            began = time.perf_counter()
            judge(task, features["face_aware"], features.bad, solver, 0)
            result[f"{solver}_seconds"] = time.perf_counter() - began
    return result
