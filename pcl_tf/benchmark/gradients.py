"""How much of each part's gradient on the backbone is signal and how much is noise of the batch; who agrees with whom.

What anyone needs who changes a batch, a weight or a loss of Eq. 7: a part whose noise is larger than another part's
signal takes that part's share of every step, however right its own mean gradient is.
"""

import itertools
import math
import pathlib
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from ml_collections import ConfigDict
from tqdm import tqdm

from pcl_tf.data.faces import open_faces
from pcl_tf.data.pipeline import batches
from pcl_tf.errors import Refused
from pcl_tf.methods.build import build_method, images_per_step, method_of, parts_per_step
from pcl_tf.seeds import replica_rng, seed_everything
from pcl_tf.training.checkpoints import Checkpoints


def summary(
    count: int, totals: Mapping[str, np.ndarray], squares: Mapping[str, float]
) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """What n independent draws g_1 .. g_n of each part's gradient, with mean G and covariance C, tell of G and C.

    Args:
      count, totals, squares: n, at least 2; {part: sum of g}, float64 [D]; {part: sum of |g|^2}.

    Returns:
      ({part: {'signal', 'noise', 'ratio'}}, {'cosine_A_B': ..}). 'noise' estimates sqrt(trace C), the root mean square
      distance of one draw from G; 'signal' estimates |G|: the mean's own square less the noise left in it, 0 where noise
      explains all. Both are unbiased before the root. The cosine of two noisy means is pulled towards 0, so it is
      corrected by both signals and cut off at 1; NaN where a part has no signal.
    """
    found, cosines = {}, {}
    for name, total in totals.items():
        own = float(total @ total) / count**2
        noise = math.sqrt(max(0.0, (squares[name] - count * own) / (count - 1)))
        signal = math.sqrt(max(0.0, own - noise**2 / count))
        ratio = signal / noise if noise else math.inf if signal else 0.0
        found[name] = {"signal": signal, "noise": noise, "ratio": ratio}
    for a, b in itertools.combinations(totals, 2):
        lengths = found[a]["signal"] * found[b]["signal"]
        cosine = float(totals[a] @ totals[b]) / count**2 / lengths if lengths else math.nan
        cosines[f"cosine_{a}_{b}"] = float(np.clip(cosine, -1.0, 1.0))
    return found, cosines


def gradients(recipe: ConfigDict, draws: int = 16, workdir: str | pathlib.Path | None = None) -> dict[str, Any]:
    """Measures the gradients of the weighted parts of Eq. 7 on the backbone.

    Without a data.source faces are generated. Each of the draws, at least 2, is a batch with its own faces and random
    draws. Of a workdir, a run of the same recipe, the newest checkpoint is measured; None measures the start.

    Returns:
      {'step', part: {'signal', 'noise', 'ratio', 'loss'}, .., 'cosine_A_B': ..}, weights (dynamic ones too) applied.

    Raises:
      Refused: a workdir without a checkpoint of this network.
    """
    source = recipe.data.copy_and_resolve_references()
    if not source.source:
        source.source = "generated"
    seed_everything(recipe.seed)
    model = build_method(recipe)
    if workdir is not None and Checkpoints(model, f"{workdir}/checkpoints").restore() is None:
        raise Refused(f"--workdir={workdir}: no checkpoint that this recipe can read.")
    variables = [v.value for v in model.encoder.get_layer("backbone").trainable_variables]

    @tf.function(autograph=False)
    def measure(images: tf.Tensor, step: tf.Tensor) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
        images = tf.ensure_shape(tf.cast(images, tf.float32) / 255.0, [images_per_step(recipe), *images.shape[1:]])
        measured = {}
        for name, part in model.parts(images, replica_rng(recipe.seed, step)):
            with tf.GradientTape() as tape:
                loss, _ = part()
            parts = tape.gradient(loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            measured[name] = loss, tf.concat([tf.reshape(g, [-1]) for g in parts], axis=0)
        return measured

    totals: dict[str, np.ndarray] = {}
    squares: dict[str, float] = {}
    losses: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as cache:
        faces = open_faces(source, recipe.image_size, source.cache or cache, method_of(recipe).pairs(recipe))
        read = batches(faces, parts_per_step(recipe), seed=recipe.seed, first_step=0, total_steps=draws)
        for step, images in enumerate(tqdm(read, total=draws, desc="gradients", unit="batch", file=sys.stderr)):
            for name, (loss, gradient) in measure(images, tf.constant(step, tf.int64)).items():
                vector = np.asarray(gradient, np.float64)
                totals[name] = totals.get(name, 0.0) + vector
                squares[name] = squares.get(name, 0.0) + float(vector @ vector)
                losses[name] = losses.get(name, 0.0) + float(loss) / draws
    found, cosines = summary(draws, totals, squares)
    return {"step": int(model.step.numpy()), **{k: v | {"loss": losses[k]} for k, v in found.items()}, **cosines}
