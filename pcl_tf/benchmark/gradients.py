"""How much of each part's gradient on the backbone is signal and how much is noise of the batch; who agrees with whom.

What anyone needs who changes a batch, a weight or a loss of Eq. 7: a part whose noise is larger than another part's
signal takes that part's share of every step, however right its own mean gradient is.
"""

import itertools
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


class Moments:
    """Mean and spread of vectors that come one at a time.

    With independent draws g_1 .. g_n of a gradient with mean G and covariance C, ``noise`` estimates sqrt(trace C), the
    root mean square distance of one draw from G, and ``signal`` estimates \\|G\\|. Both are unbiased before the root.
    """

    def __init__(self) -> None:
        self.count, self.squares = 0, 0.0
        self.total: Any = 0.0

    def add(self, vector: np.ndarray) -> None:
        """Counts one draw: float [D]."""
        vector = np.asarray(vector, np.float64)
        self.count += 1
        self.total = self.total + vector
        self.squares += float(vector @ vector)

    @property
    def mean(self) -> np.ndarray:
        """float64 [D], the mean of the draws."""
        return self.total / self.count

    @property
    def noise(self) -> float:
        """sqrt of the trace of the draws' covariance; needs two draws."""
        rest = self.squares - self.count * float(self.mean @ self.mean)
        return float(np.sqrt(max(0.0, rest / (self.count - 1))))

    @property
    def signal(self) -> float:
        """Length of the true mean: the mean's own square less the noise left in it; 0 where noise explains all."""
        return float(np.sqrt(max(0.0, float(self.mean @ self.mean) - self.noise**2 / self.count)))


def summary(moments: Mapping[str, Moments]) -> dict[str, Any]:
    """What a reader compares: {part: ``Moments``} -> dict of signal, noise, ratio and cosines of the mean gradients.

    The cosine of two noisy means is pulled towards 0, so it is corrected by both signals and cut off at 1; NaN where a
    part has no signal.
    """
    result: dict[str, Any] = {}
    for name, m in moments.items():
        ratio = m.signal / m.noise if m.noise else (float("inf") if m.signal else 0.0)
        result[name] = {"signal": m.signal, "noise": m.noise, "ratio": ratio}
    for a, b in itertools.combinations(moments, 2):
        lengths = moments[a].signal * moments[b].signal
        cosine = float(moments[a].mean @ moments[b].mean) / lengths if lengths else float("nan")
        result[f"cosine_{a}_{b}"] = float(np.clip(cosine, -1.0, 1.0))
    return result


def gradients(recipe: ConfigDict, draws: int = 16, workdir: str | pathlib.Path | None = None) -> dict[str, Any]:
    """Measures the gradients of the weighted parts of Eq. 7 on the backbone.

    Args:
      recipe: resolved recipe; without a data.source faces are generated.
      draws: batches, each with its own faces and random draws, at least 2.
      workdir: a run of the same recipe whose newest checkpoint is measured; None measures the start.

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

    moments: dict[str, Moments] = {}
    losses: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as cache:
        faces = open_faces(source, recipe.image_size, source.cache or cache, method_of(recipe).pairs(recipe))
        read = batches(faces, parts_per_step(recipe), seed=recipe.seed, first_step=0, total_steps=draws)
        for step, images in enumerate(tqdm(read, total=draws, desc="gradients", unit="batch", file=sys.stderr)):
            for name, (loss, vector) in measure(images, tf.constant(step, tf.int64)).items():
                moments.setdefault(name, Moments()).add(vector)
                losses[name] = losses.get(name, 0.0) + float(loss) / draws
    result = summary(moments)
    for name, loss in losses.items():
        result[name]["loss"] = loss
    return {"step": int(model.step.numpy()), **result}
