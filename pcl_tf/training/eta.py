"""When a run will end."""

import datetime
import time
from collections.abc import Callable
from typing import Any

import keras

TIMED = 5  # steps that are timed before the first estimate, after one that compiles


def duration(seconds: float) -> str:
    """Seconds in the one unit that a person would use: '40 s', '12 min', '3.5 h', '261 days'."""
    for unit, length, most in (("s", 1, 90), ("min", 60, 90), ("h", 3600, 48)):
        if seconds < most * length:
            return f"{seconds / length:.1f} h" if unit == "h" else f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86400:,.0f} days"


class Eta(keras.callbacks.Callback):
    """Says that the first step compiles; how long the run will take, once steps were timed; at each epoch when it ends.

    Args:
      total: steps of the whole run.
      clock: seconds since any moment.
      say: prints a line.
    """

    def __init__(
        self,
        total: int,
        clock: Callable[[], float] = time.monotonic,
        say: Callable[[str], None] = lambda line: print(line, flush=True),
    ) -> None:
        super().__init__()
        self.total, self.clock, self.say = total, clock, say
        self.steps = 0  # of this process
        self.began: float | None = None  # at the end of its first step
        self.here = 0  # step of the run

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.began is None:
            self.say("compiling: the first step takes longer than the others")
        elif self.steps > TIMED:
            left = self._each() * (self.total - self.here)
            end = datetime.datetime.now() + datetime.timedelta(seconds=left)
            when = f"{end:%H:%M}" if left < 43_200 else f"{end:%Y-%m-%d %H:%M}"
            self.say(f"step {self.here:,} of {self.total:,}; ends about {when}, in {duration(left)}")

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.steps += 1
        self.here = int(self.model.step.numpy())
        if self.steps == 1:
            self.began = self.clock()
        elif self.steps == 1 + TIMED and self.here < self.total:
            left = self.total - self.here
            of = "steps" if self.here == self.steps else "steps to go"
            self.say(f"\n{left + TIMED + 1:,} {of}; at this rate {duration(self._each() * left)}")

    def _each(self) -> float:
        assert self.began is not None
        return (self.clock() - self.began) / (self.steps - 1)
