"""What a run says of its own length."""

import types

import pytest
import tensorflow as tf

from pcl_tf.training.eta import TIMED, Eta, duration


@pytest.mark.parametrize(
    "seconds,text",
    [(0, "0 s"), (89, "89 s"), (720, "12 min"), (12_600, "3.5 h"), (3 * 86_400, "3 days"), (1e9, "11,574 days")],
)
def test_durations_have_one_unit(seconds, text):
    assert duration(seconds) == text


def run(first, total, seconds, steps, epoch_steps):
    """Lines said by a run that goes from step ``first`` to ``total``, of which ``steps`` are done; one compiles, 60 s."""
    lines, now = [], [1000.0]
    eta = Eta(total, clock=lambda: now[0], say=lines.append)
    eta.set_model(types.SimpleNamespace(step=tf.Variable(first)))
    for i in range(steps):
        if i % epoch_steps == 0:
            eta.on_epoch_begin(i // epoch_steps)
        now[0] += 60.0 if i == 0 else seconds
        eta.model.step.assign_add(1)
        eta.on_train_batch_end(i % epoch_steps)
    return lines


def test_a_run_says_that_it_compiles_and_how_long_it_takes():
    lines = run(0, 1_168_000, 19.3, TIMED + 1, 1168)
    assert lines == [
        "compiling: the first step takes longer than the others",
        "\n1,168,000 steps; at this rate 261 days",
    ]


def test_each_epoch_says_when_the_run_ends():
    lines = run(0, 100, 36.0, 31, 10)
    assert [line.partition(";")[0] for line in lines[2:]] == [f"step {n} of 100" for n in (10, 20, 30)]
    assert [line.rpartition(", ")[2] for line in lines[2:]] == ["in 54 min", "in 48 min", "in 42 min"]


def test_a_resumed_run_counts_what_is_left():
    assert "60 steps to go; at this rate 54 s" in run(40, 100, 1.0, TIMED + 1, 10)[1]
    assert len(run(96, 100, 1.0, 4, 10)) == 1  # too short to be timed
