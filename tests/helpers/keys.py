"""Every key of a recipe, by what reads it, with another value and what that changes."""

import numpy as np

from pcl_tf.methods.keys import TCAE_LOSSES

# Method -> key -> (another value than that of BASE, the losses and alphas that change; the weighted sum always does).
BASE = {"method.face_views": "flip", "method.temperature": 1.0, "epoch_steps": 1}
_FACE = {
    "face_positives": ("frames", "face"),
    "face_views": ("flip(p=1)", "face"),
    "photometric": (0.0, "face"),
    "temperature": (0.2, "face"),
}
_PAIRS = {"embedding": 64, "frame_views": "flip", "kept_share": 1.0}
_SIMCLR = {**_FACE, "interpolate_negatives": (False, "face")}
OBJECTIVE = {
    "pcl": {
        **_SIMCLR,
        "updates": ("alternating", "dis orth face pose"),  # each part has other images
        "reconstruct": (False, "dis orth"),
        "pdd_batch": (2, "dis orth"),
        "recon_noise_std": (0.1, "dis orth"),
        "decoder_batches": ("apart", "dis"),
        "orthogonality": ("cross_correlation", "orth"),
        "pose_contrast": ("face_style", "pose"),
        "pose_batch": (3, "pose"),
        "negatives_per_image": (4, "pose"),
        "pose_denominator": ("negatives", "pose"),
        "pose_negatives": ("official_layout", "pose"),
        "pose_one_norm": (False, "pose"),
        "pose_augmentation": ("rotate_translate", "dis orth pose"),
        "dynamic_weights": (False, "alpha_face alpha_pose"),
        "temperature": (0.2, "face pose"),
        "pose_temperature": (0.2, "pose"),
        "pdd_weight": (2.0, ""),
        "pose_weight": (2.0, ""),
        "interpolate_negatives": (False, "face pose"),
        "photometric": (0.0, "face pose"),
        "pose_views": ("flip(p=1)", "pose"),
    },
    "simclr": _SIMCLR,
    "moco": {
        **_FACE,
        "queue": (18, "face"),
        "both_directions": (False, "face"),
    },
    "fabnet": {key: (value, "flow") for key, value in _PAIRS.items()},
    "facecycle": {
        "embedding": (64, "pixel ssim symmetry"),
        "frame_views": ("flip(p=1)", "pixel ssim symmetry"),
        "mirror_share": (1.0, "pixel ssim symmetry"),
    },
    "tcae": {key: (value, " ".join(TCAE_LOSSES)) for key, value in _PAIRS.items()},
}
# What a key is held beside, before and after: the views it is a strength or a part of.
BESIDE = {
    "photometric": {"face_views": "sobel", "pose_views": "sobel"},
    "interpolate_negatives": {"negatives_per_image": 5},  # three are permuted into themselves with this seed
    "face_positives": {"face_views": "jitter(p=1)", "temperature": 0.07},
    "both_directions": {"face_views": "jitter(p=1)", "temperature": 0.07},  # views and keys that are told apart
    "pose_negatives": {"negatives_per_image": 4},  # as many of each of the two images
    "pose_denominator": {"dynamic_weights": False},
    "pose_one_norm": {"pose_views": "flip", "temperature": 0.07},  # negatives that stand apart from the positives
}
EPOCH = {"seed": (2, "dis orth face pose"), "epoch_steps": (2, "alpha_face alpha_pose")}  # keys of no method
SIZES = {  # key -> (another value, the networks whose outputs have another shape)
    "image_size": (32, "encoder decoder"),
    "network.backbone": ("patch_cnn", "encoder"),
    "network.width": (0.5, "encoder"),
    "network.head_dim": (16, "face_head pose_head"),
}
OPTIMISER = {  # key -> (decay beside it, another value, what changes)
    "optimizer.learning_rate": (0.0, 1e-4, "rate"),
    "optimizer.warmup_steps": (0.0, 10, "rate"),
    "total_steps": (0.0, 60, "rate"),
    "optimizer.decay": (0.0, 0.5, "gradient"),
    "optimizer.decay_kind": (0.5, "decoupled", "gradient"),
    "optimizer.clip_norm": (0.0, 1e-3, "gradient"),
}
RUN = {  # key -> (its value, what says so after a run)
    "total_steps": (4, lambda run: run.result["step"]),
    "epoch_steps": (2, lambda run: run.epoch),
    "data.generated_images": (24, lambda run: run.result["faces"]),
    "data.cache": ("kept", lambda run: run.cache),
    "checkpoint.every": (1, lambda run: np.diff(run.saved).item()),
    "checkpoint.keep": (2, lambda run: len(run.saved)),
    "watch.log_every": (2, lambda run: min(run.steps["loss/total"])),
    "watch.images_every": (3, lambda run: min(run.steps["knn/face"])),
    "watch.generated": (100, lambda run: run.generated),
    "watch.labelled": ("people", lambda run: "people" if "knn/face" in run.steps else ""),
}
# Each of these has tests of its own; so have MoCo's momentum, the steps of a kept share, TCAE's weights and what of
# FaceCycle needs VGG-19.
ELSEWHERE = (
    "batch_size",
    "data.source",
    "data.sampling",
    "data.clips",
    "data.gap",
    "data.max_unreadable_share",
    "method.name",
    "network.weights",
)
