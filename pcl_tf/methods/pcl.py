"""PCL, pose-disentangled contrastive learning (section 3): its objective, Eq. 7, and the parts of it."""

from collections.abc import Mapping

import keras
import tensorflow as tf
from ml_collections import ConfigDict

from pcl_tf.losses import accuracy, combine, mean_abs_cosine, pose_info_nce, reconstruction, spread
from pcl_tf.losses.gather import gather_rows
from pcl_tf.losses.orthogonality import ORTHOGONALITY
from pcl_tf.losses.pose_contrast import official_layout
from pcl_tf.losses.reconstruction import COMBINATIONS
from pcl_tf.methods.base import frames
from pcl_tf.methods.objective import Part, Scalars, power_of_two
from pcl_tf.methods.simclr import FACE, FACE_LOGS, SimCLR
from pcl_tf.seeds import Rng
from pcl_tf.views import chains

# How many calls decode the four combinations of Eq. 2: BatchNorm sees them together, or each apart (released code).
DECODER_BATCHES = {"together": 1, "apart": len(COMBINATIONS)}
PDD = {
    "dis": "L_dis, Eq. 2: the sum of four mean absolute errors of reconstructions. Falls.",
    "orth": "L_orth, Eq. 3: what face and pose feature have in common. Falls, near 0 at its best.",
}
PDD_LOGS = {"abs_cosine": "Mean absolute cosine of face and pose feature. Low is good: they say different things."}
POSE = {"pose": "L_pose, Eq. 5: contrast of poses. Falls; 0 means that the negatives are too easy."}
POSE_LOGS = {
    "pose_accuracy": "Share of views whose other view is nearer than every negative, of poses. Rises towards 1.",
    "pose_spread": "How evenly the contrasted pose embeddings lie on the sphere. 1 is even, 0 is collapsed; poses that are"
    " alike keep it below 1.",
}


class PCL(SimCLR):
    """SimCLR's contrast of faces beside the pose-disentangling decoder and the contrast of poses. Args: see ``Method``."""

    balanced = ("face", "pose")

    @classmethod
    def objective(cls, recipe: ConfigDict) -> tuple[Part, ...]:
        """L_PDD, L_face and L_pose, which ``total`` sums."""
        m = recipe.method
        styled = m.pose_contrast == "face_style"  # Table 5, rows 2 and 3: L_pose is Eq. 6 on F_p of the same views
        return (
            Part(
                run=cls.pdd,
                losses={name: words for name, words in PDD.items() if name == "dis" or m.orthogonality != "none"},
                logs=PDD_LOGS,
                images="method.pdd_batch",
                passes=2,
                nets=("decoder",),
                on=m.reconstruct,
            ),
            Part(
                run=cls.face,
                losses=FACE | (POSE if styled else {}),
                logs=FACE_LOGS | (POSE_LOGS if styled else {}),
                images="batch_size",
                passes=2,
                nets=("face_head", "pose_head") if styled else ("face_head",),
            ),
            Part(
                run=cls.pose,
                losses=POSE,
                logs=POSE_LOGS,
                images="method.pose_batch",
                passes=2 + m.negatives_per_image,
                nets=("pose_head",),
                on=m.pose_contrast == "pose",
            ),
        )

    def total(self, loss: Mapping[str, tf.Tensor], alpha: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Eq. 7: L = L_PDD + alpha_face L_face + alpha_pose L_pose, with L_PDD = L_dis + L_orth (Eq. 4)."""
        m = self.method
        l_pdd = m.pdd_weight * (loss["dis"] + loss["orth"])
        return l_pdd + alpha["face"] * loss["face"] + m.pose_weight * alpha["pose"] * loss["pose"]

    @classmethod
    def pairs(cls, recipe: ConfigDict) -> str:
        """See ``Method``."""
        m = recipe.method
        return "needed" if (m.pose_contrast, m.pose_negatives) == ("pose", "frames") else super().pairs(recipe)

    @classmethod
    def follows(cls, recipe: ConfigDict) -> dict[str, int]:
        """See ``Method``."""
        return {"pdd_batch": recipe.method.pdd_batch or recipe.batch_size}

    @classmethod
    def problems(cls, recipe: ConfigDict) -> list[str]:
        """See ``Method``."""
        m, found = recipe.method, super().problems(recipe)
        if m.reconstruct:
            found += power_of_two(recipe)
        if m.pose_contrast != "pose":
            return found
        p, count = m.pose_batch, m.negatives_per_image
        if count < 2:
            found.append("--recipe.method.negatives_per_image must be at least 2.")
        if m.pose_negatives == "official_layout" and count % p:  # then some anchors have no copy of their own
            found.append(
                f"--recipe.method.pose_negatives=official_layout: --recipe.method.negatives_per_image={count} must be a"
                f" multiple of --recipe.method.pose_batch={p}, for instance {-(-count // p) * p}."
            )
        if m.pose_denominator == "negatives" and m.dynamic_weights:  # which divides losses by losses
            found.append(
                "--recipe.method.pose_denominator=negatives: needs --recipe.method.dynamic_weights=False, since L_pose"
                " can be negative."
            )
        return found

    def make_views(self) -> None:
        """The chains of the face contrast and of the pose contrast, and what makes s-hat from s."""
        super().make_views()
        m = self.method
        self.pose_view = chains.pose_view(
            self.recipe.image_size, m.pose_views, strength=m.photometric, compiled=self.compiled_views
        )
        self.augment = chains.pose_augmentation(m.pose_augmentation)

    def pdd(self, images: tf.Tensor, rng: Rng) -> tuple[Scalars, Scalars]:
        """L_dis (Eq. 2) and L_orth (Eq. 3) of s, the images, and s-hat, their pose-augmented copies."""
        images, _ = frames(images)
        m, rng, n = self.method, rng.named("pdd"), images.shape[0]
        augmented = self.augment(images, rng=rng.named("mirror"))
        clean = tf.concat([images, augmented], axis=0)
        noise = [rng.named(f"noise{i}").normal(n, m.recon_noise_std, images.shape[1:]) for i in range(2)]
        out = self.encoded_apart(clean + tf.concat(noise, axis=0))  # noise on inputs alone: targets are clean
        (face, augmented_face), (pose, augmented_pose) = tf.split(out["face"], 2), tf.split(out["pose"], 2)

        codes = tf.split(
            combine(face, pose, augmented_face=augmented_face, augmented_pose=augmented_pose),
            DECODER_BATCHES[m.decoder_batches],
        )
        decoded = tf.concat([self.decoder(code, training=True) for code in codes], axis=0)
        losses = {"dis": reconstruction(decoded, images, augmented)}
        if m.orthogonality != "none":
            orthogonality = ORTHOGONALITY[m.orthogonality]
            losses["orth"] = orthogonality(face, pose) + orthogonality(augmented_face, augmented_pose)
        return losses, {"abs_cosine": mean_abs_cosine(out["face"], out["pose"])}

    def heads(self) -> dict[str, tuple[keras.Model, float]]:
        """See ``SimCLR``."""
        if self.method.pose_contrast != "face_style":
            return super().heads()
        return {**super().heads(), "pose": (self.pose_head, self._pose_temperature)}

    @property
    def _pose_temperature(self) -> float:
        return self.method.pose_temperature or self.method.temperature

    def pose(self, images: tf.Tensor, rng: Rng) -> tuple[Scalars, Scalars]:
        """L_pose (Eq. 5): two views of an image against pose-augmented copies of it, or another frame of its clip."""
        m, rng = self.method, rng.named("pose")
        p, count = images.shape[0], m.negatives_per_image
        images, other = frames(images)
        positives = tf.concat([self.pose_view(images, rng=rng.named(f"positive{i}")) for i in range(2)], axis=0)
        if m.pose_negatives == "frames":
            copies = tf.repeat(other, count, axis=0)  # image-major
        else:
            copies = self.augment(tf.repeat(images, count, axis=0), rng=rng.named("augment"))
        copies = self.pose_view(copies, rng=rng.named("negatives"))
        feature = self.encoded_apart(tf.concat([positives, copies], axis=0))["pose"]
        if m.pose_one_norm:
            z, negatives = tf.split(self.pose_head(feature, training=True), [2 * p, p * count])
        else:  # positives and negatives pass the head's BatchNorm in calls of their own (released code)
            z, negatives = (self.pose_head(x, training=True) for x in tf.split(feature, [2 * p, p * count]))
        if m.pose_negatives == "official_layout":
            negatives = rng.mine(official_layout(gather_rows(negatives), p * rng.replicas), p * count)
        z1, z2 = tf.split(z, 2)
        loss, logits = pose_info_nce(
            z1,
            z2,
            tf.reshape(negatives, [p, count, -1]),
            temperature=self._pose_temperature,
            mixing_seed=rng.named("mixing").next_seed() if m.interpolate_negatives else None,
            denominator=m.pose_denominator,
        )
        return {"pose": loss}, {"pose_accuracy": accuracy(logits), "pose_spread": spread(z)}
