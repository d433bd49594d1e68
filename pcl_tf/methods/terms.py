"""The three terms of Eq. 7 on one batch: images in, (loss, logged numbers) out.

Every function works on this replica's images and meets other replicas only
through ``gather_rows``. ``nets`` has the attributes encoder, face_head,
pose_head and decoder; ``draws`` is a ``pcl_tf.seeds.Draws``.
"""

import tensorflow as tf

from pcl_tf.losses import orthogonality
from pcl_tf.losses.cosine import mean_abs_cosine, unit
from pcl_tf.losses.face_contrast import face_logits, first_is_right
from pcl_tf.losses.gather import gather_rows
from pcl_tf.losses.negatives import mixing_draw
from pcl_tf.losses.pose_contrast import POSE_DENOMINATORS, official_layout, pose_logits
from pcl_tf.losses.reconstruction import COMBINATIONS, combine, reconstruction_loss

# How many calls decode the four combinations of Eq. 2: BatchNorm sees them together, or each apart (released code).
DECODER_BATCHES = {"together": 1, "apart": len(COMBINATIONS)}


def spread(z):
    """Mean standard deviation of the normalised embedding's entries times sqrt(D).

    1 for embeddings spread evenly over the sphere, 0 when they collapsed.
    """
    z = unit(tf.stop_gradient(z))
    return tf.reduce_mean(tf.math.reduce_std(z, axis=0)) * tf.sqrt(tf.cast(tf.shape(z)[1], tf.float32))


def pdd_term(nets, images, draws, augment, noise_std, form, batches="together"):
    """L_PDD = L_dis + L_orth (Eq. 2 to 4).

    Args:
      images: float32 [n, S, S, 3] in [0, 1], s.
      augment: view that makes s-hat from s.
      noise_std: standard deviation of the noise on the inputs; targets are clean.
      form: 'per_sample', 'cross_correlation' or 'none' for L_orth.
      batches: 'together' or 'apart', a key of ``DECODER_BATCHES``.

    Returns:
      (scalar, dict of scalars).
    """
    n = images.shape[0]
    mirror = augment(images, draws=draws.named("mirror"))
    clean = tf.concat([images, mirror], axis=0)
    noise = [draws.named(f"noise{i}").normal(n, noise_std, images.shape[1:]) for i in range(2)]
    out = nets.encoder(clean + tf.concat(noise, axis=0), training=True)
    (face, mirror_face), (pose, mirror_pose) = tf.split(out["face"], 2), tf.split(out["pose"], 2)

    codes = tf.split(combine(face, pose, mirror_face, mirror_pose), DECODER_BATCHES[batches])
    decoded = tf.concat([nets.decoder(code, training=True) for code in codes], axis=0)
    dis = reconstruction_loss(decoded, images, mirror)
    logs = {"loss_dis": dis, "abs_cosine": mean_abs_cosine(out["face"], out["pose"])}
    if form == "none":
        return dis, logs
    loss = orthogonality.ORTHOGONALITY[form]
    gather = gather_rows if form == "cross_correlation" else tf.identity  # a mean over samples needs no others
    orth = loss(gather(face), gather(pose)) + loss(gather(mirror_face), gather(mirror_pose))
    return dis + orth, {**logs, "loss_orth": orth}


def nt_xent(z1, z2, draws, temperature, interpolate):
    """Eq. 6 over the global batch: [n, D] views of this replica -> (loss, accuracy)."""
    n = tf.shape(z1)[0]
    z = tf.concat([gather_rows(z1), gather_rows(z2)], axis=0)  # [2N, D]
    rows = tf.shape(z)[0]
    own = draws.replica * n + tf.range(n)
    anchors = tf.concat([own, rows // 2 + own], axis=0)
    mix = permutation = None
    if interpolate:
        mix, permutation = mixing_draw(rows, rows - 2, draws.named("mixing").next_seed())
        mix = tf.gather(mix, anchors)
    return first_is_right(face_logits(z, temperature, mix, permutation, anchors))


def face_term(nets, images, draws, views, temperature, interpolate, pose_too=False):
    """L_face (Eq. 6); with pose_too also the same contrast on F_p (Table 5, rows 2 and 3).

    Args:
      images: float32 [n, S, S, 3].
      views: the two chains.
      pose_too: whether F_p of the same views is contrasted the same way.

    Returns:
      (L_face, L of F_p or None, dict of scalars).
    """
    pair = draws.named("pair")  # what both views must agree on: see QuadrantCrop
    seen = [view(images, draws=draws.named(f"view{i}").paired(pair)) for i, view in enumerate(views)]
    seen = tf.concat(seen, axis=0)
    out = nets.encoder(seen, training=True)
    z = nets.face_head(out["face"], training=True)
    loss, accuracy = nt_xent(*tf.split(z, 2), draws.named("face"), temperature, interpolate)
    logs = {"loss_face": loss, "face_accuracy": accuracy, "face_spread": spread(z)}
    if not pose_too:
        return loss, None, logs
    z = nets.pose_head(out["pose"], training=True)
    pose_loss, accuracy = nt_xent(*tf.split(z, 2), draws.named("pose"), temperature, interpolate)
    return loss, pose_loss, {**logs, "loss_pose": pose_loss, "pose_accuracy": accuracy, "pose_spread": spread(z)}


def pose_term(
    nets,
    images,
    draws,
    view,
    augment,
    count,
    temperature,
    interpolate,
    layout,
    one_norm,
    denominator="with_positive",
):
    """L_pose (Eq. 5).

    Args:
      images: float32 [p, S, S, 3].
      view: photometric chain of positives and negatives.
      augment: view that changes the pose.
      count: M, negatives per image.
      layout: 'own_flip' (paper) or 'official_layout' (released code).
      one_norm: whether positives and negatives pass the head's BatchNorm in one call.
      denominator: 'with_positive' or 'negatives', a key of ``POSE_DENOMINATORS``.

    Returns:
      (scalar, dict of scalars).
    """
    p = images.shape[0]
    positives = tf.concat([view(images, draws=draws.named(f"positive{i}")) for i in range(2)], axis=0)
    copies = augment(tf.repeat(images, count, axis=0), draws=draws.named("augment"))  # image-major
    copies = view(copies, draws=draws.named("negatives"))
    feature = nets.encoder(tf.concat([positives, copies], axis=0), training=True)["pose"]
    if one_norm:
        z, negatives = tf.split(nets.pose_head(feature, training=True), [2 * p, p * count])
    else:
        z, negatives = (nets.pose_head(x, training=True) for x in tf.split(feature, [2 * p, p * count]))
    if layout == "official_layout":
        everyone = official_layout(gather_rows(negatives), p * draws.replicas)
        negatives = draws.mine(everyone, p * count)
    mix = permutation = None
    if interpolate:
        mix, permutation = mixing_draw(p * draws.replicas, count, draws.named("mixing").next_seed())
        mix = draws.mine(mix, p)
    logits = pose_logits(z, negatives, temperature, mix, permutation)
    loss, accuracy = POSE_DENOMINATORS[denominator](logits), first_is_right(logits)[1]
    return loss, {"loss_pose": loss, "pose_accuracy": accuracy, "pose_spread": spread(z)}
