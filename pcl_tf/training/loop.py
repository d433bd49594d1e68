"""A whole run: data, model, resume, fit, export, result."""

import dataclasses
import functools
import json
import platform
import sys
import time
from typing import Any

import keras
import tensorflow as tf
from ml_collections import ConfigDict

from pcl_tf.cluster import Cluster
from pcl_tf.data.clips import ClipFaces
from pcl_tf.data.faces import Faces, open_faces
from pcl_tf.data.pipeline import batches
from pcl_tf.errors import Refused, Stopped
from pcl_tf.evaluation.online import labelled
from pcl_tf.methods.base import Method
from pcl_tf.methods.build import build_method, method_of, parts_per_step
from pcl_tf.seeds import seed_everything
from pcl_tf.serving.card import write_card
from pcl_tf.serving.export import check_version
from pcl_tf.store import read_json, write_atomically
from pcl_tf.strategy import all_reduce_max, barrier
from pcl_tf.training import board
from pcl_tf.training import callbacks as cb
from pcl_tf.training.checkpoints import Checkpoints, newest_step
from pcl_tf.training.export import export_run
from pcl_tf.training.workdir import Workdir


@dataclasses.dataclass(frozen=True)
class Computing:
    """How a run is computed: none of it changes what is computed, but for rounding and compiled draws."""

    strategy: tf.distribute.Strategy
    precision: str = "float32"  # dtype policy name
    deterministic: bool = False  # whether operations repeat bit for bit, at some cost in speed
    cluster: Cluster = Cluster()  # the machines of the strategy; the first writes, all read the same workdir
    xla: str = "none"  # what of the step is compiled, of ``methods.build.XLA``


def run(recipe: ConfigDict, workdir: Workdir, computing: Computing) -> dict[str, Any] | None:
    """Trains from the newest checkpoint of the workdir to the recipe's last step, then exports.

    Returns:
      the content of ``result.json``; None on a machine that does not write.

    Raises:
      NotFinite, Refused.
      Stopped: by a signal, after the state was saved. Args: number of the signal, step.
    """
    strategy, writes = computing.strategy, computing.cluster.writer
    if writes:
        check_version(workdir / "export" / str(recipe.total_steps))
        begun = any((workdir / "checkpoints").glob("ckpt-*"))
        if begun and not (workdir / "recipe.json").exists() and newest_step(workdir.path) is None:
            # A run writes its recipe first, convert last.
            raise Refused(
                f"--workdir={workdir.path}: pcl_tf.convert was stopped there before its weights were whole; run it again."
            )
    seed_everything(recipe.seed, computing.deterministic)
    # Opened before faces are decoded and the workdir is claimed.
    probed = labelled(recipe.watch.labelled, recipe.image_size) if writes and recipe.watch.labelled else None
    faces = _shared_faces(recipe, workdir, computing)
    with strategy.scope():
        replicas = strategy.num_replicas_in_sync
        # Begun anew where the run resumes too: what was there before training is measured again before it is restored.
        model = build_method(recipe, precision=computing.precision, replicas=replicas, xla=computing.xla, begin=True)
    checkpoints = Checkpoints(model, workdir / "checkpoints", recipe.checkpoint.keep)
    record = board.Record(model, workdir, faces, probed) if writes else None
    first = _restored(checkpoints, workdir, faces, computing)
    stop = cb.StopOnSignal()
    model.asked_to_stop = lambda: stop.received is not None
    # Checked before saved: a state that produced NaN never replaces a good one.
    callbacks = [stop, cb.StopOnNotFinite(), *(record.callbacks(checkpoints, first) if record else ())]
    began = time.perf_counter()
    _fit(model, faces, computing, first=first, callbacks=callbacks)
    seconds, step = time.perf_counter() - began, int(model.step.numpy())
    if record:
        record.metrics.write()
        checkpoints.save(step)
    if stop.received:
        barrier(strategy)  # saved: now all may go
        raise Stopped(stop.received, step)
    result = _conclude(record, computing, steps=step - first, seconds=seconds) if record else None
    barrier(strategy)
    return result


def _shared_faces(recipe: ConfigDict, workdir: Workdir, computing: Computing) -> Faces:
    """The faces; over several machines the writer decodes them and the others wait for its cache."""
    if not computing.cluster.writer:
        barrier(computing.strategy)
    cache, pairs = recipe.data.cache or workdir / "cache", method_of(recipe).pairs(recipe)
    faces = open_faces(recipe.data, recipe.image_size, cache, pairs)
    if computing.cluster.writer:
        barrier(computing.strategy)
    if all_reduce_max(computing.strategy, len(faces)) != len(faces):
        raise Refused(f"--data={recipe.data.source}: the machines do not see the same number of faces.")
    return faces


def _restored(checkpoints: Checkpoints, workdir: Workdir, faces: Faces, computing: Computing) -> int:
    """Restores the newest checkpoint and claims the workdir; returns the step at which the run begins or resumes."""
    step = checkpoints.restore()
    seen = -1 if step is None else step
    if all_reduce_max(computing.strategy, seen) != seen:
        raise Refused(
            f"--workdir={workdir.path}: the machines do not see the same checkpoints; it must be on a file system all share."
        )
    workdir.claim()
    begins = "training" if step is None else f"resuming at step {step}"
    what, batch = "clips" if isinstance(faces, ClipFaces) else "faces", sum(parts_per_step(workdir.recipe))
    few = f", fewer than the {batch} of a step: each is in it more than once" if len(faces) < batch else ""
    print(f"{begins} on {len(faces)} {what} of {workdir.recipe.data.source}{few}", flush=True)  # corpora move and grow
    return step or 0


def _conclude(record: board.Record, computing: Computing, *, steps: int, seconds: float) -> dict[str, Any]:
    """Exports and writes ``result.json``, which it returns; steps, seconds: of this command's training."""
    recipe, workdir = record.recipe, record.workdir
    step, path = int(record.model.step.numpy()), workdir / "result.json"
    print(f"exporting step {step}", flush=True)
    export = export_run(recipe, workdir, record.model.encoder, step=step)
    record.draw(step)
    # Where nothing was left to train, what an earlier command measured stays.
    earlier = {} if steps else read_json(path)
    result = {
        "step": step,
        "faces": int(len(record.trained_on)),
        "precision": computing.precision,
        "xla": computing.xla,
        "replicas": computing.strategy.num_replicas_in_sync,
        "tensorflow": tf.__version__,
        "python": platform.python_version(),
        "seconds_per_step": seconds / steps if steps else earlier.get("seconds_per_step"),
        "last": record.scalars.latest() if steps else earlier.get("last", {}),
        "export": str(export.relative_to(workdir.path)),
    }
    if rows := record.compare(step):
        result["generated_faces"] = rows
    write_atomically(path, json.dumps(result, indent=1, sort_keys=True) + "\n")
    write_card(export, workdir.path)  # once more, with the result
    return result


def _fit(
    model: Method, faces: Faces, computing: Computing, *, first: int, callbacks: list[keras.callbacks.Callback]
) -> None:
    """model.fit in recipe epochs; the first is cut short where a run resumes inside one."""
    recipe, step = model.recipe, first
    length = recipe.epoch_steps
    while step < recipe.total_steps and not model.stop_training:
        steps = min(length - step % length, recipe.total_steps - step)
        epoch = step // length
        # Whole epochs go to fit in one call; a partial one by itself.
        epochs = (recipe.total_steps - step) // length if steps == length else 1
        model.fit(
            distributed(computing.strategy, recipe, faces, first=step, last=step + steps * epochs),
            initial_epoch=epoch,
            epochs=epoch + epochs,
            steps_per_epoch=steps,
            callbacks=callbacks,
            shuffle=False,
            # A bar for people, a line an epoch for files, nothing from machines that only help.
            verbose=0 if not computing.cluster.writer else 1 if sys.stdout.isatty() else 2,
        )
        step = int(model.step.numpy())


def distributed(
    strategy: tf.distribute.Strategy, recipe: ConfigDict, faces: Faces, *, first: int, last: int
) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """Batches of steps first .. last - 1; every machine reads its part, every replica gets its own."""
    read = functools.partial(
        batches, faces, parts_per_step(recipe), seed=recipe.seed, first_step=first, total_steps=last
    )
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return read()

    def of_machine(context: tf.distribute.InputContext) -> tf.data.Dataset:
        here = replicas // context.num_input_pipelines
        mine = range(context.input_pipeline_id * here, (context.input_pipeline_id + 1) * here)
        data = read(replicas=replicas, mine=mine)
        return data.map(lambda x: tf.reshape(x, [here, -1, *x.shape[1:]])).unbatch() if here > 1 else data

    return strategy.distribute_datasets_from_function(of_machine)
