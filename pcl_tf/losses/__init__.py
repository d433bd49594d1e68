"""PCL's losses as pure functions of tensors, usable by themselves: float32 inside, no state, no Keras.

    from pcl_tf.losses import nt_xent

    loss, logits = nt_xent(z1, z2, temperature=0.07)  # embeddings [N, D] of two views

Where a training step runs on several replicas, they meet through ``pcl_tf.losses.gather`` alone.
"""

from pcl_tf.losses.cosine import mean_abs_cosine, spread
from pcl_tf.losses.dwa import dwa_weights
from pcl_tf.losses.face_contrast import nt_xent
from pcl_tf.losses.info_nce import accuracy, info_nce
from pcl_tf.losses.kept import kept_mean
from pcl_tf.losses.orthogonality import cross_correlation, orthogonality
from pcl_tf.losses.pose_contrast import pose_info_nce
from pcl_tf.losses.reconstruction import combine, reconstruction

__all__ = [
    "accuracy",
    "combine",
    "cross_correlation",
    "dwa_weights",
    "info_nce",
    "kept_mean",
    "mean_abs_cosine",
    "nt_xent",
    "orthogonality",
    "pose_info_nce",
    "reconstruction",
    "spread",
]
