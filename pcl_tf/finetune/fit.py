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
    """How a network is fine-tuned.

    Attributes:
      feature: of the encoder, the input of the last layer.
      labels: share of the training labels that is used, above 0 and at most 1.
      from_scratch: whether the encoder's weights are drawn anew.
      epochs: at most.
      patience: epochs without a better held-out loss after which training stops.
      batch_size: images.
      rate: of Adam, for all layers.
      flip: whether training images are mirrored at random.
      folds: how many of the task's folds are evaluated; 0 is all.
      seed: of the share of labels, the order, and weights that are drawn.
    """

    feature: str = "face_aware"
    labels: float = 1.0
    from_scratch: bool = False
    epochs: int = 50
    patience: int = 5
    batch_size: int = 64
    rate: float = 1e-4
    flip: bool = False
    folds: int = 0
    seed: int = 0

    def solver(self, way: str = "") -> str:
        """Name of a way to train in ``result.json``: 'finetune', 'scratch-0.1', 'probe-0.1' .."""
        way = way or ("scratch" if self.from_scratch else "finetune")
        return way if self.labels == 1 else f"{way}-{self.labels:g}"


@dataclasses.dataclass(frozen=True)
class Lesson:
    """What a network learns from.

    Attributes:
      faces: uint8 [N, S, S, 3].
      labels: of all faces, [N] or [N, K].
      teach: int, rows that teach.
      held: int, rows on which training is stopped.
      loss: Keras loss.
    """

    faces: np.ndarray
    labels: np.ndarray
    teach: np.ndarray
    held: np.ndarray
    loss: keras.losses.Loss


def _batches(
    lesson: Lesson, rows: np.ndarray, options: Options, epoch: Callable[[], int] | None = None
) -> tf.data.Dataset:
    """Batches of (float32 [b, S, S, 3] in [0, 1], labels) of some rows.

    Args:
      epoch: number of the epoch that begins, by which order and flips are drawn; None keeps the order of rows.
    """

    def drawn() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        order, mirrored = rows, np.zeros(len(rows), bool)
        if epoch is not None:
            r = np.random.RandomState(options.seed + 1 + 1000 * epoch())
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


class _State(keras.callbacks.Callback):
    """Held-out losses, best weights and the model after the last epoch, in memory and in a folder that is always whole.

    Keras's BackupAndRestore and EarlyStopping resume neither the count of epochs without a better loss nor, where a
    write was cut short, at all.
    """

    def __init__(self, folder: pathlib.Path, options: Options, stop: StopOnSignal, say: Callable[[str], None]) -> None:
        super().__init__()
        self.folder, self.options, self.stop, self.say = folder, options, stop, say
        self.losses: list[float] = []  # before the first and after each epoch
        self.best: list[np.ndarray] = []  # weights of the least of them
        self.epoch, self.began = 0, time.monotonic()

    def restore(self) -> bool:
        """Takes up the state of a stopped training; returns whether there was one."""
        if not self.folder.exists():
            return False
        try:
            losses = [float(x) for x in json.loads((self.folder / "losses.json").read_text())]
            best = keras.models.load_model(self.folder / "best.keras", compile=False).get_weights()
            self.set_model(keras.models.load_model(self.folder / "last.keras"))
        except Exception as error:  # keras, zipfile and h5py raise a dozen kinds
            why = (str(error) or type(error).__name__).splitlines()[0]
            self.say(f"{self.folder} is unreadable ({why}); this training begins again.")
            return False
        self.losses, self.best = losses, best
        return True

    def keep(self, loss: float) -> None:
        """Adds the state of the model, of a held-out loss."""
        better = not self.losses or loss < min(self.losses)
        self.losses.append(float(loss))
        if better:
            self.best = self.model.get_weights()
        with atomic_path(self.folder, replaces=lambda _: True) as aside:
            aside.mkdir()
            self.model.save(aside / "last.keras")
            shutil.copy((aside / "last.keras") if better else (self.folder / "best.keras"), aside / "best.keras")
            (aside / "losses.json").write_text(json.dumps(self.losses))

    @property
    def done(self) -> bool:
        """Whether all epochs are done, or the last ones were no better."""
        epochs = len(self.losses) - 1
        return epochs >= self.options.epochs or epochs - int(np.argmin(self.losses)) >= self.options.patience

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch, self.began = epoch, time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.stop.received:
            raise Stopped(self.stop.received)  # the same command repeats the epoch

    on_test_batch_end = on_train_batch_end

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.keep(logs["val_loss"])
        self.model.stop_training = self.done
        done, epochs = epoch + 1, self.options.epochs
        left = datetime.timedelta(seconds=round((time.monotonic() - self.began) * (epochs - done)))
        self.say(
            f"epoch {done} of {epochs}: loss {logs['loss']:.4f}, held-out {self.losses[-1]:.4f}"
            f" (least {min(self.losses):.4f} after {int(np.argmin(self.losses))}); at most {left} to go"
        )


@restored_signals()
def train(
    build: Callable[[], keras.Model],
    lesson: Lesson,
    folder: str | pathlib.Path,
    options: Options,
    *,
    say: Callable[[str], None] = print,
) -> tuple[keras.Model, list[float]]:
    """Trains all layers until the loss on held-out rows has not fallen for some epochs.

    Args:
      build: makes the model with the weights it begins with; not called where a stopped training resumes.
      lesson: ``Lesson``.
      folder: of the state; a call that was stopped resumes after its last whole epoch.
      options: ``Options``.
      say: prints a line.

    Returns:
      (keras.Model with the best weights it had, held-out loss before the first and after each epoch).

    Raises:
      Stopped: by Ctrl-C, SIGTERM or SIGHUP. Args: number of the signal.
    """
    stop = StopOnSignal("stopping; the state after the last whole epoch is kept")
    state = _State(pathlib.Path(folder), options, stop, say)
    held = _batches(lesson, lesson.held, options)
    if state.restore():
        say(f"resuming after epoch {len(state.losses) - 1}")
    else:
        state.set_model(build())
        # The norm is clipped so that one odd batch does not undo what pre-training learnt.
        state.model.compile(keras.optimizers.Adam(options.rate, global_clipnorm=1.0), lesson.loss)
        state.keep(state.model.evaluate(held, verbose=0))
    model = state.model
    if not state.done:
        with warnings.catch_warnings():  # a feature that another does not use is trained by nothing, as it is to be
            warnings.filterwarnings("ignore", message="Gradients do not exist")
            model.fit(
                _batches(lesson, lesson.teach, options, lambda: state.epoch),
                validation_data=held,
                initial_epoch=len(state.losses) - 1,
                epochs=options.epochs,
                callbacks=[stop, state],
                verbose=int(sys.stdout.isatty()),  # a bar for people
                shuffle=False,
            )
    if stop.received:
        raise Stopped(stop.received)
    model.set_weights(state.best)
    return model, state.losses
