"""A part of an objective, declared once: its images, updates, networks, checks and logs follow from the declaration."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
from ml_collections import ConfigDict

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
