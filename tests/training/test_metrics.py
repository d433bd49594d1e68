"""metrics.csv: every logged number once, whatever was killed."""

import csv

import pytest

from pcl_tf.errors import Refused
from pcl_tf.training.board import Metrics


def rows(path):
    with open(path, newline="") as f:
        return [{name: value for name, value in row.items() if value} for row in csv.DictReader(f)]


def test_numbers_of_a_step_are_one_row(tmp_path):
    path = tmp_path / "metrics.csv"
    metrics = Metrics(path, 0, epoch_steps=3)
    metrics.add(2, {"loss": 0.5, "alpha": 1})
    metrics.add(4, {"loss": 1 / 3, "alpha": 1})
    metrics.add(4, {"knn/face": 0.25})
    metrics.add(6, {"loss": 0.125, "alpha": 1})
    metrics.add(6, {"knn/face": 0.75})
    metrics.write()
    second = {"step": "4", "epoch": "2", "loss": "0.3333333", "alpha": "1", "knn/face": "0.25"}
    third = {"step": "6", "epoch": "2", "loss": "0.125", "alpha": "1", "knn/face": "0.75"}
    assert rows(path) == [{"step": "2", "epoch": "1", "loss": "0.5", "alpha": "1"}, second, third]


def test_a_run_that_was_killed_after_its_checkpoint_logs_again_what_came_after(tmp_path):
    path = tmp_path / "metrics.csv"
    metrics = Metrics(path, 0, epoch_steps=100)
    for step in (2, 4, 6):
        metrics.add(step, {"loss": -step})
    metrics.write()
    metrics = Metrics(path, 4, epoch_steps=100)
    for step in (6, 8):
        metrics.add(step, {"loss": 1 + step})
    metrics.write()
    assert [(row["step"], row["loss"]) for row in rows(path)] == [("2", "-2"), ("4", "-4"), ("6", "7"), ("8", "9")]


@pytest.mark.parametrize(
    "text", ["a,b\n1,2\n", "step,epoch\n1.0,1\n", "step;epoch\n1;1\n", "step,epoch\n1,1,2\n", "step,epoch\n\xe9\n"]
)
def test_what_was_edited_by_hand_is_named(text, tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(Refused, match="metrics.csv: is no longer as a run left it; move it away"):
        Metrics(path, 5, epoch_steps=100)
    assert path.read_bytes() == text.encode("latin-1")
