"""Methods by name: the class of each, and every key of ``recipe.method`` that it knows, with the paper's value.

Recipes read it before TensorFlow is imported, so classes and the names of other registries are imported when asked for.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pcl_tf.recipe_values import Check, number, one_of, truth, whole

if TYPE_CHECKING:
    from pcl_tf.methods.base import Method


@dataclasses.dataclass(frozen=True)
class Key:
    """A key of a recipe: its value where nobody says otherwise, what it may be, what it is."""

    value: Any
    check: Check
    says: str


@dataclasses.dataclass(frozen=True)
class Entry:
    """A method.

    Attributes:
      load: imports its class.
      keys: that it knows beside ``name``.
      argument: {key: value} that its name sets as the argument of a recipe, where not what the key has anyway.
      smoke: {key: value} of its keys in the minute's run that ``:smoke`` makes.
    """

    load: Callable[[], "type[Method]"]
    keys: Mapping[str, Key]
    argument: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    smoke: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def _pcl() -> "type[Method]":
    from pcl_tf.methods.pcl import PCL

    return PCL


def _simclr() -> "type[Method]":
    from pcl_tf.methods.simclr import SimCLR

    return SimCLR


def _moco() -> "type[Method]":
    from pcl_tf.methods.moco import MoCo

    return MoCo


def _orthogonality() -> tuple[str, ...]:
    from pcl_tf.losses.orthogonality import ORTHOGONALITY

    return (*ORTHOGONALITY, "none")


def _pose_denominators() -> tuple[str, ...]:
    from pcl_tf.losses.pose_contrast import POSE_DENOMINATORS

    return tuple(POSE_DENOMINATORS)


def _pose_negatives() -> tuple[str, ...]:
    from pcl_tf.methods.pcl import POSE_NEGATIVES

    return POSE_NEGATIVES


def _pose_contrasts() -> tuple[str, ...]:
    from pcl_tf.methods.pcl import POSE_CONTRASTS

    return POSE_CONTRASTS


def _decoder_batches() -> tuple[str, ...]:
    from pcl_tf.methods.pcl import DECODER_BATCHES

    return tuple(DECODER_BATCHES)


def _pose_augmentations() -> tuple[str, ...]:
    from pcl_tf.views.chains import POSE_AUGMENTATIONS

    return POSE_AUGMENTATIONS


def _named_views() -> Check:
    def fine(value: Any) -> bool:
        from pcl_tf.errors import Refused
        from pcl_tf.views.named import names

        try:
            return isinstance(value, str) and bool(names(value))
        except Refused:
            return False

    def allowed() -> str:
        from pcl_tf.views.named import KNOWN

        return f"views joined by |, each one of {KNOWN}"

    return Check(allowed, fine)


CROPS = {"random_resized": "resized_crop", "quadrant": "quadrant_crop", "none": ""}  # and the view that does it
UPDATES = ("joint", "alternating")

_NAMED = _named_views()
_PHOTOMETRIC = "jitter|grayscale|blur|sobel"
_VIEWS = {
    "face_views": Key(
        "",
        Check(
            lambda: f"{_NAMED.allowed}; or empty, for crop, crop_area, flip_views and {_PHOTOMETRIC}",
            lambda v: v == "" or _NAMED(v),
        ),
        "face views by name; empty: what crop, crop_area and flip_views say, then " + _PHOTOMETRIC,
    ),
    "crop": Key(
        "random_resized", one_of(CROPS), "first of the face views: random_resized (paper), quadrant (code), none"
    ),
    "crop_area": Key(0.3, number(0, 1, least=False), "least share of the area of an image in a random_resized crop"),
    "flip_views": Key(False, truth, "flips among the face views"),
    "photometric": Key(1.0, number(0, 1), "strength of the photometric chain, 0 to 1"),
}
_TEMPERATURE = {"temperature": Key(0.07, number(0, 100, least=False), "tau of Eq. 5 and 6")}
_INTERPOLATE = {"interpolate_negatives": Key(True, truth, "each negative is mixed with another")}
_SIMCLR = {**_TEMPERATURE, **_INTERPOLATE, **_VIEWS}

METHODS = {
    "pcl": Entry(
        _pcl,
        {
            "updates": Key("joint", one_of(UPDATES), "joint (Eq. 7) or alternating (released code)"),
            "reconstruct": Key(True, truth, "L_dis, Eq. 2"),
            "pdd_batch": Key(0, whole(0, 10**6), "images of a batch the decoder works on; 0 is all"),
            "recon_noise_std": Key(0.4, number(0, 100), "noise on the encoder's input when reconstructing"),
            "decoder_batches": Key(
                "together",
                one_of(_decoder_batches),
                "the decoder's BatchNorm sees the four combinations together or apart (code)",
            ),
            "orthogonality": Key(
                "per_sample", one_of(_orthogonality), "Eq. 3: per_sample (paper), cross_correlation (code), none"
            ),
            "pose_contrast": Key("pose", one_of(_pose_contrasts), "pose (Eq. 5), face_style (Eq. 6 on F_p), none"),
            "pose_batch": Key(10, whole(1, 10**6), "images of a batch the pose contrast works on"),
            "negatives_per_image": Key(100, whole(1, 10**6), "M of Eq. 5"),
            "pose_denominator": Key(
                "with_positive",
                one_of(_pose_denominators),
                "of Eq. 5: with_positive (released code) or negatives (as printed)",
            ),
            "pose_negatives": Key(
                "own_flip", one_of(_pose_negatives), "own_flip (paper) or official_layout (released code)"
            ),
            "pose_one_norm": Key(True, truth, "positives and negatives pass BatchNorm together"),
            "pose_augmentation": Key(
                "flip", one_of(_pose_augmentations), "flip, rotate_translate, flip_rotate_translate"
            ),
            "dynamic_weights": Key(True, truth, "Dynamic Weight Average of Eq. 7"),
            **_TEMPERATURE,
            "pose_temperature": Key(0.0, number(0, 10**6), "of Eq. 5; 0 is the same as temperature"),
            "pdd_weight": Key(1.0, number(0, 10**6), "multiplies L_dis + L_orth"),
            "pose_weight": Key(1.0, number(0, 10**6), "multiplies L_pose beside its dynamic weight"),
            **_INTERPOLATE,
            **_VIEWS,
            "pose_views": Key(_PHOTOMETRIC, _NAMED, "views of the pose contrast, of the whole image"),
        },
    ),
    "simclr": Entry(_simclr, _SIMCLR),
    "simclr_pose": Entry(_simclr, {**_SIMCLR, "flip_views": dataclasses.replace(_SIMCLR["flip_views"], value=True)}),
    "moco": Entry(
        _moco,
        {
            **_TEMPERATURE,
            "queue": Key(16_384, whole(1, 10**8), "keys that serve as negatives; a multiple of the batch"),
            "momentum": Key(
                0.0, number(0, 1), "of the key encoder; 0 is .999, and .99 in runs of fewer than 10,000 steps"
            ),
            "both_directions": Key(False, truth, "each view is query and key; :moco sets it"),
            **_VIEWS,
        },
        argument={"both_directions": True},
        smoke={"queue": 128},
    ),
}
DEFAULT = "pcl"  # of recipes that say nothing else
NAME = Key(DEFAULT, one_of(METHODS), f"{', '.join(METHODS)}: each has keys of its own")


def face_views(own: Mapping[str, Any]) -> str:
    """The names of the face views that ``crop``, ``crop_area`` and ``flip_views`` stand for."""
    crop = CROPS[own["crop"]]
    if own["crop"] == "random_resized" and own["crop_area"] != _VIEWS["crop_area"].value:
        crop += f"(area=({own['crop_area']}, 1.0))"
    return "|".join(filter(None, (crop, "flip" if own["flip_views"] else "", _PHOTOMETRIC)))


def keys_of(name: str) -> dict[str, Key]:
    """Every key of ``recipe.method`` for a method, ``name`` first."""
    return {"name": dataclasses.replace(NAME, value=name), **METHODS[name].keys}


def known_keys() -> dict[str, Key]:
    """The keys of all methods."""
    return {key: said for name in reversed(METHODS) for key, said in keys_of(name).items()}


def knowing(key: str) -> list[str]:
    """Names of the methods that know a key."""
    return [name for name in METHODS if key in keys_of(name)]
