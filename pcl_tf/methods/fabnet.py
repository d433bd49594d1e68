"""FAb-Net (Wiles, Koepke, Zisserman, BMVC 2018), a baseline of Tables 1 and 3: one frame of a clip warped to another."""

import math
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from ml_collections import ConfigDict

from pcl_tf.losses import kept_mean
from pcl_tf.methods.base import Method, frames
from pcl_tf.methods.objective import Part, Scalars, power_of_two
from pcl_tf.networks.decoder import flow_decoder
from pcl_tf.networks.heads import code_head
from pcl_tf.seeds import Rng
from pcl_tf.warp import warp

RISE, END = 0.1, 0.85  # the kept share moves so far at a time, until its upper end is at least END
STILL = {
    "still": "Mean absolute difference of the two frames as they are, as many kept: a good flow has a smaller loss."
}


class FabNet(Method):
    """Codes of two frames of a clip give the flow that reads the one's pixels from the other's. Args: see ``Method``.

    Differs from the released code in: our backbone with a linear code of ``face`` for its encoder of eight
    convolutions, at 64 pixels for 256; one source; the kept share moves on after so many steps, not when a validation
    loss rests; Adam for SGD.
    """

    def __init__(self, *args: Any, precision: str = "float32", **kwargs: Any) -> None:
        super().__init__(*args, precision=precision, **kwargs)
        self.make_networks(precision)

    def make_networks(self, precision: str) -> None:
        """Makes the networks beside the encoder."""
        self.code, self.flow = self.coder("code", precision), self.flower("flow", 2, precision)

    def coder(self, name: str, precision: str) -> keras.Model:
        """A linear code of F_f or F_p."""
        features = self.encoder.output["face"].shape[-1]
        return code_head(features, self.method.embedding, dtype=precision, name=name)

    def flower(self, name: str, outputs: int, precision: str) -> keras.Model:
        """The codes of two frames to a flow, and a mask where ``outputs`` is 3."""
        side, width, shared = self.recipe.image_size, self.recipe.network.width, self.replicas > 1
        how: dict[str, Any] = {"width": width, "dtype": precision, "synchronized": shared, "name": name}
        return flow_decoder(2 * self.method.embedding, side, outputs=outputs, **how)

    @classmethod
    def pairs(cls, recipe: ConfigDict) -> str:
        """See ``Method``."""
        return "needed"

    @classmethod
    def objective(cls, recipe: ConfigDict) -> tuple[Part, ...]:
        """The difference of the warped source and the target."""
        losses = {"flow": "Mean absolute difference of the warped source and the target, of the kept images. Falls."}
        return (Part(run=cls.warped, losses=losses, logs=STILL, images="batch_size", passes=2, nets=()),)

    def total(self, loss: Mapping[str, tf.Tensor], alpha: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """L = |warp(source, flow) - target|, of the kept images. See ``Method``."""
        return loss["flow"]

    @classmethod
    def follows(cls, recipe: ConfigDict) -> dict[str, int]:
        """See ``Method``. Five places of the kept share are reached in half of a run."""
        return {"kept_steps": recipe.method.kept_steps or max(1, recipe.total_steps // 10)}

    @classmethod
    def problems(cls, recipe: ConfigDict) -> list[str]:
        """See ``Method``."""
        return super().problems(recipe) + power_of_two(recipe)

    def seen(self, images: tf.Tensor, rng: Rng) -> tuple[tf.Tensor, tf.Tensor]:
        """(source, target), float32 [n, S, S, 3]: the two frames of [n, 2, S, S, 3], each with its own views."""
        source, target = (self.frame_view(x, rng=rng.named(f"frame{i}")) for i, x in enumerate(frames(images)))
        return source, target

    def kept(self, losses: tf.Tensor) -> tf.Tensor:
        """The mean of a loss of each image, [n], over the share that is kept at this step: first the easiest."""
        m = self.method
        rises = max(0, math.ceil((END - m.kept_share) / RISE - 1e-6))
        low = RISE * tf.cast(tf.minimum(self.step.value // m.kept_steps, rises), tf.float32)
        return kept_mean(losses, low, low + m.kept_share)

    def warped(self, images: tf.Tensor, rng: Rng) -> tuple[Scalars, Scalars]:
        """The loss of the target read from the source."""
        source, target = self.seen(images, rng.named("flow"))
        moved, _ = self.moved(source, target, training=True)
        return {"flow": self.kept(difference(moved, target))}, {"still": self.kept(difference(source, target))}

    def moved(self, source: tf.Tensor, target: tf.Tensor, *, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        """(the source warped to the target, float32 [n, S, S, 3], its flow [n, S, S, 2] as of ``warp``)."""
        features = self.encoder(tf.concat([source, target], axis=0), training=training)["face"]
        flow = self.flow(between(*tf.split(self.code(features), 2)), training=training)
        return warp(source, flow), flow

    def pictures(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """See ``Method``."""
        source, target = frames(images)
        moved, flow = self.moved(source, target, training=False)
        return {"source": source, "target": target, "flow": flow, "warped": moved}


def between(source: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """What a flow from one to the other is made of: [n, D] codes -> [n, 2 D]."""
    return tf.concat([source, target], axis=1)


def difference(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Mean absolute difference of each image or code: [n, ..] -> float32 [n]."""
    apart = tf.abs(tf.cast(a, tf.float32) - tf.cast(b, tf.float32))
    return tf.reduce_mean(apart, axis=list(range(1, apart.shape.rank)))
