"""What a step is measured by: operations it asks for, the most this machine does, where its time goes, memory."""

import math
import pathlib
import re
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import tensorflow as tf

_IMAGES, _SIDE, _CHANNELS = 16, 32, 256  # of the 3x3 convolution that is the yardstick
# First part of an operation's name, without its number -> phase. Losses are what no layer, view or optimiser does.
_PHASES = (
    ("encode", re.compile(r"encoder|key_encoder")),
    ("decode", re.compile(r"decoder|\w*flow|generator|vgg")),
    ("heads", re.compile(r"\w*(head|code)")),
    ("views", re.compile(r"\w*view|pose_augmentation|stateless_random_normal|compiled")),
    ("optimiser", re.compile(r"adam|adamw|global_norm|AddN")),
)
PHASES = (*(name for name, _ in _PHASES), "losses")
# What XLA has compiled runs without the names of its operations. In a step that is not compiled as a whole it is views.
_COMPILED = re.compile(r"\w+Executable::ExecuteAsyncOnStream")


def peak_memory() -> float:
    """Largest resident set of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024.0)


def spread(values: Sequence[float]) -> float:
    """Largest minus smallest of a list of numbers, over their median."""
    return (max(values) - min(values)) / statistics.median(values)


def peak(dtype: tf.DType, seconds: float = 1.0) -> float:
    """GFLOP/s of 3x3 convolutions of 256 channels on this machine, the median over some seconds of them."""
    x = tf.cast(tf.random.stateless_normal([_IMAGES, _SIDE, _SIDE, _CHANNELS], [1, 2]), dtype)
    kernel = tf.cast(tf.random.stateless_normal([3, 3, _CHANNELS, _CHANNELS], [3, 4]), dtype)
    run = tf.function(lambda: tf.nn.conv2d(x, kernel, 1, "SAME")[0, 0, 0, 0])
    run().numpy()  # traces
    times: list[float] = []
    while sum(times) < seconds:
        began = time.perf_counter()
        run().numpy()
        times.append(time.perf_counter() - began)
    return 2 * 9 * _CHANNELS**2 * _IMAGES * _SIDE**2 / statistics.median(times) / 1e9


def flops(function: "tf.types.experimental.ConcreteFunction") -> dict[str, int]:
    """Counts the operations of a concrete function by the formula of every convolution and matrix product that runs.

    Sums and products of single values are not counted, as customary, nor what happens in loops and branches: no
    convolution or product of a training step stands in one.

    Returns:
      {name of an operation: operations}, of a function traced with known shapes.
    """
    return dict(_counted(function.graph))


def _counted(graph: tf.Graph, inside: str = "") -> Iterator[tuple[str, int]]:
    todo, seen = [t.op for t in graph.outputs] + list(graph.control_outputs), set()
    while todo:  # what outputs and side effects need; TensorFlow prunes the rest
        op = todo.pop()
        if op in seen:
            continue
        seen.add(op)
        todo += [t.op for t in op.inputs] + list(op.control_inputs)
        name = f"{inside}{op.name}"
        if op.type in _FORMULAS:
            yield name, _FORMULAS[op.type](op)
        elif op.type in ("PartitionedCall", "StatefulPartitionedCall"):
            yield from _counted(graph._get_function(op.get_attr("f").name).graph, f"{name}/")


def _convolution(op: tf.Operation) -> int:
    # Each output value is a sum over the kernel's window and incoming channels; a gradient repeats these products.
    tensors = [*op.inputs, *op.outputs]
    kernel, out = tensors[3 if op.type == "Conv2DBackpropFilter" else 1], tensors[2]
    return 2 * out.shape.num_elements() * kernel.shape.num_elements() // kernel.shape[-1]


def _product(op: tf.Operation) -> int:
    transposed = op.get_attr("transpose_a" if op.type == "MatMul" else "adj_x")
    return 2 * op.outputs[0].shape.num_elements() * op.inputs[0].shape[-2 if transposed else -1]


def _einsum(op: tf.Operation) -> int:
    sides, _ = op.get_attr("equation").decode().split("->")
    lengths: dict[str, int] = {}
    for letters, tensor in zip(sides.split(","), op.inputs, strict=True):
        lengths.update(zip(letters, tensor.shape.as_list(), strict=True))
    return 2 * math.prod(lengths.values())


_FORMULAS = {
    **dict.fromkeys(("Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter"), _convolution),
    **dict.fromkeys(("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"), _product),
    "Einsum": _einsum,
}


def phase(name: str) -> str:
    """Phase of an operation: 'gradient_tape/encoder_3/backbone/..' -> 'encode'."""
    first = name.removeprefix("gradient_tape/").split("/")[0]
    return next((p for p, pattern in _PHASES if pattern.fullmatch(re.sub(r"(_\d+)+$", "", first))), "losses")


def profile(run: Callable[[], object], folder: str | pathlib.Path | None = None) -> dict[tuple[str, str], float]:
    """Profiles a call that waits for its result; folder: of the profile, for TensorBoard.

    Returns:
      {(name, type): seconds} of every operation, summed over its calls; ('compiled', 'XlaRun') is all that XLA compiled.
      Operations that run side by side share the cores, so together they may take longer than the call.

    Raises:
      ImportError: this TensorFlow hides its profile's format.
    """
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as gone:
        with tf.profiler.experimental.Profile(str(folder or gone)):
            run()
        path = max(pathlib.Path(folder or gone).rglob("*.xplane.pb"), key=lambda p: p.stat().st_mtime_ns)
        space = xplane_pb2.XSpace.FromString(path.read_bytes())
    seconds: dict[tuple[str, str], float] = {}
    for plane in space.planes:
        if plane.name != "/host:CPU" and not plane.name.startswith("/device:GPU"):
            continue
        for line in plane.lines:
            for event in line.events:
                name, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
                if _COMPILED.fullmatch(f"{name}:{kind}"):
                    name, kind = "compiled", "XlaRun"
                if re.fullmatch(r"\w+", kind) and name and ":" not in name:
                    seconds[name, kind] = seconds.get((name, kind), 0.0) + event.duration_ps / 1e12
    return seconds


def by_phase(values: Iterable[tuple[str, float]]) -> dict[str, float]:
    """{phase: sum of the values of its operations}."""
    total = dict.fromkeys(PHASES, 0.0)
    for name, value in values:
        total[phase(name)] += value
    return total
