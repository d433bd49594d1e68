"""A whole run: data, model, resume, fit, export, result."""

import functools
import json
import pathlib
import platform
import sys
import time
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from ml_collections import ConfigDict

from pcl_tf.cluster import Cluster
from pcl_tf.data.clips import ClipFaces
from pcl_tf.data.faces import ArrayFaces, open_faces
from pcl_tf.data.pipeline import batches
from pcl_tf.errors import Refused
from pcl_tf.evaluation import generated
from pcl_tf.evaluation.online import labelled
from pcl_tf.methods.base import Method
from pcl_tf.methods.build import build_method, images_per_step, parts_per_step
from pcl_tf.seeds import seed_everything
from pcl_tf.serving.card import write_card
from pcl_tf.serving.export import check_places
from pcl_tf.store import read_json, write_atomically
from pcl_tf.strategy import all_reduce_max, barrier
from pcl_tf.training import board
from pcl_tf.training import callbacks as cb
from pcl_tf.training.checkpoints import Checkpoints, newest_step
from pcl_tf.training.eta import Eta
from pcl_tf.training.export import export_run
from pcl_tf.training.purge import purge_from
from pcl_tf.training.watch import Watcher, embedder
from pcl_tf.training.workdir import Workdir

ALONE = Cluster()


class Interrupted(Exception):
    """A signal ended the run after its state was saved. Args: number of the signal, step."""


def run(
    recipe: ConfigDict,
    workdir: Workdir,
    *,
    strategy: tf.distribute.Strategy,
    precision: str,
    deterministic: bool = False,
    cluster: Cluster = ALONE,
    xla: str = "none",
) -> dict[str, Any] | None:
    """Trains from where the workdir stands to the recipe's last step, then exports.

    Args:
      recipe: resolved recipe.
      workdir: opened ``Workdir``.
      strategy: tf.distribute.Strategy.
      precision: dtype policy name.
      deterministic: whether operations repeat bit for bit, at some cost in speed.
      cluster: ``Cluster`` of the strategy; one of its machines writes, all read the same workdir.
      xla: what of the step is compiled, of ``methods.build.XLA``.

    Returns:
      dict, what ``result.json`` says; None on a machine that does not write.

    Raises:
      NotFinite, Refused, Interrupted.
    """
    if cluster.writer:
        check_places(workdir.path, recipe.total_steps)
        claimed, begun = (workdir / "recipe.json").exists(), any((workdir / "checkpoints").glob("ckpt-*"))
        if begun and not claimed and newest_step(workdir.path) is None:  # a run claims its folder first, convert last
            raise Refused(
                f"--workdir={workdir.path}: pcl_tf.convert was stopped there before its weights were whole; run it again."
            )
    seed_everything(recipe.seed, deterministic)
    labelled_set = None  # opened before faces are decoded and the workdir is claimed
    if cluster.writer and recipe.watch.labelled:
        labelled_set = labelled(recipe.watch.labelled, recipe.image_size)
    faces = _shared_faces(recipe, workdir, strategy, cluster=cluster)
    replicas = strategy.num_replicas_in_sync
    with strategy.scope():
        model = build_method(recipe, precision=precision, replicas=replicas, xla=xla)
    # Before anything is restored: the same network on every resume.
    untrained = _probe(recipe, model) if cluster.writer else None

    checkpoints = Checkpoints(model, workdir / "checkpoints", recipe.checkpoint.keep)
    step = checkpoints.restore()
    seen = -1 if step is None else step
    if all_reduce_max(strategy, seen) != seen:
        raise Refused(
            f"--workdir={workdir.path}: the machines do not see the same checkpoints; it must be on a file system all share."
        )
    if step is not None and cluster.writer and (moved := workdir.moved(len(faces))):  # corpora move and grow
        print(f"note: {moved}.", file=sys.stderr, flush=True)
    workdir.claim()
    print(f"training on {len(faces)} faces" if step is None else f"resuming at step {step}", flush=True)
    step = step or 0
    stop = cb.StopOnSignal()
    model.asked_to_stop = lambda: stop.received is not None
    # Checked before saved: a state that produced NaN never replaces a good one.
    callbacks = [stop, cb.StopOnNotFinite()]
    if cluster.writer:
        purge_from(workdir / "logs", step)
        writer = tf.summary.create_file_writer(str(workdir / "logs"))
        board.introduce(writer, recipe, step, trial=workdir.path.resolve().name)
        watcher = Watcher(model, writer, faces, folder=workdir.path, probed=labelled_set)
        scalars = cb.Scalars(writer, recipe.watch.log_every, images_per_step(recipe))
        save = cb.Save(checkpoints, recipe.checkpoint.every)
        callbacks += [scalars, save, cb.Every(recipe.watch.images_every, watcher)]
        if recipe.watch.histograms_every:
            drawn = board.histograms(model, writer, watcher.embed, faces=watcher.faces)
            callbacks.append(cb.Every(recipe.watch.histograms_every, drawn))
        callbacks.append(Eta(recipe.total_steps))
    began, first = time.perf_counter(), step
    _fit(model, strategy, recipe, faces=faces, step=step, callbacks=callbacks, cluster=cluster)
    step = int(model.step.numpy())
    if cluster.writer:
        save.save()
    if stop.received:
        barrier(strategy)  # saved: now all may go
        raise Interrupted(stop.received, step)
    if not cluster.writer:
        barrier(strategy)
        return None
    seconds = time.perf_counter() - began

    print(f"exporting step {step}", flush=True)
    export = export_run(recipe, workdir, model.encoder, step=step)
    if model.decoder is not None:
        watcher.draw(step)
    result = {
        "step": step,
        "faces": int(len(faces)),
        "precision": precision,
        "xla": xla,
        "replicas": replicas,
        "tensorflow": tf.__version__,
        "python": platform.python_version(),
        **_measured(step - first, seconds, scalars.latest(), earlier=workdir / "result.json"),
        "export": str(export.relative_to(workdir.path)),
    }
    if untrained:
        rows: dict[str, Any] = {"untrained": untrained, "trained": _probe(recipe, model)}
        result["generated_faces"] = rows
        told = generated.table(rows, recipe.watch.generated)
        board.conclude(writer, told, step)
        print(told, flush=True)
    write_atomically(workdir / "result.json", json.dumps(result, indent=1, sort_keys=True) + "\n")
    write_card(export, workdir.path)  # once more, with the result
    watcher.project(workdir / "logs")
    barrier(strategy)
    return result


def _measured(steps: int, seconds: float, last: Mapping[str, float], *, earlier: pathlib.Path) -> dict[str, Any]:
    """What a result says of training itself; a command that had nothing left to train repeats what was said.

    Args:
      steps, seconds: of this command.
      last: {name: mean over the newest steps}.
      earlier: path of the result.json that may be there.

    Returns:
      dict of 'seconds_per_step' and 'last'; None and {} where nothing is known.
    """
    if steps:
        return {"seconds_per_step": seconds / steps, "last": {k: float(v) for k, v in last.items()}}
    said = read_json(earlier)
    return {"seconds_per_step": said.get("seconds_per_step"), "last": said.get("last", {})}


def _shared_faces(
    recipe: ConfigDict, workdir: Workdir, strategy: tf.distribute.Strategy, *, cluster: Cluster
) -> ArrayFaces | ClipFaces:
    """The faces; over several machines the writer decodes them and the others wait for what it made."""
    cache = recipe.data.cache or workdir / "cache"
    if not cluster.writer:
        barrier(strategy)
    faces = open_faces(recipe.data, recipe.image_size, cache)
    if cluster.writer:
        barrier(strategy)
    if all_reduce_max(strategy, len(faces)) != len(faces):
        raise Refused(f"--data={recipe.data.source}: the machines do not see the same number of faces.")
    return faces


def _probe(recipe: ConfigDict, model: Method) -> dict[str, Any] | None:
    if recipe.data.source != "generated" or not recipe.watch.generated:
        return None
    test = recipe.watch.generated // 5
    return generated.measure(embedder(model), recipe.image_size, train=recipe.watch.generated - test, test=test)


def _fit(
    model: Method,
    strategy: tf.distribute.Strategy,
    recipe: ConfigDict,
    *,
    faces: ArrayFaces | ClipFaces,
    step: int,
    callbacks: list[keras.callbacks.Callback],
    cluster: Cluster,
) -> None:
    """model.fit in recipe epochs; the first is cut short where a run resumes inside one."""
    length = recipe.epoch_steps
    while step < recipe.total_steps and not model.stop_training:
        steps = min(length - step % length, recipe.total_steps - step)
        epoch = step // length
        # Whole epochs go to fit in one call; a partial one by itself.
        epochs = (recipe.total_steps - step) // length if steps == length else 1
        model.fit(
            distributed(strategy, recipe, faces, first=step, last=step + steps * epochs),
            initial_epoch=epoch,
            epochs=epoch + epochs,
            steps_per_epoch=steps,
            callbacks=callbacks,
            shuffle=False,
            # A bar for people, a line an epoch for files, nothing from machines that only help.
            verbose=0 if not cluster.writer else 1 if sys.stdout.isatty() else 2,
        )
        step = int(model.step.numpy())


def distributed(
    strategy: tf.distribute.Strategy, recipe: ConfigDict, faces: ArrayFaces | ClipFaces, *, first: int, last: int
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
