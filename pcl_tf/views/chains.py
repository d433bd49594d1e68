"""The chains of a step: the two views of a face, those of the pose contrast, and what changes a pose."""

from collections.abc import Sequence

import tensorflow as tf

from pcl_tf.choices import FACE_VIEWS, POSE_VIEWS
from pcl_tf.seeds import Rng
from pcl_tf.views.base import Chain, View
from pcl_tf.views.geometry import HorizontalFlip, QuadrantCrop, RotateTranslate
from pcl_tf.views.named import named_views


def face_views(
    size: int, names: str = FACE_VIEWS, *, strength: float = 1.0, compiled: bool = False
) -> tuple[Chain, Chain]:
    """The two chains of the face contrast.

    Args:
      size: side of the views in pixels.
      names: of the views, see ``pcl_tf.views.named``.
      strength: of photometric views, 0 to 1.
      compiled: see ``Chain``.

    Returns:
      (chain of view 1, chain of view 2), one object where no view knows which of the two it is in, so that it is traced
      and compiled once.

    Raises:
      Refused: see ``named_views``.
    """

    def chain(which: int) -> Chain:
        views = named_views(names, size=size, strength=strength, which=which)
        return Chain(views, compiled=compiled, name="face_view")

    first, second = chain(0), chain(1)
    return first, second if any(isinstance(view, QuadrantCrop) for view in first.views) else first


def pose_view(size: int, names: str = POSE_VIEWS, *, strength: float = 1.0, compiled: bool = False) -> Chain:
    """Chain of the pose contrast: the whole image, photometric changes only. Args: see ``face_views``."""
    return Chain(named_views(names, size=size, strength=strength), compiled=compiled, name="pose_view")


def pose_augmentation(kind: str = "flip") -> Chain:
    """What changes the pose of s into s-hat, without photometric changes; kind: of ``choices.POSE_AUGMENTATIONS``."""
    views = {"flip": HorizontalFlip(p=1.0, name="mirror"), "rotate_translate": RotateTranslate(name="move")}
    return Chain([view for name, view in views.items() if name in kind], name="pose_augmentation")


def paired(views: Sequence[View], frames: Sequence[tf.Tensor], rng: Rng) -> list[tf.Tensor]:
    """Each chain's view of its frames, float32 [n, S, S, 3]: a positive pair.

    Args:
      views: of ``face_views``.
      frames: float32 [n, S, S, 3] in [0, 1] for each chain, this replica's: the same images, or two frames of clips.
      rng: ``Rng`` of the part.
    """
    pair = rng.named("pair")  # what both views must agree on: see QuadrantCrop
    both = enumerate(zip(views, frames, strict=True))
    return [view(images, rng=rng.named(f"view{i}").paired(pair)) for i, (view, images) in both]
