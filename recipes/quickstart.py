"""A PCL run to watch: generated faces, two CPU cores, under four minutes.

python -m pcl_tf.train --recipe=quickstart --workdir=runs/quickstart
"""

from recipes import common


def get_config(arg=None):
    """Returns the recipe."""
    c = common.base()
    c.image_size = 32
    common.set_batch(c, 128, pdd=32, pose=8, negatives=16)
    c.network.width = 0.25
    c.network.head_dim = 128
    c.total_steps, c.epoch_steps = 400, 50
    c.optimizer.learning_rate, c.optimizer.warmup_steps = 1e-3, 20
    c.data.source, c.data.synthetic_images = "synthetic", 4096
    c.checkpoint.every, c.watch.log_every, c.watch.images_every = 100, 10, 100
    return common.finish(c, arg)
