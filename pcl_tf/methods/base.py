"""What self-supervised methods share: the step, its draws, differentiation part by part, the optimiser."""

from collections import defaultdict
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from ml_collections import ConfigDict

from pcl_tf.losses.gather import mean_over_replicas
from pcl_tf.methods.dynamic_weights import DynamicWeights
from pcl_tf.methods.objective import Objective, Part, Scalars, is_joint
from pcl_tf.seeds import Rng, replica_rng
from pcl_tf.strategy import spans_machines
from pcl_tf.views import chains
from pcl_tf.views.base import Chain
from pcl_tf.views.named import named_views


def frames(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The two frames of pairs, [n, 2, S, S, 3] -> [n, S, S, 3] each; of single images [n, S, S, 3] each twice."""
    first, other = tf.unstack(images, axis=1) if len(images.shape) == 5 else (images, images)
    return first, other


class Method(Objective, keras.Model):
    """A method that pre-trains an encoder.

    Subclasses give ``objective``, ``total`` and functions from images to losses.

    Args:
      recipe: a resolved recipe.
      nets: namespace of keras models ``encoder`` and, where a part needs them, ``face_head``, ``pose_head`` and
        ``decoder`` (else None).
      replicas: number of replicas that share a batch.
      precision: dtype policy.
      compiled_views: whether XLA compiles the views, see ``pcl_tf.views.base.Chain``.

    Attributes:
      decoder: keras.Model or None, for reconstruction sheets.
      balance: ``DynamicWeights``, or None where the objective balances nothing.
    """

    asked_to_stop: Callable[[], bool] | None = None  # whether this machine is to stop; logs['stop'] is of all machines

    def __init__(
        self,
        recipe: ConfigDict,
        nets: SimpleNamespace,
        *,
        replicas: int = 1,
        precision: str = "float32",
        compiled_views: bool = False,
    ) -> None:
        super().__init__(name=type(self).__name__.lower(), dtype=precision)
        self.encoder, self.face_head = nets.encoder, nets.face_head
        self.recipe, self.method, self.replicas = recipe, recipe.method, replicas
        self.compiled_views = compiled_views
        decay = recipe.optimizer
        self.coupled_decay = decay.decay if decay.decay_kind == "coupled" else 0.0  # torch Adam's weight_decay
        self.step = self.state("step", (), dtype="int64")
        self.pose_head, self.decoder = nets.pose_head, nets.decoder
        self.make_views()
        self.balance = None
        if self.balanced:
            balances = self.method.dynamic_weights and {*self.balanced} <= self.losses_on(recipe).keys()
            self.balance = DynamicWeights(
                recipe.epoch_steps, count=len(self.balanced), enabled=balances, name="balance"
            )
        self.built = True

    def face_pair(self, images: tf.Tensor, rng: Rng) -> list[tf.Tensor]:
        """Two views of each face, float32 [n, S, S, 3] each: of one image, or of the two frames of a clip."""
        first, other = frames(images)
        return chains.paired(self.face_views, (first, other if self.method.face_positives == "frames" else first), rng)

    def pictures(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """What the method makes of images, for people to judge; {} where it makes none, or has a ``decoder``.

        Args:
          images: float32 [n, S, S, 3] in [0, 1], or [n, 2, S, S, 3] of a method of pairs.

        Returns:
          {title: images [n, S, S, 3], or flows [n, s, s, 2], which are drawn as colours}.
        """
        return {}

    def make_views(self) -> None:
        """Makes the augmentations that the parts use: ``frame_view`` of a method of pairs, else ``face_views``, two chains."""
        m, size, compiled = self.method, self.recipe.image_size, self.compiled_views
        if "frame_views" in m:
            self.frame_view = Chain(named_views(m.frame_views, size=size), compiled=compiled, name="frame_view")
        else:
            self.face_views = chains.face_views(size, m.face_views, strength=m.photometric, compiled=compiled)

    def state(
        self, name: str, shape: tuple[int, ...], *, dtype: str = "float32", initializer: str = "zeros"
    ) -> keras.Variable:
        """A weight that no gradient reaches: the same on every replica, saved like any other."""
        return self.add_weight(
            name=name,
            shape=shape,
            dtype=dtype,
            initializer=initializer,
            trainable=False,
            aggregation="only_first_replica",
            autocast=False,
        )

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Does nothing, since a method is built. Keras would average a batch over the machines here, and images have no mean."""

    def call(self, images: tf.Tensor, training: bool = False) -> dict[str, tf.Tensor]:
        """float [N, S, S, 3] in [0, 1] -> dict of 'face_aware', 'face', 'pose'."""
        return self.encoder(images, training=training)

    def encoded_apart(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Features of images of another kind than the backbone is served with, which leave its moving statistics alone.

        A backbone with BatchNorm is served with statistics of one kind of images. Those of noisy, clean and
        pose-augmented ones in turn fit none of them (measured in BUILD_NOTES.md).

        Args:
          images: float32 [N, S, S, 3].

        Returns:
          dict of [N, D] as the encoder's; batch statistics normalise, as in any training.
        """
        with keras.StatelessScope():  # forgets what is assigned in it
            return self.encoder(images, training=True)

    def train_step(self, images: tf.Tensor) -> Scalars:
        """One step.

        Args:
          images: uint8 [n, S, S, 3], or [n, 2, S, S, 3] of pairs, this replica's.

        Returns:
          dict of float32 scalars, the same on every replica.
        """
        # A dataset spread over machines has no static size.
        mine = sum(self.images_together(self.recipe)) // self.replicas
        images = tf.ensure_shape(images, [mine, *images.shape[1:]])
        images = tf.cast(images, tf.float32) / 255.0
        parts = self.parts(images, replica_rng(self.recipe.seed, self.step.value))
        logs = {f"alpha_{name}": alpha for name, alpha in self.alphas().items()}
        loss = norm = tf.zeros(())
        for update in [parts] if is_joint(self.recipe) else [[part] for part in parts]:
            found = self.apply_parts(*update)
            loss, norm = loss + found.pop("loss"), norm + found.pop("gradient_norm")
            logs |= found
        self.after(logs)
        logs |= {"loss": loss, "gradient_norm": norm}
        logs = {k: mean_over_replicas(tf.cast(v, tf.float32)) for k, v in logs.items()}
        if self.balance is not None:
            self.balance.update(*(logs.get(f"loss_{name}", tf.zeros(())) for name in self.balanced))
        self.step.assign(self.step.value + 1)
        logs["learning_rate"] = tf.cast(tf.convert_to_tensor(self.optimizer.learning_rate), tf.float32)
        if spans_machines():
            if self.asked_to_stop:
                asked = tf.numpy_function(lambda: np.float32(self.asked_to_stop()), [], tf.float32)
                logs["stop"] = mean_over_replicas(tf.ensure_shape(asked, []))
            logs = {k: v[None] for k, v in logs.items()}  # Keras averages over machines along an axis
        return logs

    def parts(self, images: tf.Tensor, rng: Rng) -> list[Callable[[], tuple[tf.Tensor, Scalars]]]:
        """The parts that are on, each with its images: [() -> (weighted loss, logs)].

        Args:
          images: float32 [n, S, S, 3] in [0, 1], this replica's. Joint: parts that work on fewer images than the batch
            take some of it, evenly spaced. Alternating: those of one part after those of another.
          rng: ``Rng`` of the step.
        """
        start, here = 0, images.shape[0]
        bound: list[Callable[[], tuple[tf.Tensor, Scalars]]] = []
        for part in self.parts_on(self.recipe):
            n = part.count(self.recipe) // self.replicas
            if n == here:
                mine = images
            elif is_joint(self.recipe):  # all replicas together take the images that one would
                mine = tf.gather(images, [i * here // n for i in range(n)])
            else:
                mine = images[start : start + n]
            start += n
            bound.append(partial(self.weighted, part, mine, rng))
        return bound

    def weighted(self, part: Part, images: tf.Tensor, rng: Rng) -> tuple[tf.Tensor, Scalars]:
        """(a part's share of ``total``, its logs: the unweighted losses and others)."""
        losses, logs = part.run(self, images, rng)
        share = self.total(defaultdict(float, losses), self.alphas())
        return share, {**{f"loss_{name}": loss for name, loss in losses.items()}, **logs}

    def alphas(self) -> Scalars:
        """{loss: the weight that Dynamic Weight Average gives it now}."""
        now = [] if self.balance is None else tf.unstack(self.balance.weights_now())
        return dict(zip(self.balanced, now, strict=True))

    def after(self, logs: Scalars) -> None:
        """Called after the updates of a step with the logs of this replica; may take out of them."""

    def apply_parts(self, *parts: Callable[[], tuple[tf.Tensor, Scalars]]) -> Scalars:
        """One optimiser step on the sum of parts, each ``() -> (loss, logs)``; returns logs, loss and gradient norm.

        Parts share weights and no activations. So each is differentiated by itself and waits for the one before: a
        step needs the memory of its largest part, not of all.
        """
        if self.coupled_decay:
            parts = (*parts, self._decay)
        variables = self.trainable_variables
        sums, total = [None] * len(variables), 0.0
        done: list[tf.Tensor] = []
        logs: Scalars = {}
        for part in parts:
            with tf.control_dependencies(done):
                with tf.GradientTape() as tape:
                    loss, more = part()
                    # Gradients are summed over replicas, so each gives its share of the mean.
                    target = self.optimizer.scale_loss(loss / self.replicas)
                gradients = tape.gradient(target, [v.value for v in variables])
                sums = [s if g is None else g if s is None else s + g for s, g in zip(sums, gradients, strict=True)]
            done = [g for g in sums if g is not None]
            if part != self._decay:
                total, logs = total + loss, {**logs, **more}
        pairs = [(g, v) for g, v in zip(sums, variables, strict=True) if g is not None]
        gradients = [g for g, _ in pairs]
        if self.replicas > 1:  # once: logged norm, clipping, loss scale and update all see the same gradients
            gradients = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        norm = tf.linalg.global_norm([tf.cast(g, tf.float32) for g in gradients])
        if (scale := getattr(self.optimizer, "dynamic_scale", None)) is not None:
            norm /= tf.cast(tf.convert_to_tensor(scale), tf.float32)
        self.optimizer.apply(gradients, [v for _, v in pairs])
        return {**logs, "loss": total, "gradient_norm": norm}

    def _decay(self) -> tuple[tf.Tensor, Scalars]:
        """The released code's Adam adds decay * w to the gradient of every parameter."""
        squares = tf.add_n([tf.reduce_sum(tf.square(v)) for v in self.trainable_variables])
        return 0.5 * self.coupled_decay * squares, {}
