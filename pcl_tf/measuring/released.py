"""Our step beside the released code's iteration of the same size, in turns."""

import importlib.util
import statistics
import subprocess
import sys

from pcl_tf.measuring.train import Step


class _Beside:
    """The released iteration in a process of its own, where torch's threads sleep while ours work."""

    def __init__(self, recipe, precision):
        m = recipe.method
        sizes = map(str, (recipe.batch_size, m.pose_batch, m.negatives_per_image))
        command = [sys.executable, "-m", "pcl_tf.measuring.released_step", *sizes, precision]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def once(self):
        """Seconds of one iteration."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        said = self.process.stdout.readline()
        if not said:
            raise ValueError(f"The released step ended with exit code {self.process.wait()}; its error is above.")
        return float(said)

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def released(recipe, precision, steps):
    """Our step, with views and data, against the released code's as published and with bfloat16 autocast.

    Args:
      recipe: resolved recipe of 64 pixels and full width; batch_size, pose_batch and negatives_per_image hold for all.
      precision: dtype policy of ours.
      steps: rounds that are timed, after one that is not.

    Returns:
      {'images_per_second': {'ours', 'float32', 'mixed_bfloat16'} (medians), 'faster_than': {'float32',
      'mixed_bfloat16': ratios round by round}, 'ratio': {the same: medians}}.

    Raises:
      ValueError: the recipe is of another size, or torch is not installed (requirements-torch.txt).
    """
    if (recipe.image_size, recipe.network.width, recipe.network.backbone) != (64, 1.0, "cnn16"):
        raise ValueError("The released code has one network: 64 pixels, width 1, cnn16. Take vox64 or vox64_official.")
    if not importlib.util.find_spec("torch"):
        raise ValueError("The released code's side needs torch: pip install -r requirements-torch.txt")
    others = {name: _Beside(recipe, name) for name in ("float32", "mixed_bfloat16")}
    try:
        seconds = {name: [] for name in others}
        for other in others.values():
            other.once()
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
