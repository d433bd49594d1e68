"""What each signature of an export costs beside the bare backbone."""

import statistics
import tempfile
import time
from typing import Any

import tensorflow as tf
from ml_collections import ConfigDict

from pcl_tf.benchmark.spread import spread
from pcl_tf.data.generated import render, sample_labels
from pcl_tf.methods.build import build_encoder
from pcl_tf.serving.export import save_export

LATENCY, THROUGHPUT = 1, 32  # batches
FILE_SIDE = 128  # pixels of the JPEGs, so that they are resized as well


def serving(recipe: ConfigDict, rounds: int = 10) -> dict[str, Any]:
    """Milliseconds of a request with 1 image and images a second of requests with 32, in turns.

    Args:
      recipe: resolved recipe; the weights are drawn.
      rounds: every part is measured once in each; medians are returned.

    Returns:
      {'backbone', 'embed', 'serving_default': {'latency_ms', 'images_per_second', 'spreads' of both: slowest minus
      fastest over the median}, 'decoding_over_network': how many times the seconds of 'embed' decoding and resizing
      take, at 32}.
    """
    size = recipe.image_size
    encoder = build_encoder(recipe, size)
    faces = tf.constant(render(sample_labels(THROUGHPUT, 0), FILE_SIDE))
    files = tf.stack([tf.io.encode_jpeg(face) for face in faces])
    images = tf.image.resize(tf.cast(faces, tf.float32) / 255.0, [size, size])
    with tempfile.TemporaryDirectory() as folder:
        loaded = tf.saved_model.load(str(save_export(encoder, folder, step=0, image_size=size, recipe_json="{}")))
    backbone = tf.function(encoder.get_layer("backbone"))
    parts = {
        "backbone": lambda n: backbone(images[:n], training=False),
        "embed": lambda n: loaded.signatures["embed"](images=images[:n]),
        "serving_default": lambda n: loaded.signatures["serving_default"](image_bytes=files[:n]),
    }
    times: dict[tuple[str, int], list[float]] = {(name, n): [] for name in parts for n in (LATENCY, THROUGHPUT)}
    for turn in range(rounds + 2):
        for (name, n), found in times.items():
            began = time.perf_counter()
            parts[name](n)
            if turn > 1:  # the first two trace and warm up
                found.append(time.perf_counter() - began)
    seconds = {key: statistics.median(found) for key, found in times.items()}
    result = {
        name: {
            "latency_ms": 1000 * seconds[name, LATENCY],
            "images_per_second": THROUGHPUT / seconds[name, THROUGHPUT],
            "spreads": [spread(times[name, n]) for n in (LATENCY, THROUGHPUT)],
        }
        for name in parts
    }
    embed, whole = seconds["embed", THROUGHPUT], seconds["serving_default", THROUGHPUT]
    return {**result, "decoding_over_network": (whole - embed) / embed}
