"""What a run prints of its own length, when it stops, which numbers it remembers."""

import os
import pty
import types

import pytest
import tensorflow as tf

from pcl_tf.training.board import Scalars
from pcl_tf.training.callbacks import Eta, NotFinite, StopOnNotFinite, StopOnSignal, restored_signals


def printed(capsys, first, total, *, seconds, steps, epoch_steps):
    """Lines of a run that goes from step ``first`` to ``total``, of which ``steps`` are done; one compiles, 60 s."""
    now = [1000.0]
    eta = Eta(total, clock=lambda: now[0])
    eta.set_model(types.SimpleNamespace(step=tf.Variable(first)))
    for i in range(steps):
        if i % epoch_steps == 0:
            eta.on_epoch_begin(i // epoch_steps)
        now[0] += 60.0 if i == 0 else seconds
        eta.model.step.assign_add(1)
        eta.on_train_batch_end(i % epoch_steps)
    return [line for line in capsys.readouterr().out.splitlines() if line]


def test_a_run_prints_when_it_ends_after_a_few_steps_and_at_each_epoch(capsys):
    lines = printed(capsys, 0, 100, seconds=36.0, steps=31, epoch_steps=10)
    assert lines[0] == "compiling: the first step takes longer than the others"
    assert [line.partition(";")[0] for line in lines[1:]] == [f"step {n} of 100" for n in (6, 10, 20, 30)]
    assert [line.rpartition(", in ")[2] for line in lines[1:]] == ["0:56:24", "0:54:00", "0:48:00", "0:42:00"]


def test_a_resumed_run_counts_what_is_left(capsys):
    assert printed(capsys, 40, 100, seconds=1.0, steps=6, epoch_steps=10)[1].endswith("in 0:00:54")
    assert len(printed(capsys, 96, 100, seconds=1.0, steps=4, epoch_steps=10)) == 1  # too short to be timed


@pytest.mark.parametrize("norm", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_stops_a_run_unless_its_step_was_skipped(norm):
    stop, logs = StopOnNotFinite(), {"loss": 1.0, "gradient_norm": norm, "alpha_pose": 1.0}
    stop.set_model(types.SimpleNamespace(step=tf.Variable(7), optimizer=types.SimpleNamespace()))
    with pytest.raises(NotFinite, match=f"step 7: gradient_norm = {norm}"):
        stop.on_train_batch_end(0, logs)
    stop.on_train_batch_end(0, {**logs, "gradient_norm": 3.0})
    stop.set_model(types.SimpleNamespace(step=tf.Variable(7), optimizer=types.SimpleNamespace(dynamic_scale=1.0)))
    stop.on_train_batch_end(0, logs)
    with pytest.raises(NotFinite, match="loss = nan"):
        stop.on_train_batch_end(0, {**logs, "loss": float("nan")})


def test_last_numbers_are_there_after_fewer_steps_than_are_averaged():
    scalars = Scalars(None, every=50, batch=4, metrics=None)
    scalars.set_model(types.SimpleNamespace(step=tf.Variable(1)))
    scalars.on_train_batch_begin(0)
    for loss in (1.0, 3.0):
        scalars.on_train_batch_end(0, {"loss": loss})
    assert scalars.latest() == {"loss": 2.0}


def test_what_is_printed_to_a_lost_terminal_goes_nowhere_and_no_step_opens_a_file():
    terminal, stream = pty.openpty()
    with restored_signals():
        stop = StopOnSignal()
    stop.terminals = [stream]
    os.close(terminal)
    opened = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        stop.on_train_batch_end(0, {})
    os.write(stream, b"lost")
    assert len(os.listdir("/proc/self/fd")) == opened
    os.close(stream)
