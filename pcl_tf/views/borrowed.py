"""Augmentation layers of keras and keras_cv as views: each image by itself, every draw a function of our stream."""

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import keras_cv
import tensorflow as tf

from pcl_tf.errors import Refused
from pcl_tf.seeds import Rng
from pcl_tf.views.base import KERAS_CV_BASES, View

# Of several images one, or of one several: not views of an image. Augmenters and pipelines take layers.
_NOT_VIEWS = ("MixUp", "CutMix", "FourierMix", "Mosaic", "RepeatedAugmentation", "RandomAugmentationPipeline")
_KERAS_BASE = keras.layers.RandomFlip.__base__  # keras exports no name for the base of its image layers


def _layers(library: Any, bases: tuple[type, ...]) -> dict[str, type]:
    found = {name: getattr(library, name) for name in dir(library)}
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, type) and issubclass(value, bases) and value not in bases and name not in _NOT_VIEWS
    }


@functools.cache
def _keras() -> dict[str, type]:
    return _layers(keras.layers, (_KERAS_BASE,))


@functools.cache
def _keras_cv() -> dict[str, type]:
    return _layers(keras_cv.layers, KERAS_CV_BASES)


# Library -> function to {class name: class}: what a recipe may name as keras.NAME(..) and keras_cv.NAME(..).
LIBRARIES: dict[str, Callable[[], dict[str, type]]] = {"keras": _keras, "keras_cv": _keras_cv}


class _Generator:
    """What layers use of tf.random.Generator, from a stream."""

    def __init__(self, rng: Rng) -> None:
        self._rng = rng

    def uniform(
        self, shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = tf.float32, **ignored: Any
    ) -> tf.Tensor:
        """See tf.random.uniform."""
        maxval = 1 if maxval is None and tf.as_dtype(dtype).is_floating else maxval
        return tf.random.stateless_uniform(shape, self._rng.next_seed(), minval, maxval, dtype)

    def normal(
        self, shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = tf.float32, **ignored: Any
    ) -> tf.Tensor:
        """See tf.random.normal."""
        return tf.random.stateless_normal(shape, self._rng.next_seed(), mean, stddev, dtype)

    def gamma(self, shape: Any, alpha: Any, beta: Any = None, dtype: Any = tf.float32, **ignored: Any) -> tf.Tensor:
        """See tf.random.gamma."""
        shape = tf.concat([shape, tf.shape(alpha)], axis=0)
        return tf.random.stateless_gamma(shape, self._rng.next_seed(), alpha, beta, dtype)

    def shuffle(self, value: Any, **ignored: Any) -> tf.Tensor:
        """See tf.random.shuffle."""
        return tf.random.experimental.stateless_shuffle(value, self._rng.next_seed())


@contextlib.contextmanager
def _drawing_from(layer: keras.layers.Layer, rng: Rng) -> Iterator[None]:
    """While a layer is called, what it draws comes from a stream.

    Layers draw in three ways: from a generator of their own, by keras.random with a SeedGenerator, and by tf.random's
    functions, which keep no state that a checkpoint could hold. All three are replaced for the length of a call.
    """
    stream = _Generator(rng)
    own = [x for x in layer._flatten_layers() if hasattr(x, "_random_generator")]
    functions = {
        "uniform": stream.uniform,
        "normal": stream.normal,
        "gamma": stream.gamma,
        "shuffle": stream.shuffle,
    }
    before = [(x, "_random_generator", x._random_generator) for x in own]
    before += [(tf.random, name, getattr(tf.random, name)) for name in functions]
    seeds = keras.random.SeedGenerator
    before.append((seeds, "next", seeds.next))
    try:
        for x in own:
            x._random_generator = stream
        for name, function in functions.items():
            setattr(tf.random, name, function)
        seeds.next = lambda self, ordered=True: tf.bitcast(rng.next_seed(), tf.uint32)
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
      Refused: no such layer.
      TypeError, ValueError: the layer's own words about its arguments.
    """

    compilable = False  # nobody knows what the layer does

    def __init__(
        self, name: str, args: Sequence[Any] = (), given: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        library, _, layer = name.rpartition(".")
        if library not in LIBRARIES or layer not in LIBRARIES[library]():
            raise Refused(f"{name}: no augmentation layer of keras or keras_cv")
        made, given = LIBRARIES[library]()[layer], dict(given or {})
        takes = inspect.signature(made).parameters
        p = given.pop("p", 1.0) if "p" not in takes else 1.0
        kwargs.setdefault("name", layer.lower())
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

    def get_config(self) -> dict[str, Any]:
        name, args, given = self.what
        return {**super().get_config(), "name": self.name, "layer": name, "args": args, "given": given}
