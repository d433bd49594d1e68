"""Weak scaling: one process against two that share a step twice as large, a core each, and what they send each other."""

import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

from ml_collections import ConfigDict

ROUNDS = 2
DEADLINE = 900.0  # seconds a run may take; a process whose peer died would wait for ever


def traffic(parameters: int, *, batch: int, dim: int, processes: int) -> dict[str, float]:
    """Bytes that each of n processes sends in a step, by formula.

    Args:
      parameters: trainable float32 weights.
      batch: images of the global batch.
      dim: length of the projections.
      processes: n, in a ring.

    Returns:
      {'gradients', 'embeddings'}: 2 (n-1)/n of all gradients; of the 2 x batch projections (n-1)/n forth and, as a sum
      over processes, 2 (n-1)/n back.
    """
    share = (processes - 1) / processes
    return {"gradients": 2 * share * 4 * parameters, "embeddings": 3 * share * 4 * 2 * batch * dim}


def _doubled(recipe: ConfigDict) -> ConfigDict:
    """The recipe with twice the images, of the batch and of the parts of its method."""
    from pcl_tf.methods.build import method_of

    counts = {"batch_size": recipe.batch_size}
    counts |= {part.images: part.count(recipe) for part in method_of(recipe).parts_on(recipe)}
    both = recipe.copy_and_resolve_references()
    both.update_from_flattened_dict({key: 2 * count for key, count in counts.items()})
    return both


def scaling(recipe: ConfigDict, precision: str, steps: int) -> dict[str, Any]:
    """Measures one process on one core and two on two, in turns.

    Args:
      recipe: resolved recipe; two processes take twice the images of its batch and of every part.
      precision: dtype policy.
      steps: steps that are timed in each run, after two that are not.

    Returns:
      dict: 'seconds_per_step' (medians of one and of two processes), 'efficiencies' (pair by pair) and 'efficiency'
      (median), 'bytes_sent' by each of two processes a step, 'bytes_by_formula' (``traffic``).
    """
    both = _doubled(recipe)
    pairs = [
        (_run(recipe, precision, steps, processes=1), _run(both, precision, steps, processes=2)) for _ in range(ROUNDS)
    ]
    efficiencies = [one["seconds"] / two["seconds"] for one, two in pairs]
    found = pairs[0][1]
    return {
        "seconds_per_step": [statistics.median(p[i]["seconds"] for p in pairs) for i in (0, 1)],
        "efficiencies": efficiencies,
        "efficiency": statistics.median(efficiencies),
        "bytes_sent": statistics.median(two["bytes"] for _, two in pairs) / 2,
        "bytes_by_formula": traffic(found["parameters"], batch=both.batch_size, dim=both.network.head_dim, processes=2),
    }


def _run(recipe: ConfigDict, precision: str, steps: int, *, processes: int) -> dict[str, Any]:
    """{'seconds', 'bytes' on loopback, medians of a step; 'parameters'} of a run in processes of a core each."""
    said: Any
    with tempfile.TemporaryDirectory() as folder:
        task = {"recipe": recipe.to_json_best_effort(), "precision": precision, "steps": steps}
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(processes)]
        workers = [f"127.0.0.1:{s.getsockname()[1]}" for s in sockets]
        for s in sockets:
            s.close()
        cores, running = sorted(os.sched_getaffinity(0)), []
        for i in range(processes):
            place = pathlib.Path(folder) / str(i)
            place.with_suffix(".task").write_text(json.dumps({**task, "core": cores[i % len(cores)]}))
            environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
            environment.pop("TF_CONFIG", None)
            if processes > 1:
                cluster = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": i}}
                environment["TF_CONFIG"] = json.dumps(cluster)
            command = [sys.executable, "-m", "pcl_tf.benchmark.scaling", str(place)]
            with place.with_suffix(".log").open("w") as said:
                running.append(subprocess.Popen(command, env=environment, stdout=said, stderr=said))
        if code := _end_of(running):
            said = "\n".join(p.read_text()[-2000:] for p in pathlib.Path(folder).glob("*.log"))
            raise ValueError(f"a process of {processes} ended with exit code {code}:\n{said}")
        return json.loads((pathlib.Path(folder) / "0.json").read_text())


def _end_of(running: list[subprocess.Popen]) -> int | str:
    """Waits for processes; 0, or the first other exit code, or 'none in time'. None of them is left."""
    until = time.monotonic() + DEADLINE
    try:
        while time.monotonic() < until:
            codes = [process.poll() for process in running]
            if wrong := [c for c in codes if c]:
                return wrong[0]
            if None not in codes:
                return 0
            time.sleep(0.1)
        return f"none in {DEADLINE:.0f} s"
    finally:
        for process in running:
            process.kill()
            process.wait()


def _received() -> int:
    """Bytes that came over loopback so far: what the processes sent each other."""
    for line in pathlib.Path("/proc/net/dev").read_text().splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() == "lo":
            return int(numbers.split()[0])
    return 0


def _work(place: str) -> None:
    """A process of ``_run``."""
    task = json.loads(pathlib.Path(f"{place}.task").read_text())
    os.sched_setaffinity(0, {task["core"]})  # before TensorFlow counts the cores

    import keras
    import numpy as np
    from ml_collections import ConfigDict

    from pcl_tf.data.faces import ArrayFaces
    from pcl_tf.methods.build import build_method
    from pcl_tf.strategy import make_strategy
    from pcl_tf.training.loop import distributed

    recipe = ConfigDict(json.loads(task["recipe"]))
    strategy = make_strategy("multiworker" if "TF_CONFIG" in os.environ else "one")
    with strategy.scope():
        model = build_method(recipe, precision=task["precision"], replicas=strategy.num_replicas_in_sync)
    shape = (recipe.batch_size * 4, recipe.image_size, recipe.image_size, 3)
    faces = ArrayFaces(np.random.RandomState(0).randint(0, 256, shape, np.uint8))
    marks = []

    class Marks(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
            marks.append((time.perf_counter(), _received()))

    steps = task["steps"] + 2
    model.fit(
        distributed(strategy, recipe, faces, first=0, last=steps), steps_per_epoch=steps, callbacks=[Marks()], verbose=0
    )
    seconds, sent = np.median(np.diff(np.array(marks), axis=0)[1:], axis=0)
    parameters = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    result = {"seconds": float(seconds), "bytes": float(sent), "parameters": parameters}
    pathlib.Path(f"{place}.json").write_text(json.dumps(result))


if __name__ == "__main__":
    _work(sys.argv[1])
