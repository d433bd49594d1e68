"""The paper's pre-training: VoxCeleb faces at 64 pixels, batch 256, Adam 1e-4, cosine.

  python -m pcl_tf.train --recipe=vox64 --data=DIR_OR_ZIP --workdir=W

Costs: 13 images/s and 6 GB on two CPU cores in bfloat16, so nine months; meant for GPUs.
An epoch of the paper draws one frame of each of 299,085 clips: 1,168 steps at
batch 256, 1000 epochs. Reaches (the paper's claim, not reproduced here yet):
RAF-DB 74.47, FER-2013 56.81, LFW 79.72 by linear probe.
"""

from ml_collections import ConfigDict

from recipes import common


def get_config(arg: str | None = None) -> ConfigDict:
    """Returns the recipe."""
    c = common.base()
    c.epoch_steps = 1168
    c.total_steps = 1000 * c.epoch_steps
    return common.finish(c, arg)
