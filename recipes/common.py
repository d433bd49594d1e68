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

ABLATIONS = ("simclr", "simclr_pose", "dis", "orth", "pose", "no_pose", "moco")


def base():
    """The paper's settings (FIDELITY rows are named in BUILD_NOTES.md)."""
    c = ConfigDict()
    c.seed = 0  # of the first weights, the order of the images and every draw
    c.image_size = 64  # side in pixels; a power of two, for the decoder
    c.batch_size = 256  # images a step, over all replicas
    c.total_steps = 1_000_000  # 0 exports the untrained network
    c.epoch_steps = 1000  # one line of progress, one period of Dynamic Weight Average

    c.data = ConfigDict()
    c.data.source = ""  # folder, zip, dataset of pcl_tf.prepare, tfds:NAME or synthetic; --data sets it
    c.data.synthetic_images = 4096  # how many faces are generated for 'synthetic'
    c.data.cache = ""  # folder of the decoded faces, for several runs on the same ones; empty: cache/ in the workdir
    c.data.sampling = "clip"  # datasets of pcl_tf.prepare: clip, identity or frame is drawn evenly
    c.data.max_bad_share = 0.05  # unreadable images above this share stop the run

    c.network = ConfigDict()
    c.network.backbone = "cnn16"  # cnn16 (paper), patch_cnn, resnet18, vgg16, vit_tiny
    c.network.width = 1.0  # multiplies channel counts
    c.network.head_dim = 512  # length of the contrasted projections

    c.method = m = ConfigDict()
    m.name = "pcl"  # pcl (and with parts off SimCLR) or moco
    m.updates = "joint"  # (ConfigDict has a method named update) joint (Eq. 7) or alternating (released code)
    m.reconstruct = True  # L_dis, Eq. 2
    m.pdd_batch = 0  # images of a batch the decoder works on; 0 is all
    m.recon_noise_std = 0.4  # noise on the encoder's input when reconstructing
    m.decoder_batches = "together"  # the decoder's BatchNorm sees the four combinations together or apart (code)
    m.orthogonality = "per_sample"  # Eq. 3: per_sample (paper), cross_correlation (code), none
    m.pose_contrast = "pose"  # pose (Eq. 5), face_style (Eq. 6 on F_p), none
    m.pose_batch = 10  # images of a batch the pose contrast works on
    m.negatives_per_image = 100  # M of Eq. 5
    m.pose_denominator = "with_positive"  # of Eq. 5: with_positive (released code) or negatives (as printed)
    m.pose_negatives = "own_flip"  # own_flip (paper) or official_layout (released code)
    m.pose_one_norm = True  # positives and negatives pass BatchNorm together
    m.pose_augmentation = "flip"  # flip, rotate_translate, flip_rotate_translate
    m.dynamic_weights = True  # Dynamic Weight Average of Eq. 7
    m.temperature = 0.07  # tau of Eq. 5 and 6
    m.pose_temperature = 0.0  # of Eq. 5; 0 is the same as temperature
    m.pdd_weight = 1.0  # multiplies L_dis + L_orth
    m.pose_weight = 1.0  # multiplies L_pose beside its dynamic weight
    m.interpolate_negatives = True  # each negative is mixed with another
    m.queue = 16_384  # moco: keys that serve as negatives; a multiple of the batch
    m.momentum = 0.999  # moco: of the key encoder; .99 where a run takes hundreds of steps
    m.both_directions = False  # moco: each view is query and key; :moco sets it
    m.crop = "random_resized"  # face views: random_resized (paper), quadrant (code), none
    m.flip_views = False  # flips among the face views
    m.photometric = 1.0  # strength of the photometric chain, 0 to 1

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
    c.watch.generated = 3000  # faces that judge a run on generated ones before and after; 0 is none
    c.watch.labelled = ""  # class folders, or a task of pcl_tf.probe: online k-NN and ridge probes
    return c


def set_batch(c, batch, pdd=None, pose=None, negatives=None):
    """Sets the batch and the parts of it the terms work on."""
    c.batch_size = batch
    c.method.pdd_batch = pdd or 0
    c.method.pose_batch = pose or c.method.pose_batch
    c.method.negatives_per_image = negatives or c.method.negatives_per_image


def shrink(c):
    """The one-minute run of the same code that every recipe's ':smoke' is."""
    c.image_size = 32
    set_batch(c, 32, pdd=16, pose=2, negatives=8)
    c.network.width = 0.125
    c.network.head_dim = 64
    c.total_steps, c.epoch_steps = 30, 10
    c.optimizer.learning_rate = 1e-3
    c.data.source, c.data.synthetic_images = "synthetic", 256
    c.method.queue = 128
    c.watch.generated = 500
    c.checkpoint.every, c.watch.log_every, c.watch.images_every = 10, 5, 10


def ablate(c, name):
    """Switches parts off down to a row of Table 5."""
    m = c.method
    m.dynamic_weights = False
    if name == "pose":
        return
    m.pose_contrast = "none" if name == "no_pose" else "face_style"
    if name in ("orth", "no_pose"):
        return
    m.orthogonality = "none"
    if name == "dis":
        return
    m.pose_contrast, m.reconstruct = "none", False
    m.flip_views = name == "simclr_pose"
    if name == "moco":
        m.name, m.interpolate_negatives, m.both_directions = "moco", False, True


def finish(c, arg):
    """Applies the recipe's argument and locks it.

    Raises:
      ValueError: unknown argument.
    """
    for word in filter(None, (arg or "").split(",")):
        if word == "smoke":
            shrink(c)
        elif word in ABLATIONS:
            ablate(c, word)
        else:
            raise ValueError(f"Unknown recipe argument '{word}'; known: smoke, {', '.join(ABLATIONS)}.")
    if c.method.name == "moco" and c.total_steps < 10_000:
        c.method.momentum = 0.99  # .999 would leave much of the key encoder's first weights; other methods have no keys
    return c.lock()
