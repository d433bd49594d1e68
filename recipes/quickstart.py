"""A PCL run to watch: it goes on from the encoder ``heads64`` on generated heads, two CPU cores, some two minutes.

  python -m pcl_tf.train --recipe=quickstart --workdir=runs/quickstart

--set network.weights= begins from random weights instead, which so short a run leaves as good as untrained.
"""

from ml_collections import ConfigDict

from recipes import common, heads64


def get_config(arg: str | None = None) -> ConfigDict:
    """Returns the recipe."""
    c = heads64.get_config().unlock()
    c.network.weights = "heads64"
    common.set_batch(c, 64, pdd=16, pose=8, negatives=2)
    # Of a run as short as this, little is left by small crops and flips.
    c.method.face_views = f"resized_crop(area=(0.5, 1.0))|{common.PHOTOMETRIC}"
    c.method.recon_noise_std = 0.1
    c.total_steps, c.epoch_steps = 120, 40
    c.optimizer.warmup_steps = 25
    c.data.generated_images = 2048
    c.checkpoint.every, c.watch.log_every, c.watch.images_every = 40, 10, 40
    return common.finish(c, arg)
