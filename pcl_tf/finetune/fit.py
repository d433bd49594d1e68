"""Trains a whole network until held-out images stop getting better; a stopped training resumes after its last epoch."""

import dataclasses
import datetime
import json
import pathlib
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pcl_tf.errors import Stopped
from pcl_tf.store import atomic_path
from pcl_tf.training.callbacks import StopOnSignal, restored_signals


@dataclasses.dataclass(frozen=True)
class Options:
    """How a network is fine-tuned."""

    feature: str = "face_aware"  # of the encoder, the input of the last layer
    labels: float = 1.0  # share of the training labels that is used, above 0 and at most 1
    from_scratch: bool = False  # whether the encoder's weights are drawn anew
    epochs: int = 50  # at most
    patience: int = 5  # epochs without a better held-out loss after which training stops
    batch_size: int = 64  # images a step
    rate: float = 1e-4  # of Adam, for all layers
    flip: bool = False  # whether training images are mirrored at random
    folds: int = 0  # how many of the task's folds are evaluated; 0 is all
    seed: int = 0  # of the share of labels, the order, and weights that are drawn

    @property
    def solver(self) -> str:
        """The name in ``result.json``: 'finetune', 'scratch', or with a share of the labels 'finetune-0.1' .."""
        way = "scratch" if self.from_scratch else "finetune"
        return way if self.labels == 1 else f"{way}-{self.labels:g}"


@dataclasses.dataclass(frozen=True)
class Lesson:
    """What a network learns from."""

    faces: np.ndarray  # uint8 [N, S, S, 3]
    labels: np.ndarray  # of all faces, [N] or [N, K]
    teach: np.ndarray  # int, rows that teach
    held: np.ndarray  # int, rows on which training is stopped
    loss: keras.losses.Loss


def best(losses: list[float]) -> int:
    """Index of the smallest loss; NaN is never the smallest."""
    return int(np.argmin(np.nan_to_num(losses, nan=np.inf)))


def _batches(lesson: Lesson, rows: np.ndarray, options: Options, epoch: int | None = None) -> tf.data.Dataset:
    """Batches of (float32 [b, S, S, 3] in [0, 1], labels) of some rows.

    Args:
      epoch: by which order and flips are drawn; None keeps the order of rows.
    """

    def drawn() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        order, mirrored = rows, np.zeros(len(rows), bool)
        if epoch is not None:
            r = np.random.RandomState(options.seed + 1 + 1000 * epoch)
            order, mirrored = r.permutation(rows), r.uniform(size=len(rows)) < 0.5 * options.flip
        for i in range(0, len(order), options.batch_size):
            some = slice(i, i + options.batch_size)
            x = np.asarray(lesson.faces[order[some]])
            x[mirrored[some]] = x[mirrored[some], :, ::-1]
            yield x.astype(np.float32) / np.float32(255.0), lesson.labels[order[some]]

    labels = tf.TensorSpec([None, *lesson.labels.shape[1:]], tf.as_dtype(lesson.labels.dtype))
    images = tf.TensorSpec([None, *lesson.faces.shape[1:]], tf.float32)
    made = tf.data.Dataset.from_generator(drawn, output_signature=(images, labels))
    return made.apply(tf.data.experimental.assert_cardinality(-(-len(rows) // options.batch_size))).prefetch(2)


@restored_signals()
def train(
    build: Callable[[], keras.Model], lesson: Lesson, folder: pathlib.Path, options: Options
) -> tuple[keras.Model, list[float]]:
    """Trains all layers until the loss on held-out rows has not fallen for some epochs.

    Keras's BackupAndRestore and EarlyStopping lose the count of epochs without a better loss, and cannot resume from a write
    that was cut short.

    Args:
      build: makes the model with the weights it begins with; not called where a stopped training resumes.
      lesson, options: what it learns from, and how.
      folder: of the state; a call that was stopped resumes after its last whole epoch.

    Returns:
      (keras.Model with the best weights it had, held-out loss before the first and after each epoch).

    Raises:
      Stopped: by Ctrl-C, SIGTERM or SIGHUP. Args: number of the signal, folder.
    """
    stop = StopOnSignal("stopping; the state after the last whole epoch stays")
    held = _batches(lesson, lesson.held, options)
    model, losses = _restored(folder)
    if not losses:
        model = build()
        # The norm is clipped so that one odd batch does not undo what pre-training learnt.
        model.compile(keras.optimizers.Adam(options.rate, global_clipnorm=1.0), lesson.loss)
        _save(folder, model, losses, model.evaluate(held, verbose=0))
    while not stop.received and (done := len(losses) - 1) < options.epochs and done - best(losses) < options.patience:
        began = time.monotonic()
        with warnings.catch_warnings():  # what the last layer does not see has no gradient
            warnings.filterwarnings("ignore", message="Gradients do not exist")
            found = model.fit(
                _batches(lesson, lesson.teach, options, done),
                validation_data=held,
                initial_epoch=done,
                epochs=done + 1,
                callbacks=[stop],
                verbose=int(sys.stdout.isatty()),  # a bar for people
                shuffle=False,
            ).history
        if not stop.received:  # else the same command repeats the epoch
            _save(folder, model, losses, found["val_loss"][0])
            seconds = (time.monotonic() - began) * (options.epochs - done - 1)
            print(
                f"epoch {done + 1} of {options.epochs}: loss {found['loss'][0]:.4f}, held-out {losses[-1]:.4f} (least"
                f" {losses[best(losses)]:.4f} after {best(losses)}); at most {datetime.timedelta(seconds=round(seconds))} to go",
                flush=True,
            )
    if stop.received:
        raise Stopped(stop.received, folder)
    return keras.models.load_model(folder / "best.keras", compile=False), losses


def _restored(folder: pathlib.Path) -> tuple[Any, list[float]]:
    """(model after the last epoch of a stopped training, its held-out losses); (None, []) without such a training."""
    if not folder.exists():
        return None, []
    try:
        losses = [float(x) for x in json.loads((folder / "losses.json").read_text())]
        keras.models.load_model(folder / "best.keras", compile=False)
        model = keras.models.load_model(folder / "last.keras")
    except Exception as error:  # keras, zipfile and h5py raise a dozen kinds
        why = (str(error) or type(error).__name__).splitlines()[0]
        print(f"{folder} is unreadable ({why}); this training begins again.", flush=True)
        return None, []
    print(f"resuming after epoch {len(losses) - 1}", flush=True)
    return model, losses


def _save(folder: pathlib.Path, model: keras.Model, losses: list[float], loss: float) -> None:
    """Appends a held-out loss and replaces the saved state by the model that has it; the folder is always whole."""
    losses.append(float(loss))
    with atomic_path(folder, replaces=lambda _: True) as aside:
        aside.mkdir()
        model.save(aside / "last.keras")
        least = best(losses) == len(losses) - 1
        shutil.copy((aside if least else folder) / ("last.keras" if least else "best.keras"), aside / "best.keras")
        (aside / "losses.json").write_text(json.dumps(losses))
