"""What happens around the steps: watching, saving, stopping."""

import contextlib
import math
import signal
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import keras
import tensorflow as tf

from pcl_tf.training.board import description
from pcl_tf.training.checkpoints import Checkpoints


class NotFinite(RuntimeError):
    """A loss or the gradient became NaN or infinite."""


class StopOnNotFinite(keras.callbacks.Callback):
    """Stops the run with the step and the offending terms before anything bad is saved.

    A gradient that is not finite has already made the weights so. Where the loss is scaled (mixed_float16) it has not:
    the optimiser leaves out such a step and lowers the scale.
    """

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        scaled = getattr(self.model.optimizer, "dynamic_scale", None) is not None
        names = [k for k in logs if k.startswith("loss") or (k == "gradient_norm" and not scaled)]
        bad = [f"{k} = {logs[k]}" for k in names if not math.isfinite(logs[k])]
        if bad:
            step = int(self.model.step.numpy())
            raise NotFinite(f"step {step}: {', '.join(bad)}.")


class Scalars(keras.callbacks.Callback):
    """TensorBoard scalars: every logged number, averaged over ``every`` steps, and images per second.

    Also leaves only the main numbers for the progress bar, which stands behind
    this callback in the list: of the step while it runs, their means at an
    epoch's end.

    Args:
      writer: tf.summary writer.
      every: steps between points.
      batch: images per step.
    """

    def __init__(self, writer: tf.summary.SummaryWriter, every: int, batch: int) -> None:
        super().__init__()
        self.writer, self.every, self.batch = writer, every, batch
        self.sums: dict[str, float] = {}
        self.count = 0
        self.start: float | None = None
        self.last: dict[str, float] = {}
        self.epoch: list[dict[str, float]] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        means = {k: sum(row[k] for row in self.epoch) / len(self.epoch) for k in self.epoch[0]} if self.epoch else {}
        logs.clear()
        logs.update(means)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.start = self.start or time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        for k, v in logs.items():
            self.sums[k] = self.sums.get(k, 0.0) + v
        self.count += 1
        assert self.start is not None
        rate = self.count * self.batch / (time.perf_counter() - self.start)
        step = int(self.model.step.numpy())
        if step % self.every == 0:
            self.last = {k: v / self.count for k, v in self.sums.items()}
            self.last["images_per_second"] = rate
            with self.writer.as_default(step):
                for k, v in self.last.items():
                    tf.summary.scalar(_group(k), v, description=description(_group(k)))
            self.writer.flush()
            self.sums, self.count, self.start = {}, 0, None
        for k in list(logs):
            if not (k.startswith("loss") or k.endswith("_accuracy")):  # the bar has room for these, whatever the method
                del logs[k]
        logs["images/s"] = rate
        self.epoch.append({k: float(v) for k, v in logs.items()})

    def latest(self) -> dict[str, float]:
        """The means last written, or of the steps so far where there were too few to write."""
        return self.last or {k: v / self.count for k, v in self.sums.items()}


def _group(name: str) -> str:
    for prefix in ("loss", "alpha"):
        if name.startswith(prefix):
            return f"{prefix}/{name.removeprefix(prefix).strip('_') or 'total'}"
    return f"train/{name}"


class Save(keras.callbacks.Callback):
    """Saves every ``every`` steps and at the end of training.

    Args:
      checkpoints: ``Checkpoints``.
      every: steps.
    """

    def __init__(self, checkpoints: Checkpoints, every: int) -> None:
        super().__init__()
        self.checkpoints, self.every, self.saved = checkpoints, every, checkpoints.step

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        step = int(self.model.step.numpy())
        if step % self.every == 0:
            self.save(step)

    def save(self, step: int | None = None) -> None:
        """Saves now, unless this step is saved already."""
        step = int(self.checkpoints.model.step.numpy()) if step is None else step
        if step != self.saved:
            self.checkpoints.save(step)
            self.saved = step


@contextlib.contextmanager
def signals_kept() -> Iterator[None]:
    """What is done with Ctrl-C and SIGTERM inside ends with it: both go back to who had them."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class StopOnSignal(keras.callbacks.Callback):
    """SIGTERM and Ctrl-C end the run after the step at hand; a second Ctrl-C ends it at once.

    Over several machines all stop after the same step, whichever was asked. First in the list: takes 'stop' out of the
    logs.

    Args:
      said: what is printed when a signal comes.

    Attributes:
      received: the signal's number, or None.
    """

    def __init__(self, said: str = "saving after this step") -> None:
        super().__init__()
        self.said = said
        self.received: int | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received == signal.SIGINT == number:
            raise KeyboardInterrupt
        self.received = number
        print(f"\n{signal.Signals(number).name}: {self.said} ...", flush=True)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if "stop" in logs:
            if logs.pop("stop") > 0:
                self.received = self.received or signal.SIGTERM
                self.model.stop_training = True
        elif self.received:
            self.model.stop_training = True


class Every(keras.callbacks.Callback):
    """Calls ``action(step)`` every ``steps`` steps."""

    def __init__(self, steps: int, action: Callable[[int], object]) -> None:
        super().__init__()
        self.steps, self.action = steps, action

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        step = int(self.model.step.numpy())
        if self.steps and step % self.steps == 0:
            self.action(step)
