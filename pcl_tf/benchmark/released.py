"""Our step beside the released code's iteration of the same size, in turns."""

import statistics
import subprocess
import sys
from typing import Any

from ml_collections import ConfigDict

from pcl_tf.benchmark.train import Step
from pcl_tf.extras import missing
from pcl_tf.recipe import flatten

# What decides the work of a step beside the sizes of its batches.
_ALIKE = {
    "image_size": 64,
    "network.backbone": "cnn16",
    "network.width": 1.0,
    "network.head_dim": 512,
    "method.name": "pcl",
    "method.reconstruct": True,
    "method.pdd_batch": True,  # all images
    "method.pose_contrast": "pose",
    "method.interpolate_negatives": True,
}


class _Beside:
    """The released iteration in a process of its own, where torch's threads sleep while ours work."""

    def __init__(self, recipe: ConfigDict, precision: str) -> None:
        m = recipe.method
        sizes = map(str, (recipe.batch_size, m.pose_batch, m.negatives_per_image))
        command = [sys.executable, "-m", "pcl_tf.benchmark.released_step", *sizes, precision]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def once(self) -> float:
        """Seconds of one iteration."""
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
            return float(self.process.stdout.readline())
        except (OSError, ValueError) as error:  # a closed pipe, an empty line
            code = self.process.wait()
            raise ValueError(f"The released step ended with exit code {code}; what it printed says why.") from error

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def released(recipe: ConfigDict, precision: str, steps: int) -> dict[str, Any]:
    """Our step, with views and data, against the released code's as published and with bfloat16 autocast.

    Args:
      recipe: resolved recipe, vox64 or vox64_official but for its batch_size, pose_batch and negatives_per_image, which
        hold for all. A joint step (vox64) is one update, the released iteration is three, on the same number of images.
      precision: dtype policy of ours.
      steps: rounds that are timed, after one that is not.

    Returns:
      {'images_per_second': {'ours', 'float32', 'mixed_bfloat16'} (medians), 'faster_than': {'float32',
      'mixed_bfloat16': ratios round by round}, 'ratio': {the same: medians}}.

    Raises:
      ValueError: the recipe does other work, or torch is not installed (pcl_tf[torch]).
    """
    other: Any
    found = {key: flatten(recipe).get(key, False) for key in _ALIKE}  # a method without a part has no key for it
    found["method.pdd_batch"] = found["method.pdd_batch"] == recipe.batch_size
    if other := [f"{k} is {v}" for k, v in found.items() if v != _ALIKE[k]]:
        raise ValueError(f"The released code does other work ({', '.join(other)}). Take vox64 or vox64_official.")
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise ValueError(missing("torch", error, "runs the released code's side")) from error
    others: dict[str, _Beside] = {}
    seconds: dict[str, list[float]] = {"float32": [], "mixed_bfloat16": []}
    try:
        for name in seconds:
            others[name] = _Beside(recipe, name)
            others[name].once()
        ours = Step(recipe, precision)
        for _ in range(steps):
            ours.once()
            for name, other in others.items():
                seconds[name].append(other.once())
    finally:
        for other in others.values():
            other.end()
    ratios = {k: [x / y for x, y in zip(v, ours.seconds, strict=True)] for k, v in seconds.items()}
    rates = {k: recipe.batch_size / statistics.median(v) for k, v in {"ours": ours.seconds, **seconds}.items()}
    return {
        "images_per_second": rates,
        "faster_than": ratios,
        "ratio": {k: statistics.median(v) for k, v in ratios.items()},
    }
