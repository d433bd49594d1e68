"""What this machine can do at most: convolutions and matrix products, the yardstick of every share of peak."""

import statistics
import time
from collections.abc import Callable, Iterable

import tensorflow as tf

_CONV = (16, 32, 256)  # images, side, channels of a 3x3 convolution
_MATRIX = 2048


def _convolution(dtype: tf.DType) -> tuple[Callable[[], tf.Tensor], int]:
    n, side, channels = _CONV
    x = tf.cast(tf.random.stateless_normal([n, side, side, channels], [1, 2]), dtype)
    k = tf.cast(tf.random.stateless_normal([3, 3, channels, channels], [3, 4]), dtype)
    return lambda: tf.nn.conv2d(x, k, 1, "SAME")[0, 0, 0, 0], 2 * 9 * channels**2 * n * side**2


def _product(dtype: tf.DType) -> tuple[Callable[[], tf.Tensor], int]:
    a = tf.cast(tf.random.stateless_normal([_MATRIX, _MATRIX], [1, 2]), dtype)
    return lambda: tf.matmul(a, a)[0, 0], 2 * _MATRIX**3


def peaks(seconds: float = 1.0, dtypes: Iterable[tf.DType] = (tf.float32, tf.bfloat16)) -> dict[str, dict[str, float]]:
    """Measures this machine's peaks, all parts in turns.

    Args:
      seconds: for each part.
      dtypes: of the arithmetic.

    Returns:
      {'convolution', 'matrix_product': {name of a dtype: GFLOP/s, median}}.
    """
    parts: dict[tuple[str, str], tuple[Callable[[], tf.Tensor], int]] = {}
    times: dict[tuple[str, str], list[float]] = {}
    for name, make in (("convolution", _convolution), ("matrix_product", _product)):
        for dtype in dtypes:
            run, flop = make(dtype)
            parts[name, dtype.name] = tf.function(run), flop
            times[name, dtype.name] = []
    for run, _ in parts.values():
        run().numpy()
    while sum(map(sum, times.values())) < seconds * len(parts):
        for key, (run, _) in parts.items():
            began = time.perf_counter()
            run().numpy()
            times[key].append(time.perf_counter() - began)
    result: dict[str, dict[str, float]] = {}
    for (name, dtype), found in times.items():
        result.setdefault(name, {})[dtype] = parts[name, dtype][1] / statistics.median(found) / 1e9
    return result
