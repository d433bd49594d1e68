"""SimCLR (Chen, Kornblith, Norouzi, Hinton, ICML 2020) on ``face``: row 1 of Table 5, with flips also of Table 6."""

from typing import Any

import tensorflow as tf
from ml_collections import ConfigDict

from pcl_tf.losses import nt_xent_and_accuracy, spread
from pcl_tf.methods.base import Method
from pcl_tf.methods.dynamic_weights import DynamicWeights
from pcl_tf.methods.part import Part, Scalars
from pcl_tf.seeds import Rng
from pcl_tf.views import chains


class SimCLR(Method):
    """NT-Xent between two views of each image, on a projection of ``face``. Args: see ``Method``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.balance is None:
            # Nobody reads it: checkpoints of when SimCLR was PCL with its parts off hold this state here, and go on.
            self.unused = DynamicWeights(self.recipe.epoch_steps, enabled=False, name="balance")

    @classmethod
    def objective(cls, recipe: ConfigDict) -> tuple[Part, ...]:
        """L = L_face."""
        return (Part(name="face", losses=cls.face, weights={"face": 1.0}, images="batch_size", passes=2),)

    def encoded_views(self, images: tf.Tensor, rng: Rng) -> dict[str, tf.Tensor]:
        """Features of two views of each image: [n, S, S, 3] -> dict of [2n, D], all of view 1 first."""
        return self.encoder(tf.concat(chains.paired(self.face_views, images, rng), axis=0), training=True)

    def contrast(self, z: tf.Tensor, rng: Rng) -> tuple[tf.Tensor, tf.Tensor]:
        """NT-Xent and accuracy of projections of both views, [2n, D], with the recipe's temperature and mixing."""
        m = self.method
        seed = rng.named("mixing").next_seed() if m.interpolate_negatives else None
        z1, z2 = tf.split(z, 2)
        return nt_xent_and_accuracy(z1, z2, temperature=m.temperature, mixing_seed=seed)

    def face(self, images: tf.Tensor, rng: Rng) -> tuple[Scalars, Scalars]:
        """L_face (Eq. 6) of two views of each image."""
        rng = rng.named("face")
        z = self.face_head(self.encoded_views(images, rng)["face"], training=True)
        loss, accuracy = self.contrast(z, rng.named("face"))
        return {"face": loss}, {"face_accuracy": accuracy, "face_spread": spread(z)}
