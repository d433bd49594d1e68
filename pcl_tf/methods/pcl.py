"""PCL: the keras.Model that ties networks, views and losses together (section 3)."""

from functools import partial

import tensorflow as tf

from pcl_tf.methods import terms
from pcl_tf.methods.base import Method
from pcl_tf.methods.dynamic_weights import DynamicWeights
from pcl_tf.views import chains

POSE_CONTRASTS = ("pose", "face_style", "none")


class PCL(Method):
    """Pose-disentangled contrastive learning, and with parts off SimCLR.

    Args:
      nets: namespace with keras models ``encoder``, ``face_head``, and, where a
        part needs them, ``pose_head`` and ``decoder`` (else None).
      method: ConfigDict ``method`` of a recipe; its fields are explained in
        ``recipes/common.py``.
      image_size: side of the images in pixels.
      batch_size: images of the global batch.
      replicas: number of replicas that share a batch.
      epoch_steps: steps of one epoch of Dynamic Weight Average.
      seed: of every random draw of training.
      coupled_decay: L2 coefficient whose gradient is added to the loss's (torch Adam's weight_decay).
      precision: dtype policy.
    """

    def __init__(
        self, nets, method, image_size, batch_size, replicas, epoch_steps, seed, coupled_decay=0.0, precision="float32"
    ):
        super().__init__(
            nets.encoder, nets.face_head, method, batch_size, replicas, seed, coupled_decay, precision, name="pcl"
        )
        self.pose_head, self.decoder = nets.pose_head, nets.decoder
        m = method
        self.face_views = chains.face_views(image_size, m.crop, m.flip_views, m.photometric)
        self.pose_view = chains.pose_view(m.photometric)
        self.augment = chains.pose_augmentation(m.pose_augmentation)
        two_losses = m.pose_contrast != "none"  # one alone has nothing to be balanced with
        self.balance = DynamicWeights(epoch_steps, enabled=m.dynamic_weights and two_losses, name="balance")
        self.built = True

    # Each term is (loss to weigh, alpha index, logs); which batch it sees is train_step's business.

    def _pdd(self, images, draws):
        m = self.method
        return terms.pdd_term(
            self, images, draws.named("pdd"), self.augment, m.recon_noise_std, m.orthogonality, m.decoder_batches
        )

    def _face(self, images, draws):
        m = self.method
        return terms.face_term(
            self,
            images,
            draws.named("face"),
            self.face_views,
            m.temperature,
            m.interpolate_negatives,
            pose_too=m.pose_contrast == "face_style",
        )

    def _pose(self, images, draws):
        m = self.method
        return terms.pose_term(
            self,
            images,
            draws.named("pose"),
            self.pose_view,
            self.augment,
            m.negatives_per_image,
            m.pose_temperature or m.temperature,
            m.interpolate_negatives,
            m.pose_negatives,
            m.pose_one_norm,
            m.pose_denominator,
        )

    def _parts(self):
        """Which parts of Eq. 7 are on: (name, images of the global batch, function to weighted loss and logs)."""
        m, alpha = self.method, self.balance.weights_now()

        def pdd(images, draws):
            loss, logs = self._pdd(images, draws)
            return m.pdd_weight * loss, logs

        def face(images, draws):
            loss, pose_loss, logs = self._face(images, draws)
            total = alpha[0] * loss
            return (total if pose_loss is None else total + alpha[1] * pose_loss), logs

        def pose(images, draws):
            loss, logs = self._pose(images, draws)
            return m.pose_weight * alpha[1] * loss, logs

        parts = [("face", self.batch_size, face)]
        if m.reconstruct:
            parts.insert(0, ("pdd", m.pdd_batch, pdd))
        if m.pose_contrast == "pose":
            parts.append(("pose", m.pose_batch, pose))
        return parts

    def images_a_step(self):
        """Alternating: every part has images of its own."""
        return self.batch_size if self.method.updates == "joint" else sum(count for _, count, _ in self._parts())

    def update(self, images, draws):
        """Eq. 7. Joint: images are the batch. Alternating: those of the pdd, face and pose part, one after another."""
        return self._joint(images, draws) if self.method.updates == "joint" else self._alternate(images, draws)

    def after(self, logs):
        """Counts the unweighted losses for Dynamic Weight Average."""
        self.balance.update(logs["loss_face"], logs.get("loss_pose", tf.zeros(())))

    def parts(self, images, draws):
        """The parts of Eq. 7 that are on, each with its images: [(name, () -> (weighted loss, logs))].

        Args:
          images: float32 [n, S, S, 3] in [0, 1], this replica's. Joint: parts that work on fewer images than the batch
            take some of it, evenly spaced. Alternating: those of one part after those of another.
          draws: ``Draws`` of the step.
        """
        start, bound = 0, []
        for name, count, part in self._parts():
            n = count // self.replicas
            mine = self._some(images, n) if self.method.updates == "joint" else images[start : start + n]
            start += n
            bound.append((name, partial(part, mine, draws)))
        return bound

    def _joint(self, images, draws):
        """Eq. 7: one update."""
        return {**self._alphas(), **self.apply_parts(*(part for _, part in self.parts(images, draws)))}

    def _some(self, images, n):
        """n of this replica's images; evenly spaced, all replicas together take the images that one would."""
        here = images.shape[0]
        return images if n == here else tf.gather(images, [i * here // n for i in range(n)])

    def _alphas(self):
        alpha = self.balance.weights_now()
        return {"alpha_face": alpha[0], "alpha_pose": alpha[1]}

    def _alternate(self, images, draws):
        """The released code: one update for each part, on images of its own."""
        logs, total, norm = self._alphas(), 0.0, 0.0
        for _, part in self.parts(images, draws):
            out = self.apply_parts(part)
            total, norm = total + out.pop("loss"), norm + out.pop("gradient_norm")
            logs.update(out)
        return {**logs, "loss": total, "gradient_norm": norm}
