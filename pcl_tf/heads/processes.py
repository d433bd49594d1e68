"""Heads rendered by several processes, one a core: numpy's small operations hold Python's lock, so threads do not help.

The processes load neither TensorFlow nor the program that started them: each reads labels from a pipe and writes pixels.
"""

import collections
import contextlib
import itertools
import os
import pathlib
import pickle
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import IO

import numpy as np

from pcl_tf.data.files import in_order
from pcl_tf.heads.people import BLOCK
from pcl_tf.heads.render import render

_Pipes = tuple[IO[bytes], IO[bytes]]
_FEW = 4  # blocks, which are rendered before other processes have started


def pictures(labels: Mapping[str, np.ndarray], size: int) -> np.ndarray:
    """uint8 [N, size, size, 3] of the labels of N heads, block by block."""
    starts = range(0, len(labels["identity"]), BLOCK)
    return np.concatenate(list(rendered(({k: v[i : i + BLOCK] for k, v in labels.items()} for i in starts), size)))


def rendered(blocks: Iterable[Mapping[str, np.ndarray]], size: int) -> Iterator[np.ndarray]:
    """Pictures of ``render`` block by block, in their order.

    Args:
      blocks: labels as ``people.sample_labels`` returns, some tens of faces each.
      size: side in pixels.

    Yields:
      uint8 [N, size, size, 3] for each block.

    Raises:
      ChildProcessError: a process ended, which says why on stderr.
    """
    blocks = iter(blocks)
    some = list(itertools.islice(blocks, _FEW))
    if len(some) < _FEW or (count := os.cpu_count() or 1) == 1:
        yield from (render(labels, size) for labels in itertools.chain(some, blocks))
        return
    with contextlib.ExitStack() as stack:
        idle = collections.deque(_start(stack) for _ in range(count))

        def one(labels: Mapping[str, np.ndarray]) -> np.ndarray:
            (into, out), faces = idle.popleft(), len(labels["identity"])
            pickle.dump((dict(labels), size), into)
            into.flush()
            data = out.read(faces * 3 * size**2)
            if len(data) < faces * 3 * size**2:
                raise ChildProcessError("a process that renders faces has ended")
            idle.append((into, out))
            return np.frombuffer(data, np.uint8).reshape(faces, size, size, 3)

        yield from in_order(one, itertools.chain(some, blocks), count)


def _start(stack: contextlib.ExitStack) -> _Pipes:
    """A process that ends with the stack, in a session of its own: Ctrl-C is for the parent, which ends it."""
    root = str(pathlib.Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    env = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command, pipe = [sys.executable, "-m", "pcl_tf.heads.processes"], subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=env, start_new_session=True)
    stack.enter_context(process)
    stack.callback(process.kill)
    assert process.stdin and process.stdout
    return process.stdin, process.stdout


if __name__ == "__main__":
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            sys.stdout.buffer.write(render(*pickle.load(sys.stdin.buffer)).tobytes())
            sys.stdout.buffer.flush()
