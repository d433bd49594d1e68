"""SimCLR (Chen, Kornblith, Norouzi, Hinton, ICML 2020) on ``face``: row 1 of Table 5, with flips also of Table 6."""

from collections.abc import Mapping

import keras
import tensorflow as tf
from ml_collections import ConfigDict

from pcl_tf.losses import accuracy, nt_xent, spread
from pcl_tf.methods.base import Method
from pcl_tf.methods.objective import Part, Scalars
from pcl_tf.seeds import Rng

FACE = {
    "face": "L_face, Eq. 6: contrast of two views of each face. Falls from the logarithm of the number of negatives."
}
FACE_LOGS = {
    "face_accuracy": "Share of views whose other view is nearer than every negative. Rises towards 1.",
    "face_spread": "How evenly the contrasted face embeddings lie on the sphere. 1 is even and good; near 0 they have"
    " collapsed to a point: stop, and take a smaller learning rate.",
}


class SimCLR(Method):
    """NT-Xent between two views of each image, on a projection of ``face``. Args: see ``Method``."""

    @classmethod
    def objective(cls, recipe: ConfigDict) -> tuple[Part, ...]:
        """L_face."""
        return (Part(run=cls.face, losses=FACE, logs=FACE_LOGS, images="batch_size", passes=2),)

    def total(self, loss: Mapping[str, tf.Tensor], alpha: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """L = L_face. See ``Method``."""
        return loss["face"]

    def heads(self) -> dict[str, tuple[keras.Model, float]]:
        """{feature: (the head of its contrast of views, tau)}."""
        return {"face": (self.face_head, self.method.temperature)}

    def face(self, images: tf.Tensor, rng: Rng) -> tuple[Scalars, Scalars]:
        """L_face (Eq. 6) of two views of each image, for every feature of ``heads``."""
        rng = rng.named("face")
        losses: Scalars = {}
        logs: Scalars = {}
        views = self.face_pair(images, rng)
        features = self.encoder(tf.concat(views, axis=0), training=True)  # all of view 1 first
        for name, (head, temperature) in self.heads().items():
            z = head(features[name], training=True)
            seed = rng.named(name).named("mixing").next_seed() if self.method.interpolate_negatives else None
            losses[name], logits = nt_xent(*tf.split(z, 2), temperature=temperature, mixing_seed=seed)
            logs |= {f"{name}_accuracy": accuracy(logits), f"{name}_spread": spread(z)}
        return losses, logs
