"""The released code's settings where they differ from the paper's text.

  python -m pcl_tf.train --recipe=vox64_official --data=DIR_OR_ZIP --workdir=W

Quadrant crops, three alternating updates, negatives in the released layout,
BatchNorm apart for positives and negatives and for each decoded combination,
cross-correlation orthogonality, coupled L2 of 1e-3, 6000 epochs.
"""

from ml_collections import ConfigDict

from recipes import common


def get_config(arg: str | None = None) -> ConfigDict:
    """Returns the recipe."""
    c = common.base()
    c.epoch_steps = 1168
    c.total_steps = 6000 * c.epoch_steps
    m = c.method
    m.updates = "alternating"
    m.orthogonality = "cross_correlation"
    m.pose_negatives = "official_layout"
    m.pose_one_norm = False
    m.decoder_batches = "apart"
    m.face_views = f"quadrant_crop|{common.PHOTOMETRIC}"
    c.optimizer.decay = 1e-3
    return common.finish(c, arg)
