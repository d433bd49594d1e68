"""PCL: the keras.Model that ties networks, views and losses together (section 3)."""

from functools import partial

import keras
import tensorflow as tf

from pcl_tf.losses.gather import mean_over_replicas
from pcl_tf.methods import terms
from pcl_tf.methods.dynamic_weights import DynamicWeights
from pcl_tf.seeds import replica_draws
from pcl_tf.views import chains

POSE_CONTRASTS = ("pose", "face_style", "none")


class PCL(keras.Model):
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
        super().__init__(name="pcl", dtype=precision)
        self.encoder, self.face_head = nets.encoder, nets.face_head
        self.pose_head, self.decoder = nets.pose_head, nets.decoder
        self.method, self.batch_size, self.replicas, self.seed, self.coupled_decay = (
            method,
            batch_size,
            replicas,
            seed,
            coupled_decay,
        )
        m = method
        self.face_views = chains.face_views(image_size, m.crop, m.flip_views, m.photometric)
        self.pose_view = chains.pose_view(m.photometric)
        self.augment = chains.pose_augmentation(m.pose_augmentation)
        self.balance = DynamicWeights(epoch_steps, enabled=m.dynamic_weights, name="balance")
        self.step = self.add_weight(
            name="step",
            shape=(),
            dtype="int64",
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
            autocast=False,
        )
        self.built = True

    def call(self, images, training=False):
        """float [N, S, S, 3] in [0, 1] -> dict of 'face_aware', 'face', 'pose'."""
        return self.encoder(images, training=training)

    # Each term is (loss to weigh, alpha index, logs); which batch it sees is train_step's business.

    def _pdd(self, images, draws):
        m = self.method
        return terms.pdd_term(self, images, draws.named("pdd"), self.augment, m.recon_noise_std, m.orthogonality)

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
            m.temperature,
            m.interpolate_negatives,
            m.pose_negatives,
            m.pose_one_norm,
        )

    def _parts(self):
        """Which parts of Eq. 7 are on: (name, images of the global batch, function to weighted loss and logs)."""
        alpha = self.balance.weights_now()

        def pdd(images, draws):
            return self._pdd(images, draws)

        def face(images, draws):
            loss, pose_loss, logs = self._face(images, draws)
            total = alpha[0] * loss
            return (total if pose_loss is None else total + alpha[1] * pose_loss), logs

        def pose(images, draws):
            loss, logs = self._pose(images, draws)
            return alpha[1] * loss, logs

        m = self.method
        parts = [("face", self.batch_size, face)]
        if m.reconstruct:
            parts.insert(0, ("pdd", m.pdd_batch, pdd))
        if m.pose_contrast == "pose":
            parts.append(("pose", m.pose_batch, pose))
        return parts, alpha

    def _apply(self, *parts):
        """One optimiser step on the sum of parts, each ``() -> (loss, logs)``; returns logs, loss and gradient norm.

        Parts share weights and no activations. So each is differentiated by itself and waits for the one before: a
        step needs the memory of its largest part, not of all.
        """
        if self.coupled_decay:
            parts = (*parts, self._decay)
        variables = self.trainable_variables
        sums, done, total, logs = [None] * len(variables), [], 0.0, {}
        for part in parts:
            with tf.control_dependencies(done):
                with tf.GradientTape() as tape:
                    loss, more = part()
                    # Gradients are summed over replicas by the optimiser, so each gives its share of the mean.
                    target = self.optimizer.scale_loss(loss / self.replicas)
                gradients = tape.gradient(target, [v.value for v in variables])
                sums = [s if g is None else g if s is None else s + g for s, g in zip(sums, gradients, strict=True)]
            done = [g for g in sums if g is not None]
            if part != self._decay:
                total, logs = total + loss, {**logs, **more}
        pairs = [(g, v) for g, v in zip(sums, variables, strict=True) if g is not None]
        norm = self._gradient_norm([g for g, _ in pairs])
        self.optimizer.apply([g for g, _ in pairs], [v for _, v in pairs])
        return {**logs, "loss": total, "gradient_norm": norm}

    def _decay(self):
        """The released code's Adam adds decay * w to the gradient of every parameter."""
        squares = tf.add_n([tf.reduce_sum(tf.square(v)) for v in self.trainable_variables])
        return 0.5 * self.coupled_decay * squares, {}

    def _gradient_norm(self, gradients):
        if self.replicas > 1:
            context = tf.distribute.get_replica_context()
            gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        norm = tf.linalg.global_norm([tf.cast(g, tf.float32) for g in gradients])
        scale = getattr(self.optimizer, "dynamic_scale", None)
        return norm if scale is None else norm / tf.cast(tf.convert_to_tensor(scale), tf.float32)

    def train_step(self, images):
        """One step of Eq. 7.

        Args:
          images: uint8 [n, S, S, 3]. Joint: the batch. Alternating: the images of the
            pdd, face and pose part, one after another.

        Returns:
          dict of float32 scalars, the same on every replica.
        """
        images = tf.cast(images, tf.float32) / 255.0
        draws = replica_draws(self.seed, self.step.value)
        update = self._joint if self.method.updates == "joint" else self._alternate
        logs = update(images, draws)
        logs = {k: mean_over_replicas(tf.cast(v, tf.float32)) for k, v in logs.items()}
        zero = tf.zeros(())
        self.balance.update(logs["loss_face"], logs.get("loss_pose", zero))
        self.step.assign(self.step.value + 1)
        logs["learning_rate"] = tf.cast(tf.convert_to_tensor(self.optimizer.learning_rate), tf.float32)
        return logs

    def _joint(self, images, draws):
        """Eq. 7: one update; parts that work on fewer images take the first ones of this replica."""
        parts, alpha = self._parts()
        out = self._apply(*(partial(part, images[: count // self.replicas], draws) for _, count, part in parts))
        return {"alpha_face": alpha[0], "alpha_pose": alpha[1], **out}

    def _alternate(self, images, draws):
        """The released code: one update for each part, on images of its own."""
        parts, alpha = self._parts()
        logs, start = {"alpha_face": alpha[0], "alpha_pose": alpha[1]}, 0
        total = norm = 0.0
        for _, count, part in parts:
            n = count // self.replicas
            mine = images[start : start + n]
            start += n
            out = self._apply(partial(part, mine, draws))
            total, norm = total + out.pop("loss"), norm + out.pop("gradient_norm")
            logs.update(out)
        return {**logs, "loss": total, "gradient_norm": norm}
