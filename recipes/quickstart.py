"""A PCL run to watch: generated faces, two CPU cores, about six minutes.

python -m pcl_tf.train --recipe=quickstart --workdir=runs/quickstart
"""

from ml_collections import ConfigDict

from recipes import common


def get_config(arg: str | None = None) -> ConfigDict:
    """Returns the recipe."""
    c = common.base()
    common.set_batch(c, 64, pdd=12, pose=8, negatives=2)
    c.network.backbone = "patch_cnn"  # made for processors
    c.network.width = 0.25
    c.network.head_dim = 128
    # Of a run as short as this, little is left by small crops and full photometric changes.
    c.method.face_views = f"resized_crop(area=(0.8, 1.0))|{common.PHOTOMETRIC}"
    c.method.photometric = 0.35
    c.method.recon_noise_std = 0.1
    c.method.pose_weight = 0.1
    c.total_steps, c.epoch_steps = 700, 50
    c.optimizer.learning_rate = 2e-3
    c.optimizer.warmup_steps = 25
    c.optimizer.clip_norm = 5.0
    c.data.source, c.data.generated_images = "generated", 2048
    c.checkpoint.every, c.watch.log_every, c.watch.images_every = 100, 10, 100
    return common.finish(c, arg)
