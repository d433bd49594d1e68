"""A part of an objective, declared once: its images, updates, weights, checks and logs follow from the declaration."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
from ml_collections import ConfigDict

Scalars = dict[str, tf.Tensor]


class Balanced(float):
    """A weight that Dynamic Weight Average multiplies by the alpha of its loss."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """A part of an objective.

    Attributes:
      name: of the part.
      losses: function (method, images of this replica [n, S, S, 3], ``Rng`` of the step) -> ({loss: scalar},
        {log: scalar}), a method of the class whose ``objective`` declares the part. Losses are logged as loss_NAME.
      weights: {loss: its weight in the objective}, ``Balanced`` where Dynamic Weight Average takes part in it.
      images: key of the recipe that says how many images of the global batch the part takes.
      passes: how often an image passes the encoder: its views and copies.
      nets: networks it needs beside the encoder and the face's head: 'pose_head', 'decoder'.
      on: whether the recipe uses it.
    """

    name: str
    losses: Callable[..., tuple[Scalars, Scalars]]
    weights: Mapping[str, float]
    images: str
    passes: int
    nets: tuple[str, ...] = ()
    on: bool = True

    def count(self, recipe: ConfigDict) -> int:
        """Images of the global batch that it takes."""
        value: Any = recipe
        for key in self.images.split("."):
            value = value[key]
        return int(value)


def balanced(parts: tuple[Part, ...]) -> tuple[str, ...]:
    """Names of the losses that Dynamic Weight Average balances, in the order in which they are declared."""
    return tuple(
        dict.fromkeys(name for part in parts for name, weight in part.weights.items() if isinstance(weight, Balanced))
    )
