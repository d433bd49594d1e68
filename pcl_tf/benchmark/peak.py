"""The operations of a traced step, and how many this machine does at most: together the step's share of peak."""

import math
import statistics
import time
from collections.abc import Iterator

import tensorflow as tf

_IMAGES, _SIDE, _CHANNELS = 16, 32, 256  # of the 3x3 convolution that is the yardstick


def peak(dtype: tf.DType, seconds: float = 1.0) -> float:
    """GFLOP/s of 3x3 convolutions of 256 channels on this machine, the median over some seconds of them.

    Args:
      dtype: of the arithmetic.
      seconds: for which it is measured.
    """
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

    Args:
      function: tf.function's ConcreteFunction, traced with known shapes.

    Returns:
      {name of an operation: operations}.

    Raises:
      ValueError: a shape is not known.
    """
    return dict(_counted(function.graph))


def _counted(graph: tf.Graph, inside: str = "") -> Iterator[tuple[str, int]]:
    for op in _needed(graph):
        name = f"{inside}{op.name}"
        if op.type in _FORMULAS:
            yield name, _FORMULAS[op.type](op)
        elif op.type in ("PartitionedCall", "StatefulPartitionedCall"):
            yield from _counted(graph._get_function(op.get_attr("f").name).graph, f"{name}/")


def _needed(graph: tf.Graph) -> set[tf.Operation]:
    """Operations of a FuncGraph that its outputs and side effects need; TensorFlow prunes the others."""
    todo = [t.op for t in graph.outputs] + list(graph.control_outputs)
    seen = set(todo)
    while todo:
        op = todo.pop()
        for other in [t.op for t in op.inputs] + list(op.control_inputs):
            if other not in seen:
                seen.add(other)
                todo.append(other)
    return seen


def _size(tensor: tf.Tensor) -> int:
    if not tensor.shape.is_fully_defined():
        raise ValueError(f"{tensor.name}: the shape {tensor.shape} is not known, so its operations cannot be counted.")
    return math.prod(tensor.shape.as_list())


def _convolution(op: tf.Operation) -> int:
    # Each output value is a sum over the kernel's window and incoming channels; a gradient repeats these products.
    kernel, out = {
        "Conv2D": lambda: (op.inputs[1], op.outputs[0]),
        "Conv2DBackpropInput": lambda: (op.inputs[1], op.inputs[2]),
        "Conv2DBackpropFilter": lambda: (op.outputs[0], op.inputs[2]),
    }[op.type]()
    return 2 * _size(out) * _size(kernel) // kernel.shape[-1]


def _product(op: tf.Operation) -> int:
    transposed = op.get_attr("transpose_a" if op.type == "MatMul" else "adj_x")
    return 2 * _size(op.outputs[0]) * op.inputs[0].shape[-2 if transposed else -1]


def _einsum(op: tf.Operation) -> int:
    sides, _ = op.get_attr("equation").decode().split("->")
    lengths: dict[str, int] = {}
    for letters, tensor in zip(sides.split(","), op.inputs, strict=True):
        if "." in letters:
            raise ValueError(f"{op.name}: '...' is not counted.")
        lengths.update(zip(letters, tensor.shape.as_list(), strict=True))
    return 2 * math.prod(lengths.values())


_FORMULAS = {
    **dict.fromkeys(("Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter"), _convolution),
    **dict.fromkeys(("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"), _product),
    "Einsum": _einsum,
}
