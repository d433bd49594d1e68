"""What happens around the steps: stopping, and what is done every so many of them."""

import contextlib
import datetime
import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import keras


class NotFinite(RuntimeError):
    """A loss or the gradient became NaN or infinite."""


class StopOnNotFinite(keras.callbacks.Callback):
    """Stops the run with the step and the offending terms before they reach a checkpoint.

    A gradient that is not finite has already made the weights so. Where the loss is scaled (mixed_float16) it has not:
    the optimiser skips such a step and lowers the scale.
    """

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        scaled = getattr(self.model.optimizer, "dynamic_scale", None) is not None
        names = [k for k in logs if k.startswith("loss") or (k == "gradient_norm" and not scaled)]
        bad = [f"{k} = {logs[k]}" for k in names if not math.isfinite(logs[k])]
        if bad:
            step = int(self.model.step.numpy())
            raise NotFinite(f"step {step}: {', '.join(bad)}.")


_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def restored_signals() -> Iterator[None]:
    """Gives Ctrl-C, SIGTERM and SIGHUP back at its end to whoever handled them before."""
    before = {number: signal.getsignal(number) for number in _STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class StopOnSignal(keras.callbacks.Callback):
    """SIGTERM, SIGHUP and Ctrl-C end the run after the step at hand; a second Ctrl-C ends it at once.

    Signals that were ignored before stay so, as SIGHUP under nohup. A terminal that goes away ends no run: from then on
    what the run prints goes nowhere. Over several machines all stop after the same step, whichever got the signal. First
    in the list of callbacks: takes 'stop' out of the logs. doing: printed when a signal comes; received: its number, or None.
    """

    def __init__(self, doing: str = "saving after this step") -> None:
        super().__init__()
        self.doing = doing
        self.received: int | None = None
        self.terminals = [stream for stream in (1, 2) if os.isatty(stream)]
        for number in _STOPPING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received == signal.SIGINT == number:
            raise KeyboardInterrupt
        self.received = number
        self._leave_lost_terminals()
        print(f"\n{signal.Signals(number).name}: {self.doing} ...", flush=True)

    def _leave_lost_terminals(self) -> None:
        for stream in [stream for stream in self.terminals if not os.isatty(stream)]:
            self.terminals.remove(stream)
            with open(os.devnull, "wb") as nowhere:  # every further print to it would raise
                os.dup2(nowhere.fileno(), stream)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._leave_lost_terminals()
        if "stop" in logs:
            if logs.pop("stop") > 0:
                self.received = self.received or signal.SIGTERM
                self.model.stop_training = True
        elif self.received:
            self.model.stop_training = True


class Every(keras.callbacks.Callback):
    """Calls ``action(step)`` every ``steps`` steps, never where that is 0."""

    def __init__(self, steps: int, action: Callable[[int], object]) -> None:
        super().__init__()
        self.steps, self.action = steps, action

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        step = int(self.model.step.numpy())
        if self.steps and step % self.steps == 0:
            self.action(step)


class Eta(keras.callbacks.Callback):
    """Prints that the first step compiles, and when total steps will end: once some were timed, and at each epoch."""

    TIMED = 5  # steps before the first estimate, after the one that compiles

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.total, self.clock = total, clock
        self.first: tuple[int, float] | None = None  # step at which the first one of this process ended, and when

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self.first is None:
            print("compiling: the first step takes longer than the others", flush=True)
        else:
            self._print()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        step = int(self.model.step.numpy())
        if self.first is None:
            self.first = step, self.clock()
        elif step == self.first[0] + self.TIMED:
            print()  # below the bar
            self._print()

    def _print(self) -> None:
        assert self.first is not None
        step, (first, began) = int(self.model.step.numpy()), self.first
        if first < step < self.total:
            left = datetime.timedelta(seconds=round((self.clock() - began) / (step - first) * (self.total - step)))
            end = datetime.datetime.now() + left
            print(f"step {step:,} of {self.total:,}; ends about {end:%Y-%m-%d %H:%M}, in {left}", flush=True)
