"""Trains a whole network until held-out images stop getting better."""

import datetime
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from pcl_tf.finetune.kept import Kept
from pcl_tf.training.callbacks import StopOnSignal, signals_kept
from pcl_tf.training.eta import duration

if TYPE_CHECKING:
    from pcl_tf.finetune.run import Options


class Stopped(Exception):
    """A signal stopped training; what is kept is whole. Args: number of the signal."""


def epoch_of(
    faces: np.ndarray, rows: np.ndarray, labels: np.ndarray, *, batch: int, seed: int | None = None, flip: bool = False
) -> tf.data.Dataset:
    """Batches of an epoch.

    Args:
      faces: uint8 [N, S, S, 3].
      rows: int [n], of faces and labels.
      labels: of all faces.
      batch: images.
      seed: of their order and flips, which differ by it alone; None is the order of rows, without flips.
      flip: whether each image is mirrored with probability one half.

    Returns:
      tf.data.Dataset of (float32 [b, S, S, 3] in [0, 1], labels).
    """
    r = np.random.RandomState(seed)
    order = rows if seed is None else r.permutation(rows)
    mirrored = r.uniform(size=len(rows)) < 0.5 * (flip and seed is not None)

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for i in range(0, len(order), batch):
            x, turn = np.asarray(faces[order[i : i + batch]]), mirrored[i : i + batch]
            x[turn] = x[turn, :, ::-1]
            yield x.astype(np.float32) / np.float32(255.0), labels[order[i : i + batch]]

    side, rest = faces.shape[1], labels.shape[1:]
    like = (tf.TensorSpec([None, side, side, 3], tf.float32), tf.TensorSpec([None, *rest], tf.as_dtype(labels.dtype)))
    made = tf.data.Dataset.from_generator(batches, output_signature=like)
    return made.apply(tf.data.experimental.assert_cardinality(-(-len(order) // batch))).prefetch(2)


@signals_kept()
def train(
    model: keras.Model,
    kept: Kept,
    loss: keras.losses.Loss,
    *,
    faces: np.ndarray,
    labels: np.ndarray,
    teach: np.ndarray,
    held: np.ndarray,
    options: "Options",
    say: Callable[[str], None] = print,
) -> None:
    """Trains all layers; early stopping on held-out rows; goes on where a stopped call was.

    Args:
      model: of ``network.build``, with the weights it begins with; those it ends with are the best it had.
      kept: ``Kept``, of this model.
      loss: Keras loss.
      faces, labels: of all rows.
      teach, held: int rows.
      options: with epochs, patience, batch_size, rate, seed, flip.
      say: prints a line.

    Raises:
      Stopped: by Ctrl-C or SIGTERM.
    """
    stop = StopOnSignal("stopping; what is kept is whole")

    def held_out_loss(trained: keras.Model) -> float:
        return float(trained.evaluate(epoch_of(faces, held, labels, batch=options.batch_size), verbose=0))

    if kept.began:
        trained = kept.last()
        say(f"going on after epoch {kept.epoch}")
    else:
        trained = model
        # The norm is clipped so that one odd batch does not undo what pre-training learnt.
        trained.compile(keras.optimizers.Adam(options.rate, global_clipnorm=1.0), loss)
        kept.add(trained, held_out_loss(trained))
    began, first = time.monotonic(), kept.epoch
    while kept.epoch < options.epochs and kept.epoch - kept.best_epoch < options.patience:
        if stop.received:
            raise Stopped(stop.received)
        epoch = kept.epoch
        data = epoch_of(
            faces, teach, labels, batch=options.batch_size, seed=options.seed + 1 + 1000 * epoch, flip=options.flip
        )
        bar = int(sys.stdout.isatty())  # for people
        with warnings.catch_warnings():  # a feature that another does not use is trained by nothing, as it is to be
            warnings.filterwarnings("ignore", message="Gradients do not exist")
            done = trained.fit(
                data, epochs=epoch + 1, initial_epoch=epoch, callbacks=[stop], verbose=bar, shuffle=False
            )
        if stop.received:
            raise Stopped(stop.received)  # an epoch that is cut short is repeated
        kept.add(trained, held_out_loss(trained))
        taught = done.history["loss"][0]
        say(_progress(kept, taught, options.epochs, each=(time.monotonic() - began) / (kept.epoch - first)))
    if stop.received:  # while the last epoch was evaluated
        raise Stopped(stop.received)
    model.set_weights(kept.best_weights())


def _progress(kept: Kept, taught: float, epochs: int, *, each: float) -> str:
    end = datetime.datetime.now() + datetime.timedelta(seconds=each * (epochs - kept.epoch))
    left = duration(each * (epochs - kept.epoch))
    when = f"this training ends by {end:%H:%M} at the latest, in {left}" if epochs > kept.epoch else "done"
    return (
        f"epoch {kept.epoch} of {epochs}: loss {taught:.4f}, held-out {kept.losses[-1]:.4f}"
        f" (least {kept.best:.4f} after {kept.best_epoch}); {when}"
    )
