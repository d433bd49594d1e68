"""What every value of a recipe may be. Names come from the registries that look them up."""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from pcl_tf.choices import DECAY_KINDS, SAMPLINGS
from pcl_tf.errors import Refused
from pcl_tf.methods.registry import known_keys
from pcl_tf.networks.backbones import BACKBONES, FIXED_SIZE, STRIDE
from pcl_tf.recipe_values import Check, number, one_of, text, whole

STEPS = 10**9  # the longest of everything that is counted in steps

CHECKS = {
    "seed": whole(0, 2**31 - 1),
    "image_size": whole(16, 2048),
    "batch_size": whole(2, 10**6),
    "total_steps": whole(0, STEPS),
    "epoch_steps": whole(1, STEPS),
    "data.source": text,
    "data.generated_images": whole(1, 10**7),
    "data.cache": text,
    "data.sampling": one_of(SAMPLINGS),
    "data.max_unreadable_share": number(0, 1),
    "network.backbone": one_of(BACKBONES),
    "network.width": number(0, 16, least=False),
    "network.head_dim": whole(1, 65536),
    **{f"method.{key}": said.check for key, said in known_keys().items()},
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
        "0 for none, or a whole number from 100 to 1000000, since fewer faces tell nothing",
        lambda v: whole(0, 10**6)(v) and (v == 0 or v >= 100),
    ),
    "watch.labelled": text,
}


def wrong_values(values: Mapping[str, Any]) -> list[str]:
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


def wrong_side(recipe: ConfigDict) -> list[str]:
    """What is wrong with a recipe's image side for its backbone: a list of lines."""
    kind, side = recipe.network.backbone, recipe.image_size
    if kind not in FIXED_SIZE or side % STRIDE == 0:
        return []
    near = max(STRIDE, round(side / STRIDE) * STRIDE)
    return [
        f"--recipe.image_size={side}: {kind} needs a multiple of {STRIDE}, for instance --recipe.image_size={near}."
    ]


def wrong_views(recipe: ConfigDict) -> list[str]:
    """What is wrong with the views that a resolved recipe names: arguments, or layers that change an image's shape.

    Returns:
      list of lines.
    """
    from pcl_tf.views.named import tried

    size, found = recipe.image_size, []
    for key in ("face_views", "pose_views"):
        try:
            tried(recipe.method.get(key, ""), size=size)
        except Refused as error:
            found.append(f"--recipe.method.{key}: {error}.")
    return found
