"""PCL for processors: 64 pixels, the backbone patch_cnn, settings chosen on a validation part of the labels.

  python -m pcl_tf.train --recipe=patch64 --data=DIR_OR_ZIP --workdir=W

What was tried, and what each setting is worth, is in BUILD_NOTES.md. L_pose has a small weight: at weight 1 it costs
F_s more than it gives. Adam divides by the size of the gradient, so the head and the subnet of F_p, which L_pose alone
trains, learn as fast as with weight 1.
"""

from ml_collections import ConfigDict

from recipes import common


def get_config(arg: str | None = None) -> ConfigDict:
    """Returns the recipe."""
    c = common.base()
    common.set_batch(c, 128, pdd=16, pose=14, negatives=2)
    c.network.backbone = "patch_cnn"
    c.network.width = 0.25
    c.network.head_dim = 128
    c.method.temperature = 0.15
    c.method.photometric = 0.4
    c.method.pose_weight = 0.1
    c.optimizer.learning_rate = 1e-3
    c.optimizer.warmup_steps = 50
    c.optimizer.clip_norm = 5.0
    c.total_steps = 10_000
    c.epoch_steps = 100
    c.checkpoint.every = 100
    c.watch.images_every = 500
    return common.finish(c, arg)
