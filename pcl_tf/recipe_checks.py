"""What every value of a recipe may be. Names come from the registries that look them up."""

import math

from pcl_tf.data.clips import SAMPLINGS
from pcl_tf.losses.orthogonality import ORTHOGONALITY
from pcl_tf.losses.pose_contrast import POSE_DENOMINATORS, POSE_NEGATIVES
from pcl_tf.methods.build import METHODS, UPDATES
from pcl_tf.methods.optimisation import DECAY_KINDS
from pcl_tf.methods.pcl import POSE_CONTRASTS
from pcl_tf.methods.terms import DECODER_BATCHES
from pcl_tf.networks.backbones import BACKBONES
from pcl_tf.views.chains import CROPS, POSE_AUGMENTATIONS


class Check:
    """A condition on a value and its words.

    Args:
      allowed: what would do, as it follows "must be".
      fine: value -> bool; may raise TypeError for another type.
    """

    def __init__(self, allowed, fine):
        self.allowed, self._fine = allowed, fine

    def __call__(self, value):
        """Whether the value will do."""
        try:
            return bool(self._fine(value))
        except (TypeError, OverflowError):
            return False


def whole(low, high):
    """A whole number from low to high."""
    return Check(
        f"a whole number from {low} to {high}",
        lambda v: isinstance(v, int) and not isinstance(v, bool) and low <= v <= high,
    )


def number(low, high, least=True):
    """A finite number from low (with least=False above low) to high."""

    def fine(v):
        real = isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v)
        return real and (low <= v if least else low < v) and v <= high

    return Check(f"a number {'from' if least else 'above'} {low} {'to' if least else 'up to'} {high}", fine)


def one_of(names):
    """One of the names of a registry."""
    names = tuple(names)
    return Check(f"one of {', '.join(names)}", lambda v: v in names)


truth = Check("true or false", lambda v: isinstance(v, bool))
text = Check("a text of printable characters", lambda v: isinstance(v, str) and (v == "" or v.isprintable()))

STEPS = 10**9  # the longest of everything that is counted in steps

CHECKS = {
    "seed": whole(0, 2**31 - 1),
    "image_size": whole(16, 2048),
    "batch_size": whole(2, 10**6),
    "total_steps": whole(0, STEPS),
    "epoch_steps": whole(1, STEPS),
    "data.source": text,
    "data.synthetic_images": whole(1, 10**7),
    "data.cache": text,
    "data.sampling": one_of(SAMPLINGS),
    "data.max_bad_share": number(0, 1),
    "network.backbone": one_of(BACKBONES),
    "network.width": number(0, 16, least=False),
    "network.head_dim": whole(1, 65536),
    "method.name": one_of(METHODS),
    "method.updates": one_of(UPDATES),
    "method.reconstruct": truth,
    "method.pdd_batch": whole(0, 10**6),
    "method.recon_noise_std": number(0, 100),
    "method.decoder_batches": one_of(DECODER_BATCHES),
    "method.orthogonality": one_of((*ORTHOGONALITY, "none")),
    "method.pose_contrast": one_of(POSE_CONTRASTS),
    "method.pose_batch": whole(1, 10**6),
    "method.negatives_per_image": whole(1, 10**6),
    "method.pose_denominator": one_of(POSE_DENOMINATORS),
    "method.pose_negatives": one_of(POSE_NEGATIVES),
    "method.pose_one_norm": truth,
    "method.pose_augmentation": one_of(POSE_AUGMENTATIONS),
    "method.dynamic_weights": truth,
    "method.temperature": number(0, 100, least=False),
    "method.pose_temperature": number(0, 10**6),
    "method.pdd_weight": number(0, 10**6),
    "method.pose_weight": number(0, 10**6),
    "method.interpolate_negatives": truth,
    "method.queue": whole(1, 10**8),
    "method.momentum": number(0, 1),
    "method.both_directions": truth,
    "method.crop": one_of(CROPS),
    "method.flip_views": truth,
    "method.photometric": number(0, 1),
    "optimizer.learning_rate": number(0, 100),
    "optimizer.warmup_steps": whole(0, STEPS),
    "optimizer.decay": number(0, 1000),
    "optimizer.decay_kind": one_of(DECAY_KINDS),
    "optimizer.clip_norm": number(0, 10**9),
    "checkpoint.every": whole(1, STEPS),
    "checkpoint.keep": whole(1, 10**6),
    "watch.log_every": whole(1, STEPS),
    "watch.images_every": whole(0, STEPS),
    "watch.histograms_every": whole(0, STEPS),
    "watch.generated": Check(
        "0 for none, or a whole number from 100 to 1000000, since fewer faces judge nothing",
        lambda v: whole(0, 10**6)(v) and (v == 0 or v >= 100),
    ),
    "watch.labelled": text,
}


def wrong_values(values):
    """What is wrong with single values.

    Args:
      values: {'method.crop': value, ..}, as ``pcl_tf.recipe.flatten`` gives it. Keys of a recipe's own are let be.

    Returns:
      list of lines, each naming key, value and what is allowed.
    """
    return [
        f"--recipe.{key}={value}: must be {CHECKS[key].allowed}."
        for key, value in values.items()
        if key in CHECKS and not CHECKS[key](value)
    ]
