"""What all recipes share: the paper's settings, the run of a minute, and the ablations of Tables 5 and 6.

Arguments after the colon, joined by commas, change a recipe:
  smoke         one minute on two CPU cores, same code path, generated faces
  simclr        Table 5 row 1: face contrast alone
  simclr_pose   the same with flips among its augmentations (Table 6)
  dis           row 2: + L_dis, F_p contrasted like F_f
  orth          row 3: + L_orth
  pose          row 4: + L_pose
  no_pose       row 4 without any contrast on F_p (Table 6, PCL without pose)
  (nothing)     row 5: + dynamic weights
  frames        row 5 on pairs of frames: views of L_face from both, negatives of L_pose from the other; needs clips
  moco          MoCo instead: a queue of keys from a momentum encoder
  fabnet        FAb-Net instead, on pairs of frames: one warped to the other
  tcae          TCAE instead, on pairs of frames: pose and facial action as two flows
  facecycle     FaceCycle's first stage instead, on pairs of frames or faces and their mirror images
"""

from ml_collections import ConfigDict

from pcl_tf.choices import POSE_VIEWS
from pcl_tf.methods import METHODS
from pcl_tf.recipe import base as base

PHOTOMETRIC = POSE_VIEWS  # the views behind the crop
ABLATIONS = ("simclr", "simclr_pose", "moco", "dis", "orth", "pose", "no_pose", "frames")


def use(c: ConfigDict, name: str) -> None:
    """Makes a method the recipe's; what the recipe has changed of keys that both methods know stays."""
    before, usual = c.method, base(c.method.name).method
    c.method = base(name).method
    for key, value in before.items():
        if key in c.method and value != usual.get(key):
            c.method[key] = value


def set_batch(
    c: ConfigDict, batch: int, *, pdd: int | None = None, pose: int | None = None, negatives: int | None = None
) -> None:
    """Sets the batch and the parts of it that the method's losses work on."""
    c.batch_size = batch
    for key, value in (("pdd_batch", pdd or 0), ("pose_batch", pose), ("negatives_per_image", negatives)):
        if key in c.method and value is not None:
            c.method[key] = value


def shrink(c: ConfigDict) -> None:
    """The one-minute run of the same code that every recipe's ':smoke' is."""
    c.image_size = 32
    set_batch(c, 32, pdd=16, pose=2, negatives=8)
    c.network.width = 0.125
    c.network.head_dim = 64
    c.network.weights = ""
    c.total_steps, c.epoch_steps = 30, 10
    c.optimizer.learning_rate = 1e-3
    c.data.source, c.data.generated_images = "generated", 256
    if "queue" in c.method:
        c.method.queue = 128
    c.watch.generated = 200
    c.checkpoint.every, c.watch.log_every, c.watch.images_every = 10, 5, 10


def add_flips(c: ConfigDict) -> None:
    """Puts flips behind the crop, the first of the face views."""
    crop, _, others = c.method.face_views.partition("|")
    c.method.face_views = f"{crop}|flip|{others}"


def ablate(c: ConfigDict, name: str) -> None:
    """Turns a recipe of PCL into a row of Table 5 or 6: another method, or PCL with parts switched off."""
    if name == "simclr_pose":
        use(c, "simclr")
        add_flips(c)
        return
    if name in METHODS:
        use(c, name)
        return
    m = c.method
    if name == "frames":
        for key in {"face_positives", "pose_negatives"} & {*m}:
            m[key] = "frames"
        return
    m.dynamic_weights = False
    if name == "pose":
        return
    m.pose_contrast = "none" if name == "no_pose" else "face_style"
    if name == "dis":
        m.orthogonality = "none"


def finish(c: ConfigDict, arg: str | None) -> ConfigDict:
    """Applies the recipe's argument and locks it.

    Raises:
      ValueError: unknown argument.
    """
    known = dict.fromkeys((*ABLATIONS, *METHODS))
    words = list(filter(None, (arg or "").split(",")))
    for word in sorted(words, key=lambda word: word == "smoke"):  # the size after the method, which has keys of its own
        if word == "smoke":
            shrink(c)
        elif word in known:
            ablate(c, word)
        else:
            raise ValueError(f"Unknown recipe argument '{word}'; known: smoke, {', '.join(known)}.")
    # Two scenes of a head differ in all but the head: what learns from motion gets clips that move.
    if c.data.clips == "scenes" and ("frame_views" in c.method or c.method.get("pose_negatives") == "frames"):
        c.data.clips = "prepared"
    return c.lock()
