"""Every field a recipe has, with the paper's values, and the ablations of Tables 5 and 6.

Arguments after the colon, joined by commas, change a recipe:
  smoke         one minute on two CPU cores, same code path, generated faces
  simclr        Table 5 row 1: face contrast alone
  simclr_pose   the same with flips among its augmentations (Table 6)
  dis           row 2: + L_dis, F_p contrasted like F_f
  orth          row 3: + L_orth
  pose          row 4: + L_pose
  no_pose       row 4 without any contrast on F_p (Table 6, PCL without pose)
  (nothing)     row 5: + dynamic weights
  moco          MoCo instead: a queue of keys from a momentum encoder
"""

from ml_collections import ConfigDict

from pcl_tf.methods.registry import DEFAULT, METHODS, keys_of

ABLATIONS = (*[name for name in METHODS if name != DEFAULT], "dis", "orth", "pose", "no_pose")


def base() -> ConfigDict:
    """The paper's settings (FIDELITY rows are named in BUILD_NOTES.md)."""
    c = ConfigDict()
    c.seed = 0  # of the first weights, the order of the images and every draw
    c.image_size = 64  # side in pixels; a power of two, for the decoder
    c.batch_size = 256  # images a step, over all replicas
    c.total_steps = 1_000_000  # 0 exports the untrained network
    c.epoch_steps = 1000  # one line of progress, one period of Dynamic Weight Average

    c.data = ConfigDict()
    c.data.source = ""  # folder, zip, dataset of pcl_tf.prepare, tfds:NAME or generated; --data sets it
    c.data.generated_images = 4096  # how many faces are generated for 'generated'
    c.data.cache = ""  # folder of the decoded faces, for several runs on the same ones; empty: cache/ in the workdir
    c.data.sampling = "clip"  # datasets of pcl_tf.prepare: clip, identity or frame is drawn evenly
    c.data.max_unreadable_share = 0.05  # unreadable images above this share stop the run

    c.network = ConfigDict()
    c.network.backbone = "cnn16"  # cnn16 (paper), patch_cnn, resnet18, vgg16, vit_tiny
    c.network.width = 1.0  # multiplies channel counts
    c.network.head_dim = 512  # length of the contrasted projections

    c.method = method(DEFAULT)  # its keys are listed and explained in pcl_tf/methods/registry.py

    c.optimizer = o = ConfigDict()
    o.learning_rate = 1e-4  # of Adam, at its highest; falls to 0 along a cosine
    o.warmup_steps = 0  # steps in which the learning rate rises from 0
    o.decay = 0.0  # of the weights
    o.decay_kind = "coupled"  # coupled (L2) or decoupled (AdamW)
    o.clip_norm = 0.0  # 0 is no clipping

    c.checkpoint = ConfigDict()
    c.checkpoint.every = 1000  # steps
    c.checkpoint.keep = 3  # the newest, and as many versions of the export

    c.watch = ConfigDict()
    c.watch.log_every = 50  # steps between scalars in TensorBoard
    c.watch.images_every = 5000  # steps between reconstruction sheets
    c.watch.histograms_every = 0  # steps between histograms of weights and features in TensorBoard; 0 is none
    c.watch.generated = 3000  # faces that test a run on generated ones before and after; 0 is none
    c.watch.labelled = ""  # class folders, or a task of pcl_tf.probe: online k-NN and ridge probes
    return c


def method(name: str) -> ConfigDict:
    """The keys of a method, with their values in ``METHODS``."""
    return ConfigDict({key: said.value for key, said in keys_of(name).items()})


def use(c: ConfigDict, name: str) -> None:
    """Makes a method the recipe's; what the recipe has changed of keys that both methods know stays."""
    before, usual = c.method, method(c.method.name)
    c.method = method(name)
    for key, value in before.items():
        if key in c.method and (key not in usual or value != usual[key]):
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
    c.total_steps, c.epoch_steps = 30, 10
    c.optimizer.learning_rate = 1e-3
    c.data.source, c.data.generated_images = "generated", 256
    c.method.update(METHODS[c.method.name].smoke)
    c.watch.generated = 500
    c.checkpoint.every, c.watch.log_every, c.watch.images_every = 10, 5, 10


def ablate(c: ConfigDict, name: str) -> None:
    """Turns a recipe of PCL into a row of Table 5 or 6: another method, or PCL with parts switched off."""
    if name in METHODS:
        use(c, name)
        c.method.update({"flip_views": METHODS[name].keys["flip_views"].value, **METHODS[name].argument})
        return
    m = c.method
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
    words = list(filter(None, (arg or "").split(",")))
    for word in sorted(words, key=lambda word: word == "smoke"):  # the size after the method, which has keys of its own
        if word == "smoke":
            shrink(c)
        elif word in ABLATIONS:
            ablate(c, word)
        else:
            raise ValueError(f"Unknown recipe argument '{word}'; known: smoke, {', '.join(ABLATIONS)}.")
    return c.lock()
