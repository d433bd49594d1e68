"""The base of all views: a keras_cv layer that draws from a given random stream."""

from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf
from keras_cv.layers import BaseImageAugmentationLayer, VectorizedBaseImageAugmentationLayer

from pcl_tf.seeds import Rng

KERAS_CV_BASES = (BaseImageAugmentationLayer, VectorizedBaseImageAugmentationLayer)
GRAY = (0.2989, 0.587, 0.114)  # torchvision's luma


def grayscale(images: tf.Tensor) -> tf.Tensor:
    """Luma of RGB: [N, H, W, 3] -> [N, H, W, 1]."""
    return tf.matmul(images, tf.constant(GRAY, images.dtype)[:, None])


class View(VectorizedBaseImageAugmentationLayer):
    """Base of all views: float32 images [N, H, W, 3] in [0, 1] in and out.

    Call it as ``view(images)`` anywhere (each call draws afresh), or as
    ``view(images, rng)`` with a ``pcl_tf.seeds.Rng`` for a reproducible
    stream. With ``training=False`` images pass unchanged.

    Args:
      p: probability with which an image is transformed, drawn per image.

    Attributes:
      compilable: whether ``call`` is that of this class and XLA knows every operation of ``transform``.
    """

    compilable = True

    def __init__(self, p: float = 1.0, **kwargs: Any) -> None:
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"{type(self).__name__}: p must lie in [0, 1], not {p}.")
        self.p = p
        self._rng: Rng | None = None
        self.built = True  # Keras would warn of views that a compiled chain never calls by themselves

    def call(self, inputs: tf.Tensor, rng: Rng | None = None, training: bool = True) -> tf.Tensor:
        if not training:
            return inputs
        # The stream is known while this call is traced; the base class calls back for parameters.
        self._rng = (rng or Rng.fresh()).named(self.name)
        try:
            return super().call(inputs)
        finally:
            self._rng = None

    def get_random_transformation_batch(self, batch_size: int, **kwargs: Any) -> tuple[tf.Tensor, Any]:
        """(apply: bool [N], parameters: whatever ``transform`` takes)."""
        return self.drawn(batch_size, self._rng or Rng.fresh())

    def drawn(self, batch: int, rng: Rng) -> tuple[tf.Tensor, Any]:
        """What ``augment_images`` takes for ``batch`` images: (apply: bool [N], parameters)."""
        apply = rng.uniform(batch) < self.p
        return apply, self.parameters(batch, rng)

    def augment_images(self, images: tf.Tensor, transformations: tuple[tf.Tensor, Any], **kwargs: Any) -> tf.Tensor:
        """[N, H, W, 3] -> [N, H', W', 3] by what was ``drawn``."""
        apply, parameters = transformations
        images = tf.cast(images, tf.float32)
        changed = self.transform(images, parameters)
        if self.p == 1.0:
            return changed
        return tf.where(apply[:, None, None, None], changed, images)

    def parameters(self, batch: int, rng: Rng) -> Any:
        """Draws per-image parameters for ``batch`` images."""
        return ()

    def transform(self, images: tf.Tensor, parameters: Any) -> tf.Tensor:
        """[N, H, W, 3] -> [N, H', W', 3], every image with its own parameters."""
        raise TypeError(f"{type(self).__name__} must define transform()")


class Chain(View):
    """Views one after another. A chain may hold any image size-changing view first.

    Args:
      views: of the chain.
      compiled: whether XLA compiles what is done to the pixels, where all views are ``compilable``: fewer passes over
        memory. Draws are not compiled, and so are the same numbers. Images must then be a batch.
    """

    compilable = False

    def __init__(self, views: Iterable[View], compiled: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.views = list(views)
        self.compiled = compiled and all(view.compilable for view in self.views)

    def call(self, inputs: tf.Tensor, rng: Rng | None = None, training: bool = True) -> tf.Tensor:
        rng = (rng or Rng.fresh()).named(self.name)
        if not training:
            return self._run(inputs, rng, training=False)
        pair = rng.pair.named("chain").drawn_seed() if rng.pair else None  # named: the pair's other view gets the same
        seeded = self._seeded if tf.executing_eagerly() else self._traced
        return seeded(inputs, rng.drawn_seed(), rng.replica, rng.replicas, pair)

    def _seeded(
        self, images: tf.Tensor, seed: tf.Tensor, replica: tf.Tensor, replicas: int, pair: tf.Tensor | None
    ) -> tf.Tensor:
        paired = None if pair is None else Rng(pair, replica=replica, replicas=replicas)
        return self._run(images, Rng(seed, replica=replica, replicas=replicas, pair=paired))

    @tf.function(autograph=False)  # a step calls a chain up to four times: it is traced once for each shape
    def _traced(self, *args: Any) -> tf.Tensor:
        return self._seeded(*args)

    def _run(self, images: tf.Tensor, rng: Rng, training: bool = True) -> tf.Tensor:
        streams = [rng.named(str(i)) for i in range(len(self.views))]
        if self.compiled and training:
            n, own = tf.shape(images)[0], zip(self.views, streams, strict=True)
            return self._compiled(images, [view.drawn(n, stream.named(view.name)) for view, stream in own])
        for view, stream in zip(self.views, streams, strict=True):
            images = view(images, rng=stream, training=training)
        return images

    @tf.function(autograph=False, jit_compile=True)
    def _compiled(self, images: tf.Tensor, drawn: Sequence[tuple[tf.Tensor, Any]]) -> tf.Tensor:
        for view, each in zip(self.views, drawn, strict=True):
            images = view.augment_images(images, each)
        return images
