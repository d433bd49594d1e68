"""Results accumulate, stay apart, and reach TensorBoard in a run for each model."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from pcl_tf.data.files import Unreadable
from pcl_tf.data.listed import arrays
from pcl_tf.encoders.encoder import Encoder
from pcl_tf.errors import Refused
from pcl_tf.evaluation import report
from pcl_tf.evaluation.pictures import absent
from pcl_tf.evaluation.report import run_name, tag
from pcl_tf.evaluation.results import Results, key_digest, short
from pcl_tf.evaluation.task import Task
from tests.helpers.commands import command


@pytest.fixture
def run_probe():
    with command("probe") as probe:
        yield probe.run


def _kept(folder):
    return {"out": folder, "cache": folder / "features"}


FACES = np.random.RandomState(0).randint(256, size=(20, 8, 8, 3), dtype=np.uint8)


def task(origin="", name="labels", kind="classification", size=8):
    split = ((np.arange(10), np.arange(10, 20)),)
    return Task(name, kind, arrays("faces", FACES), size, ("a", "b"), np.arange(20) % 2, split, origin=str(origin))


def row(value, model="m", name="labels", path="", **more):
    made = {"model": model, "model_digest": f"{model}0123456789", "task": name, "task_name": name, "task_path": path}
    made |= {"kind": "classification", "feature": "face", "solver": "lbfgs", "image_size": 8, "seed": 0}
    return {**made, "metric": "accuracy", "value": value, **more}


def test_another_key_adds_and_an_equal_one_replaces(tmp_path):
    others = [{"model": "n"}, {"name": "x"}, {"path": "/b.csv"}, {"feature": "pose"}, {"solver": "adam"}]
    others += [{"image_size": 9}, {"seed": 1}, {"run": "labels-finetune-1"}, {"run": "labels-finetune-2"}]
    rows = [row(0), *(row(i + 1, **more) for i, more in enumerate(others))]
    for one in [*rows, row(9)]:
        Results(tmp_path).add(one)  # each as another call
    assert [r["value"] for r in Results(tmp_path).rows] == [9, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert len({key_digest(r) for r in rows}) == len(rows)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".result.lock", "result.json"]


def test_results_of_before_are_read_and_replaced_where_they_are_the_same(tmp_path):
    old = {"model": "m", "model_digest": "m0123456789", "task": "lfw", "kind": "verification", "feature": "face"}
    old |= {"image_size": 8, "metric": "accuracy", "value": 0.5, "protocol": {}}
    listed = {**old, "task": "labels", "kind": "classification", "protocol": {"solver": "adam", "seed": 2}}
    (tmp_path / "result.json").write_text(json.dumps({"results": [old, listed]}))
    (tmp_path / "labels.csv").touch()
    results = Results(tmp_path)
    corpus = task(tmp_path, name="lfw", kind="verification")
    assert results.name([corpus, task(tmp_path / "labels.csv")]) == ["lfw", f"{tmp_path.name}/labels"]
    results.add(row(0.7, name="lfw", path=str(tmp_path), kind="verification"))
    results.add(row(0.8, path=str(tmp_path / "labels.csv"), solver="adam", seed=2))
    assert [r["value"] for r in results.rows] == [0.7, 0.5, 0.8]  # a file of that name may have been another


@pytest.mark.parametrize("text", ["", "{", "[]", '{"results": [1]}', '{"results": [{}]}', '{"step": 3}'])
def test_a_file_that_is_no_result_is_not_overwritten(tmp_path, text):
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(Refused, match="move it away"):
        Results(tmp_path)
    assert (tmp_path / "result.json").read_text() == text


def test_tasks_of_one_file_name_are_told_apart_and_keep_their_names(tmp_path):
    a, b, c = (task(f"/data/{folder}/labels.csv") for folder in ("a", "b", "x/b"))
    assert Results(tmp_path).name([a, b, a, c]) == ["a/labels", "b/labels", "a/labels", "x/b/labels"]
    assert Results(tmp_path).name([a]) == ["labels"]
    Results(tmp_path).add(row(0, path="/data/a/labels.csv"))
    assert Results(tmp_path).name([a, b]) == ["labels", "b/labels"] and Results(tmp_path).name([b]) == ["b/labels"]
    other = task("/data/a/labels.csv", kind="regression")
    assert Results(tmp_path).name([other]) == ["labels-regression"]


def test_runs_are_named_by_model_and_tags_by_what_differs():
    rows = [row(0), row(1, image_size=9), row(2, solver="adam", seed=3)]
    assert [tag(r, rows) for r in rows] == [f"probe/labels/face{s}" for s in ("", "/9px", "/adam-seed3")]
    named = {"runs/vox64": "vox64-01234567", "runs/vox64/export/70": "vox64-70-01234567", "a/b.keras": "b-01234567"}
    named["runs/lr-0.001"] = "lr-0.001-01234567"
    for model, name in named.items():
        assert run_name({"model": model, "model_digest": "0123456789"}) == name
    assert run_name({"model": "hog", "model_digest": "hog-1"}) == "hog-1"
    tuned = {"model": "w/export/7", "model_digest": "0123456789"}
    for run in ("faces-face_aware-finetune-5e6f7a8b", "faces-face_aware-finetune-5e6f7a8b-probe"):
        assert run_name({**tuned, "run": run}) == "w-7-01234567-5e6f7a8b"  # two rates are two runs


def test_a_probe_writes_a_run_for_each_model_and_keeps_what_was_there(tmp_path, capsys, run_probe):
    def model(name, digest):
        return Encoder(name, digest, lambda faces: {"face_aware": faces.reshape(len(faces), -1).astype(np.float32)})

    tasks = [task("/data/a/labels.csv"), task("/data/b/labels.csv")]
    models = [model("one", "1111111111"), dataclasses.replace(model("two", "2222222222"), step=5)]
    run_probe(models, tasks, ["face_aware"], solver="lbfgs", seed=0, **_kept(tmp_path), save=True)
    run_probe(models[:1], tasks[:1], ["face_aware"], solver="lbfgs", seed=1, **_kept(tmp_path), save=True)
    rows = json.loads((tmp_path / "result.json").read_text())["results"]
    assert [(r["model"], r["task"], r["seed"]) for r in rows] == [
        ("one", "a/labels", 0),
        ("one", "b/labels", 0),
        ("two", "a/labels", 0),
        ("two", "b/labels", 0),
        ("one", "a/labels", 1),
    ]
    runs = sorted((tmp_path / "logs").iterdir())
    assert [r.name for r in runs] == ["one-11111111", "two-22222222"]
    found = {}
    for path in runs[0].glob("events*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            found |= {v.tag: event.step for v in event.summary.value}
    tags = {
        f"probe/{name}/face_aware{how}/accuracy"
        for name, how in (("a/labels", ""), ("b/labels", ""), ("a/labels", "/seed1"))
    }
    if not absent():
        tags |= {tag.replace("accuracy", "confusion") for tag in tags}
    assert {t for t in found if "detail" not in t} == tags and set(found.values()) == {0}
    out = capsys.readouterr().out
    assert out.count("b/labels") == 3 and out.count("difference") == 2  # of the second model, one a task


def test_images_that_cannot_be_read_are_named_on_the_screen_and_in_the_result(tmp_path, capsys, run_probe):
    whole = task("/data/a/labels.csv")

    def items():
        for i, (name, face) in enumerate(whole.source.items()):
            yield name, Unreadable("no such face") if i == 12 else face

    model = Encoder("one", "1111111111", lambda faces: {"face_aware": faces.reshape(len(faces), -1).astype(np.float32)})
    broken = dataclasses.replace(whole, source=dataclasses.replace(whole.source, items=items))
    (found,) = run_probe([model], [broken], ["face_aware"], solver="lbfgs", seed=0, **_kept(tmp_path), save=False)
    said = "labels: 1 of 20 images cannot be read and are left out: faces#12 (no such face)."
    assert f"note: {said}\n" in capsys.readouterr().err
    assert found["notes"] == [said] and found["counts"]["test"] == 9 and found["counts"]["unreadable"] == 1


def test_a_long_name_is_cut_and_no_number_is_lost_to_a_file_beside_it(tmp_path, monkeypatch, run_probe):
    assert short("a/labels") == "a-labels" and short("x" * 40) == "x" * 40
    long = [f"labels[{','.join(f'column{i}' for i in range(60))},{end}]" for end in "ab"]
    assert len({short(name) for name in long}) == 2 and max(map(len, map(short, long))) < 50
    model = Encoder("one", "1111111111", lambda faces: {"face_aware": faces.reshape(len(faces), -1).astype(np.float32)})
    asked = [model], [task("/data/labels.csv", name=long[0])], ["face_aware"]
    options = {"solver": "knn", "seed": 0, "save": False, **_kept(tmp_path)}
    (found,) = run_probe(*asked, **options)
    assert len(list(tmp_path.glob("labels*-predictions.csv"))) == 1

    def full(*_, **__):
        raise OSError("no space")

    monkeypatch.setattr("pcl_tf.evaluation.predictions.write", full)
    for name in ("result.json", "tables.md", "tables.tex"):
        (tmp_path / name).unlink()
    with pytest.raises(OSError, match="no space"):
        run_probe(*asked, **options)
    (kept,) = json.loads((tmp_path / "result.json").read_text())["results"]
    assert kept["value"] == found["value"]


def test_solvers_stand_in_the_table_where_they_are_several():
    rows = [{**row(0.5), "interval": (0.4, 0.6), "counts": {"test": 7}, "solver": s} for s in ("probe-0.01", "scratch")]
    header, first, second = report.table(rows).splitlines()
    assert header.index("solver") == first.index("probe-0.01") == second.index("scratch")
    assert header.index("metric") == first.index("accuracy") and "solver" not in report.table(rows[:1])
