"""Names that several rooms share, each set of them once: plain tuples, no imports, so that a flag can list them early.

A registry (a dict of names and what they name) is its own list: METHODS, BACKBONES, VIEWS, ORTHOGONALITY, CORPORA.
"""

# How networks are run.
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
STRATEGIES = ("auto", "one", "mirrored", "multiworker")
XLA = ("none", "views", "step")  # the part of a step that XLA compiles; a compiled step draws other numbers

# Outputs of an encoder, and what a probe can take of them.
OUTPUTS = ("face_aware", "face", "pose")
FEATURES = (*OUTPUTS, "face+pose")

SOFTWARE = "pcl_tf"  # the text Software of PNGs that are drawn here, so that they are not taken for faces
MARGIN = 1.5  # side of the square around a face, in longer sides of its box

# Values of recipes.
SAMPLINGS = ("clip", "identity", "frame")  # what is drawn evenly
CLIPS = ("prepared", "by_folder", "scenes")  # which images are of one clip
PAIRS = ("none", "needed", "wanted")  # whether a method learns from two frames of a clip; wanted: where clips are known
UPDATES = ("joint", "alternating")  # one update on Eq. 7, or one on each part of it (released code)
DECAY_KINDS = ("coupled", "decoupled")  # L2 in the gradient (released code), AdamW
POSE_CONTRASTS = ("pose", "face_style", "none")  # Eq. 5; Eq. 6 on F_p (rows 2 and 3 of Table 5); neither
FACE_POSITIVES = ("views", "frames")  # two views of an image; or of two frames of a clip
# The paper's; the released code's layout, which mixes images; another frame of the clip.
POSE_NEGATIVES = ("own_flip", "official_layout", "frames")
POSE_AUGMENTATIONS = ("flip", "rotate_translate", "flip_rotate_translate")
PHOTOMETRIC = ("jitter", "grayscale", "blur", "sobel")  # views in the released code's order
POSE_VIEWS = "|".join(PHOTOMETRIC)
FACE_VIEWS = f"resized_crop|{POSE_VIEWS}"
FRAME_VIEWS = "resized_crop(area=(0.8, 1.0), ratio=(1.0, 1.0))"  # FAb-Net crops 170 to 189 of 190 pixels
FACECYCLE_VIEWS = (
    "resized_crop(area=(0.95, 1.0))|flip|jitter(p=0.8, brightness=0.05, contrast=0.05, saturation=0.05, hue=0.01)"
)

# Tasks of probes.
ROLES = ("expression", "verification", "actions", "pose")
SOLVERS = ("lbfgs", "adam", "knn")
ANGLES = ("yaw", "pitch", "roll")
AUS = (1, 2, 4, 6, 9, 12, 25, 26)  # action units of DISFA, those of Table 3
