"""Keys of the group ``method`` of a recipe, beside ``name``: of all methods and of each.

They stand apart from the classes, so that reading a recipe does not import TensorFlow.
"""

from pcl_tf.choices import (
    FACE_POSITIVES,
    FACE_VIEWS,
    FACECYCLE_VIEWS,
    FRAME_VIEWS,
    POSE_AUGMENTATIONS,
    POSE_CONTRASTS,
    POSE_NEGATIVES,
    POSE_VIEWS,
    UPDATES,
)
from pcl_tf.keys import Key, number, one_of, positive, text, truth, whole

FACE = {
    "face_views": Key(FACE_VIEWS, text, "the views of the face contrast, by name"),
    "face_positives": Key("views", one_of(FACE_POSITIVES), "two views of an image, or of two frames of a clip"),
    "photometric": Key(1.0, number(0, 1), "strength of the photometric views, 0 to 1"),
}
SIMCLR = {
    "temperature": Key(0.07, positive(100), "tau of Eq. 5 and 6"),
    "interpolate_negatives": Key(True, truth, "each negative is mixed with another"),
    **FACE,
}
MOCO = {
    "temperature": Key(0.07, positive(100), "tau of InfoNCE"),
    "queue": Key(16_384, whole(1, 10**8), "keys that serve as negatives; a multiple of the batch"),
    "momentum": Key(0.0, number(0, 1), "of the key encoder; 0 is .999, and .99 in runs of fewer than 10,000 steps"),
    "both_directions": Key(True, truth, "each view is query and key"),
    **FACE,
}
FABNET = {
    "embedding": Key(256, whole(1, 65536), "length of a code"),
    "frame_views": Key(FRAME_VIEWS, text, "views of each frame of a pair, each its own draw"),
    "kept_share": Key(0.5, positive(1), "share of a step's images whose loss counts, at first the easiest; 1 is all"),
    "kept_steps": Key(
        0, whole(0, 10**9), "steps until the kept share moves on to harder ones; 0 is a tenth of the run"
    ),
}
FACECYCLE = {
    "embedding": FABNET["embedding"],
    "frame_views": Key(FACECYCLE_VIEWS, text, "views of each frame of a pair, each its own draw"),
    "mirror_share": Key(
        0.5, number(0, 1), "share of pairs whose other frame is the first's mirror image; all without clips"
    ),
    "vgg": Key(
        "", text, "keras.applications' file of VGG-19's weights without the top; empty: layers learnt, no Gram loss"
    ),
    "pixel_weight": Key(1.0, number(0, 10**6), "multiplies L_pixel"),
    "ssim_weight": Key(5.0, number(0, 10**6), "multiplies L_ssim"),
    "symmetry_weight": Key(1.5, number(0, 10**6), "multiplies L_symmetry"),
    "gram_weight": Key(0.01, number(0, 10**6), "multiplies L_gram"),
}
# Loss of TCAE: its weight in the released code, and what it is. Source and target are frames; the source is warped by the
# flow of its action, of its pose, and of both.
TCAE_LOSSES = {
    "both": (10.0, "difference of the source warped by both flows and the target"),
    "action_cycle": (1.0, "difference of the source and itself, warped by action and back"),
    "pose_cycle": (1.0, "difference of the source and itself, warped by pose and back"),
    "posed_pose": (1.0, "squared difference of pose codes: warped by pose, and target"),
    "posed_action": (1.0, "squared difference of action codes: warped by pose, and source"),
    "acted_pose": (1.0, "squared difference of pose codes: warped by action, and source"),
    "acted_action": (1.0, "squared difference of action codes: warped by action, and target"),
    "both_pose": (1.0, "squared difference of pose codes: warped by both, and target"),
    "both_action": (1.0, "squared difference of action codes: warped by both, and target"),
    "action_flow": (0.1, "mean absolute flow of action"),
}
TCAE = {
    **FABNET,
    **{
        f"{name}_weight": Key(weight, number(0, 10**6), f"of the loss {name}: {words}")
        for name, (weight, words) in TCAE_LOSSES.items()
    },
}
PCL = {
    "updates": Key("joint", one_of(UPDATES), "joint (Eq. 7) or alternating (released code)"),
    "reconstruct": Key(True, truth, "L_dis, Eq. 2"),
    "pdd_batch": Key(0, whole(0, 10**6), "images of a batch the decoder works on; 0 is all"),
    "pdd_weight": Key(1.0, number(0, 10**6), "multiplies L_dis + L_orth"),
    "recon_noise_std": Key(0.4, number(0, 100), "noise on the encoder's input when reconstructing"),
    "decoder_batches": Key(
        "together",
        one_of("pcl_tf.methods.pcl:DECODER_BATCHES"),
        "the decoder's BatchNorm sees the four combinations together or apart (code)",
    ),
    "orthogonality": Key(
        "per_sample",
        one_of("pcl_tf.losses.orthogonality:ORTHOGONALITY", "none"),
        "Eq. 3: per_sample (paper), cross_correlation (code), none",
    ),
    "dynamic_weights": Key(True, truth, "Dynamic Weight Average of Eq. 7"),
    "pose_contrast": Key("pose", one_of(POSE_CONTRASTS), "pose (Eq. 5), face_style (Eq. 6 on F_p), none"),
    "pose_weight": Key(1.0, number(0, 10**6), "multiplies L_pose beside its dynamic weight"),
    "pose_temperature": Key(0.0, number(0, 10**6), "of L_pose; 0 is the same as temperature"),
    "pose_batch": Key(10, whole(1, 10**6), "P, the images of a batch that Eq. 5 works on"),
    "negatives_per_image": Key(100, whole(1, 10**6), "M of Eq. 5"),
    "pose_denominator": Key(
        "with_positive",
        one_of("pcl_tf.losses.pose_contrast:POSE_DENOMINATORS"),
        "of Eq. 5: with_positive (released code), negatives (as printed)",
    ),
    "pose_negatives": Key(
        "own_flip",
        one_of(POSE_NEGATIVES),
        "own_flip (paper), official_layout (released code), or frames: another of the clip",
    ),
    "pose_one_norm": Key(True, truth, "positives and negatives pass BatchNorm together"),
    "pose_augmentation": Key("flip", one_of(POSE_AUGMENTATIONS), "flip, rotate_translate, flip_rotate_translate"),
    "pose_views": Key(POSE_VIEWS, text, "views of the pose contrast, of the whole image"),
    **SIMCLR,
}
