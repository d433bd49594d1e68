"""Augmentation layers of keras and keras_cv as views: each image by itself, every draw a function of our stream."""

import contextlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import keras_cv
import tensorflow as tf

from pcl_tf.seeds import Rng
from pcl_tf.views.base import KERAS_CV_BASES, View

_LIBRARIES = {"keras": keras.layers, "keras_cv": keras_cv.layers}
_BASES = (keras.layers.RandomFlip.__base__, *KERAS_CV_BASES)  # keras exports no name for the base of its image layers
# Of several images one, or of one several: not views of an image. Augmenters and pipelines take layers.
_NOT_VIEWS = ("MixUp", "CutMix", "FourierMix", "Mosaic", "RepeatedAugmentation", "RandomAugmentationPipeline")


def layer_class(name: str) -> type:
    """'keras_cv.RandomCutout' -> the class of that augmentation layer; raises LookupError where there is none."""
    library, _, layer = name.rpartition(".")
    found = getattr(_LIBRARIES[library], layer, None)
    if not inspect.isclass(found) or not issubclass(found, _BASES) or found in _BASES or layer in _NOT_VIEWS:
        raise LookupError(name)
    return found


class _Generator:
    """tf.random.Generator as far as layers use it, and tf.random's functions of the same names, from a stream."""

    def __init__(self, rng: Rng) -> None:
        self._rng = rng

    def uniform(self, shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = tf.float32, **_: Any) -> tf.Tensor:
        maxval = 1 if maxval is None and tf.as_dtype(dtype).is_floating else maxval
        return tf.random.stateless_uniform(shape, self._rng.next_seed(), minval, maxval, dtype)

    def normal(self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = tf.float32, **_: Any) -> tf.Tensor:
        return tf.random.stateless_normal(shape, self._rng.next_seed(), mean, stddev, dtype)

    def gamma(self, shape: Any, alpha: Any, beta: Any = None, dtype: Any = tf.float32, **_: Any) -> tf.Tensor:
        shape = tf.concat([shape, tf.shape(alpha)], axis=0)
        return tf.random.stateless_gamma(shape, self._rng.next_seed(), alpha, beta, dtype)

    def shuffle(self, value: Any, **_: Any) -> tf.Tensor:
        return tf.random.experimental.stateless_shuffle(value, self._rng.next_seed())


@contextlib.contextmanager
def _drawing_from(layer: keras.layers.Layer, rng: Rng) -> Iterator[None]:
    """While a layer is called, what it draws comes from a stream.

    Layers draw in three ways: from a generator of their own, by keras.random with a SeedGenerator, and by tf.random's
    functions, which keep no state that a checkpoint could hold. All three are replaced for the length of a call.
    """
    stream, seeds = _Generator(rng), keras.random.SeedGenerator
    replaced: list[tuple[Any, str, Any]] = [
        (x, "_random_generator", stream) for x in layer._flatten_layers() if hasattr(x, "_random_generator")
    ]
    replaced += [(tf.random, name, getattr(stream, name)) for name in ("uniform", "normal", "gamma", "shuffle")]
    replaced.append((seeds, "next", lambda self, ordered=True: tf.bitcast(rng.next_seed(), tf.uint32)))
    before = [(holder, name, getattr(holder, name)) for holder, name, _ in replaced]
    try:
        for holder, name, value in replaced:
            setattr(holder, name, value)
        yield
    finally:
        for holder, name, value in before:
            setattr(holder, name, value)


class Borrowed(View):
    """A layer of keras or keras_cv, image by image, on streams that do not depend on batch or replica.

    Slower than the views of this package, which take a whole batch at a time. Where the layer has a ``value_range`` that
    is not given, it is (0, 1); what leaves [0, 1] is cut off.

    Args:
      name: 'keras.RandomZoom', 'keras_cv.RandomCutout'.
      args, given: the layer's arguments, positional and by keyword; ``p``, where the layer has no such argument, is the
        probability with which an image is changed.

    Raises:
      LookupError: no such layer.
      TypeError, ValueError: the layer's own words about its arguments.
    """

    compilable = False  # nobody knows what the layer does

    def __init__(
        self, name: str, args: Sequence[Any] = (), given: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        made, given = layer_class(name), dict(given or {})
        takes = inspect.signature(made).parameters
        p = given.pop("p", 1.0) if "p" not in takes else 1.0
        kwargs.setdefault("name", made.__name__.lower())
        super().__init__(p=p, **kwargs)
        if "value_range" in takes:
            given.setdefault("value_range", (0.0, 1.0))
        self.what = name, tuple(args), given
        self.layer = made(*args, dtype="float32", **given)

    def parameters(self, batch: int, rng: Rng) -> tf.Tensor:
        """int32 [N, 2], a seed for each image."""
        return rng.seeds(batch)

    def transform(self, images: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
        """[N, S, S, 3], seeds [N, 2] -> [N, S, S, 3] in [0, 1]."""

        def one(both: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
            image, seed = both
            with _drawing_from(self.layer, Rng(seed)):
                out = self.layer(image[None], training=True)
            return tf.clip_by_value(tf.cast(out[0], tf.float32), 0.0, 1.0)

        # As a graph even where the rest is eager, so that the loop's body is made once.
        mapped = tf.function(lambda x, s: tf.map_fn(one, (x, s), fn_output_signature=tf.float32), autograph=False)
        return tf.ensure_shape(mapped(images, parameters), [None, *images.shape[1:]])
