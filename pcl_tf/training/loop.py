"""A whole run: data, model, resume, fit, export, result."""

import json
import platform
import sys
import time

import tensorflow as tf

from pcl_tf import recipe as recipes
from pcl_tf.data.faces import open_faces
from pcl_tf.data.pipeline import batches
from pcl_tf.evaluation import generated
from pcl_tf.files import write_atomically
from pcl_tf.methods.build import build_encoder, build_method, images_per_step
from pcl_tf.networks.backbones import FIXED_SIZE
from pcl_tf.seeds import seed_everything
from pcl_tf.serving.export import save_backbone, save_export, save_onnx
from pcl_tf.serving.server_files import write_server_files
from pcl_tf.training import callbacks as cb
from pcl_tf.training.checkpoints import Checkpoints
from pcl_tf.training.watch import Watcher, embedder


class Interrupted(Exception):
    """A signal ended the run after its state was saved. Args: number of the signal, step."""


def run(recipe, workdir, strategy, precision, deterministic=False):
    """Trains from where the workdir stands to the recipe's last step, then exports.

    Args:
      recipe: resolved recipe.
      workdir: opened ``Workdir``.
      strategy: tf.distribute.Strategy.
      precision: dtype policy name.
      deterministic: whether operations repeat bit for bit, at some cost in speed.

    Returns:
      dict, what ``result.json`` says.

    Raises:
      NotFinite, DataError, Interrupted.
    """
    seed_everything(recipe.seed, deterministic)
    faces = open_faces(recipe.data, recipe.image_size, recipe.data.cache or workdir / "cache")
    replicas = strategy.num_replicas_in_sync
    with strategy.scope():
        model = build_method(recipe, precision, replicas)
    untrained = _probe(recipe, model)  # before anything is restored: the same network on every resume

    checkpoints = Checkpoints(model, workdir / "checkpoints", recipe.checkpoint.keep)
    step = checkpoints.restore()
    print(f"training on {len(faces)} faces" if step is None else f"resuming at step {step}", flush=True)
    step = step or 0
    writer = tf.summary.create_file_writer(str(workdir / "logs"))
    watcher = Watcher(model, writer, faces, workdir.path, recipe.watch.labelled)
    stop, scalars = cb.StopOnSignal(), cb.Scalars(writer, recipe.watch.log_every, images_per_step(recipe))
    save = cb.Save(checkpoints, recipe.checkpoint.every)
    began, first = time.perf_counter(), step
    # Checked before saved: a state that produced NaN never replaces a good one.
    _fit(
        model,
        strategy,
        recipe,
        faces,
        step,
        [cb.StopOnNotFinite(), scalars, save, cb.Every(recipe.watch.images_every, watcher), stop],
    )
    step = int(model.step.numpy())
    save.save()
    if stop.received:
        raise Interrupted(stop.received, step)
    seconds = time.perf_counter() - began

    print(f"exporting step {step}", flush=True)
    export = export_run(recipe, workdir, model.encoder, step)
    if model.decoder is not None:
        watcher.draw(step)
    result = {
        "step": step,
        "faces": int(len(faces)),
        "precision": precision,
        "replicas": replicas,
        "tensorflow": tf.__version__,
        "python": platform.python_version(),
        "seconds_per_step": seconds / max(1, step - first),
        "last": {k: float(v) for k, v in scalars.last.items()},
        "export": str(export.relative_to(workdir.path)),
    }
    if untrained:
        rows = {"untrained": untrained, "trained": _probe(recipe, model)}
        result["generated_faces"] = rows
        print(generated.table(rows), flush=True)
    write_atomically(workdir / "result.json", json.dumps(result, indent=1, sort_keys=True) + "\n")
    return result


def _probe(recipe, model):
    if recipe.data.source != "synthetic":
        return None
    return generated.measure(embedder(model), recipe.image_size)


def _fit(model, strategy, recipe, faces, step, callbacks):
    """model.fit in recipe epochs; the first is cut short where a run resumes inside one."""
    length = recipe.epoch_steps
    while step < recipe.total_steps and not model.stop_training:
        steps = min(length - step % length, recipe.total_steps - step)
        epoch = step // length
        # Whole epochs go to fit in one call; a partial one by itself.
        epochs = (recipe.total_steps - step) // length if steps == length else 1
        data = batches(faces, images_per_step(recipe), recipe.seed, step, step + steps * epochs)
        model.fit(
            strategy.experimental_distribute_dataset(data) if strategy.num_replicas_in_sync > 1 else data,
            initial_epoch=epoch,
            epochs=epoch + epochs,
            steps_per_epoch=steps,
            callbacks=callbacks,
            shuffle=False,
            verbose=1 if sys.stdout.isatty() else 2,  # a bar for people, a line an epoch for files
        )
        step = int(model.step.numpy())


def export_run(recipe, workdir, trained, step, image_size=None, version=None, keep=None, onnx=False):
    """Writes what others use of a workdir: ``export/<version>``, ``serving/``, ``backbone.keras``, ``encoder.onnx``.

    Args:
      recipe: resolved recipe.
      workdir: its folder (supports ``/``).
      trained: encoder with the weights, any precision.
      step: of pre-training.
      image_size: side that image files are resized to, by default the recipe's.
      version: number of the export, by default step.
      keep: how many versions stay, by default the recipe's checkpoint.keep; 0 is all.
      onnx: whether to write ``encoder.onnx`` too.

    Returns:
      path of the export.
    """
    size = image_size or recipe.image_size
    # Convolutions take images of any size; a Transformer's position embedding does not.
    frozen = build_encoder(recipe, size if recipe.network.backbone in FIXED_SIZE else None)
    frozen.set_weights(trained.get_weights())
    save_backbone(frozen, workdir / "backbone.keras")
    if onnx:
        save_onnx(frozen, workdir / "encoder.onnx", size)
    write_server_files(workdir / "serving")
    keep = recipe.checkpoint.keep if keep is None else keep
    return save_export(frozen, workdir / "export", step, size, recipes.to_json(recipe), version, keep)
