"""PCL at a size two cores carry: 64 pixels, quarter width, batch 128, decoder and pose contrast on parts of it.

  python -m pcl_tf.train --recipe=small64 --data=DIR_OR_ZIP --workdir=W --precision=mixed_bfloat16

The recipe of the tables at small scale; ``python -m pcl_tf.reproduce`` sets total_steps from a budget of encoder
passes. As it stands: 472 steps, 200,128 passes, six minutes on two cores with AVX512-BF16.
"""

from ml_collections import ConfigDict

from recipes import common


def get_config(arg: str | None = None) -> ConfigDict:
    """Returns the recipe."""
    c = common.base()
    common.set_batch(c, 128, pdd=32, pose=4, negatives=24)
    c.network.width = 0.25
    c.network.head_dim = 128
    c.optimizer.learning_rate = 3e-4
    c.optimizer.warmup_steps = 50
    c.total_steps = 472
    c.epoch_steps = 50
    c.checkpoint.every = 100
    c.watch.log_every = 25
    c.watch.images_every = 200
    return common.finish(c, arg)
