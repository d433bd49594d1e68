"""What a method declares of its objective, once: images, updates, networks, checks and logs of a step follow from it."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import tensorflow as tf
from ml_collections import ConfigDict

from pcl_tf.errors import Refused
from pcl_tf.networks.backbones import FIXED_SIZE, STRIDE
from pcl_tf.views.named import tried

Scalars = dict[str, tf.Tensor]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """A part of an objective.

    Attributes:
      run: function (method, images of this replica [n, S, S, 3], ``Rng`` of the step) -> ({loss: scalar},
        {log: scalar}), a method of the class whose ``objective`` declares the part.
      losses: {loss: what it is and which way is good, for TensorBoard}; logged as loss_NAME.
      logs: the same of its other logs.
      images: key of the recipe that says how many images of the global batch the part takes.
      passes: how often an image passes the encoder: its views and copies.
      nets: networks it needs beside the encoder, of 'face_head', 'pose_head' and 'decoder'.
      on: whether the recipe uses it.
    """

    run: Callable[..., tuple[Scalars, Scalars]]
    losses: Mapping[str, str]
    logs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    images: str
    passes: int
    nets: tuple[str, ...] = ("face_head",)
    on: bool = True

    def count(self, recipe: ConfigDict) -> int:
        """Images of the global batch that it takes."""
        value: Any = recipe
        for key in self.images.split("."):
            value = value[key]
        return int(value)


def is_joint(recipe: ConfigDict) -> bool:
    """Whether a step is one update on all parts of the objective, not one for each."""
    return recipe.method.get("updates", "joint") == "joint"


def power_of_two(recipe: ConfigDict) -> list[str]:
    """``Objective.problems`` of methods with a decoder, which doubles 1x1 up to the image."""
    side = recipe.image_size
    return [f"--recipe.image_size must be a power of two >= 16, not {side}."] if side & (side - 1) else []


class Objective:
    """The declarations of a method; see ``Method``, which computes them.

    Attributes:
      balanced: names of the losses that Dynamic Weight Average balances.
      method: ConfigDict ``method`` of the recipe.
    """

    balanced: ClassVar[tuple[str, ...]] = ()
    recipe: ConfigDict
    method: ConfigDict

    @classmethod
    def objective(cls, recipe: ConfigDict) -> tuple[Part, ...]:
        """The parts of the loss, the switched-off ones too."""
        raise NotImplementedError(f"{cls.__name__} must define objective.")

    def total(self, loss: Mapping[str, tf.Tensor], alpha: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """The objective as an expression, linear in its losses.

        It serves joint, alternating and part-by-part differentiation: the share of a part is the sum in which the
        losses of all other parts are 0.

        Args:
          loss: {name: scalar}, 0.0 for every other name.
          alpha: {name: scalar} of the ``balanced`` losses, by Dynamic Weight Average.

        Returns:
          float32 scalar.
        """
        raise NotImplementedError(f"{type(self).__name__} must define total.")

    @classmethod
    def problems(cls, recipe: ConfigDict) -> list[str]:
        """What keeps a recipe with fine single values from being run: lines that name the key and what would do."""
        kind, side, found = recipe.network.backbone, recipe.image_size, []
        if kind in FIXED_SIZE and side % STRIDE:
            near = max(STRIDE, round(side / STRIDE) * STRIDE)
            found.append(
                f"--recipe.image_size={side}: {kind} needs a multiple of {STRIDE}, for instance --recipe.image_size={near}."
            )
        for key in (key for key in recipe.method if key.endswith("_views")):
            try:
                tried(recipe.method[key], size=side)
            except Refused as error:
                found.append(f"--recipe.method.{key}: {error}.")
        return found

    @classmethod
    def follows(cls, recipe: ConfigDict) -> dict[str, Any]:
        """{key of ``method``: value} of those that stand at 0 and follow from the rest of the recipe."""
        return {}

    @classmethod
    def pairs(cls, recipe: ConfigDict) -> str:
        """Whether the method learns from two frames of a clip, of ``choices.PAIRS``."""
        return "needed" if recipe.method.get("face_positives") == "frames" else "none"

    @classmethod
    def parts_on(cls, recipe: ConfigDict) -> tuple[Part, ...]:
        """The parts that a recipe uses."""
        return tuple(part for part in cls.objective(recipe) if part.on)

    @classmethod
    def losses_on(cls, recipe: ConfigDict) -> dict[str, str]:
        """{loss: what it is} of the losses that a recipe uses."""
        return {name: words for part in cls.parts_on(recipe) for name, words in part.losses.items()}

    @property
    def descriptions(self) -> dict[str, str]:
        """{log: what it is and which way is good}, for TensorBoard."""
        found = {f"loss_{name}": words for name, words in self.losses_on(self.recipe).items()}
        for part in self.parts_on(self.recipe):
            found |= part.logs
        also = f"Neither way is good; the {len(self.balanced)} of them sum to {len(self.balanced)}."
        return found | {f"alpha_{k}": f"Weight of L_{k} by Dynamic Weight Average. {also}" for k in self.balanced}

    @classmethod
    def images_together(cls, recipe: ConfigDict) -> list[int]:
        """Images of the global batch of each update in a step: [all], or those of each part if alternating."""
        if is_joint(recipe):
            return [recipe.batch_size]
        return [part.count(recipe) for part in cls.parts_on(recipe)]
