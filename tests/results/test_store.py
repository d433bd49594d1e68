"""Rows of a folder accumulate and stay apart; tasks and runs have names."""

import json

import numpy as np
import pytest

from pcl_tf.data.listed import arrays
from pcl_tf.errors import Refused
from pcl_tf.evaluation.task import Task
from pcl_tf.results.store import Results, file_stem, names, short
from pcl_tf.results.tensorboard import run_name


def task(origin="", name="labels", kind="classification"):
    split = ((np.arange(10), np.arange(10, 20)),)
    labels = np.arange(20) % 2
    return Task(name, kind, arrays("f", np.zeros((20, 8, 8, 3), np.uint8)), 8, ("a", "b"), labels, split, origin=origin)


def row(value, model="m", name="labels", path="", **more):
    made = {"model": model, "model_digest": f"{model}0123456789", "task": name, "task_name": name, "task_path": path}
    made |= {"kind": "classification", "feature": "face", "solver": "lbfgs", "image_size": 8, "seed": 0}
    made |= {"model_step": 0, "interval": (value, value), "counts": {"test": 7}}
    return {**made, "metric": "accuracy", "value": value, **more}


def test_another_key_adds_and_an_equal_one_replaces(tmp_path):
    others = [{"model": "n"}, {"name": "x"}, {"path": "/b.csv"}, {"feature": "pose"}, {"solver": "adam"}]
    others += [{"image_size": 9}, {"seed": 1}, {"run": "labels-finetune-1"}, {"run": "labels-finetune-2"}]
    rows = [row(0), *(row(i + 1, **more) for i, more in enumerate(others))]
    for one in [*rows, row(9)]:
        Results(tmp_path).add(one)  # each as another call
    assert [r["value"] for r in Results(tmp_path).rows] == [9, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert len({file_stem(r)[-8:] for r in rows}) == len(rows)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".result.lock", "result.json", "tables.md"]
    assert (tmp_path / "tables.md").read_text().count("\n") == 2 + len(rows)
    stored = json.loads((tmp_path / "result.json").read_text())["results"]
    assert stored[1:] == json.loads(json.dumps(rows[1:]))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"results": [1]}', '{"results": [{}]}', '{"step": 3}'])
def test_a_file_that_is_no_result_is_not_overwritten(tmp_path, text):
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(Refused, match="move it away"):
        Results(tmp_path)
    assert (tmp_path / "result.json").read_text() == text


def test_tasks_of_one_name_are_told_apart_and_keep_their_names(tmp_path):
    a, b, c = (task(f"/data/{folder}/labels.csv") for folder in ("a", "b", "x/b"))
    first, second, again, third = names([a, b, a, c])
    assert first == again == "labels" and len({first, second, third}) == 3
    assert second.startswith("labels-") and len(second) == len("labels-12345678")
    assert names([b]) == ["labels"]
    Results(tmp_path).add(row(0, path="/data/a/labels.csv"))
    rows = Results(tmp_path).rows
    assert names([b, a], rows) == [second, "labels"]
    assert names([task("/data/a/labels.csv", kind="multilabel")], rows)[0] not in ("labels", second, third)


def test_long_names_are_cut_in_names_of_files():
    assert short("labels") == "labels" and short("x" * 40) == "x" * 40
    long = [f"labels-{'-'.join(f'column{i}' for i in range(60))}-{end}" for end in "ab"]
    assert len({short(name) for name in long}) == 2 and max(map(len, map(short, long))) < 50


def test_runs_are_named_by_model():
    named = {"runs/vox64": "vox64-01234567", "runs/vox64/export/70": "vox64-70-01234567", "a/b.keras": "b-01234567"}
    named["runs/lr-0.001"] = "lr-0.001-01234567"
    for model, name in named.items():
        assert run_name({"model": model, "model_digest": "0123456789"}) == name
    tuned = {"model": "w/export/7", "model_digest": "0123456789"}
    run = "faces-face_aware-finetune-5e6f7a8b"
    assert run_name({**tuned, "run": run}) == "w-7-01234567-5e6f7a8b"  # two rates are two runs
