"""Error by group: closed forms, groups too small, gaps, and manifests with columns of groups."""

import numpy as np
import pytest
from PIL import Image

from pcl_tf.data.listed import arrays
from pcl_tf.errors import Refused
from pcl_tf.evaluation import bootstrap, groups, tasks
from pcl_tf.evaluation.bootstrap import Units
from pcl_tf.evaluation.kinds import KINDS, Scored
from pcl_tf.evaluation.manifest import read_manifest
from pcl_tf.evaluation.task import Task


def scored(kind, labels, scores, group, names=("a", "b"), subjects=None, folds=None):
    count = len(labels)
    source = arrays("faces", np.zeros((count, 8, 8, 3), np.uint8))
    task = Task("t", kind, source, 8, names, labels, subjects=subjects, groups={"g": np.asarray(group)})
    folds = np.zeros(count, int) if folds is None else folds
    return groups.by_group(task, Scored(np.arange(count), folds, labels, *KINDS[kind].answers(scores)))["g"]


def test_accuracy_of_each_group_and_the_gap():
    labels, group = np.zeros(300, int), np.repeat(["x", "y", "z", ""], [100, 100, 9, 91])
    wrong = np.zeros(300)
    wrong[:10] = wrong[100:140] = 1  # a tenth of x, four tenths of y
    found = scored("classification", labels, np.stack([1 - wrong, wrong], 1), group)
    assert {n: (g["value"], g["count"]) for n, g in found["groups"].items()} == {"x": (0.9, 100), "y": (0.6, 100)}
    assert found["too_few"] == {"z": 9} and found["without"] == 91 and found["groups"]["x"]["detail"] == {"a": 0.9}
    assert found["gap"]["between"] == ("y", "x") and found["gap"]["value"] == pytest.approx(0.3)
    low, high = found["groups"]["y"]["interval"]
    assert (high - low) / 3.92 == pytest.approx(np.sqrt(0.6 * 0.4 / 100), rel=0.1)
    low, high = found["gap"]["interval"]
    assert (high - low) / 3.92 == pytest.approx(np.sqrt((0.6 * 0.4 + 0.1 * 0.9) / 100), rel=0.1)


def test_errors_and_the_bootstrap_of_the_whole():
    errors = np.random.RandomState(0).normal(size=80)
    found = scored("regression", np.zeros((80, 1)), errors[:, None], ["all"] * 80, ("yaw",))
    drawn = bootstrap.resamples(np.abs(errors)[:, None], lambda m: float(m.mean()), Units("images", 80))
    whole = bootstrap.central(drawn)
    assert found["groups"]["all"]["interval"] == pytest.approx(whole) and found["gap"] is None
    assert found["groups"]["all"]["detail"]["yaw"] == found["groups"]["all"]["value"]


def test_people_are_resampled_in_groups_and_one_alone_is_no_group():
    people = np.repeat(["p", "q", "r"], 40)
    errors = np.repeat([1.0, 3.0, 5.0], 40)[:, None]
    found = scored("regression", np.zeros((120, 1)), errors, np.repeat(["two", "one"], [80, 40]), ("yaw",), people)
    assert found["groups"]["two"]["interval"] == (1.0, 3.0)
    assert found["groups"]["two"]["resampled"] == "subjects" and found["groups"]["two"]["units"] == 2
    assert found["too_few"] == {"one": 40}


def test_f1_is_of_labels_that_every_group_shows_and_over_all_folds_together():
    labels = np.zeros((40, 2))
    labels[:20, 0] = labels[20:30, 0] = 1  # b is shown by the first group alone
    labels[:10, 1] = 1
    scores = np.full((40, 2), 1.0)
    found = scored("multilabel", labels, scores, np.repeat(["x", "y"], 20), folds=np.arange(40) // 10)
    assert found["labels_left_out"] == ["b"]
    assert {n: g["detail"] for n, g in found["groups"].items()} == {"x": {"a": 1.0}, "y": {"a": pytest.approx(2 / 3)}}
    found = scored("multilabel", 0 * labels, scores, np.repeat(["x", "y"], 20))
    assert found["labels_left_out"] == ["a", "b"] and not found["groups"] and found["gap"] is None


def test_pairs_have_rates_of_both_errors():
    same, said = np.tile([1, 1, 0, 0], 10), np.tile([1, 0, 0, 1], 10)
    said[20:] = same[20:]
    source = arrays("faces", np.zeros((2, 8, 8, 3), np.uint8))
    pairs, group = np.tile([0, 1], (40, 1)), np.repeat(["x", "y"], 20)
    task = Task("t", "verification", source, 8, pairs=pairs, same=same, folds=same, groups={"g": group})
    scored = Scored(np.arange(40), np.zeros(40, int), same, np.zeros(40), said)
    found = groups.by_group(task, scored)["g"]
    assert found["groups"]["x"]["detail"] == {"false match rate": 0.5, "false non-match rate": 0.5}
    assert found["groups"]["y"]["value"] == 1 and found["gap"]["value"] == 0.5
    assert found["groups"]["x"]["resampled"] == "pairs"


@pytest.fixture
def folder(tmp_path):
    for i in range(12):
        Image.new("RGB", (8, 8), (10 * i, 0, 0)).save(tmp_path / f"{i}.png")
    rows = [f"{i}.png,{i},{'fm'[i % 2]},{'' if i == 3 else 20 + i},g{i % 3}" for i in range(12)]
    (tmp_path / "m.csv").write_text("\n".join(["path,yaw,gender,age,Group", *rows]))
    return tmp_path


def test_columns_of_groups_are_no_targets(folder):
    task = read_manifest(folder / "m.csv", "regression", 8, groups=["gender", "age", "GROUP"])
    assert task.names == ("yaw",) and list(task.groups) == ["group", "gender", "age"]
    assert task.groups["gender"].tolist() == ["f", "m"] * 6 and task.groups["age"][3] == ""
    assert list(read_manifest(folder / "m.csv", "regression", 8, targets=["yaw"]).groups) == ["group"]
    other = read_manifest(folder / "m.csv", "regression", 8, targets=["yaw"], groups=["gender"])
    assert other.digest == read_manifest(folder / "m.csv", "regression", 8, targets=["yaw"]).digest


def test_pairs_have_groups_of_their_own(folder):
    rows = ["fold,path1,path2,same,gender", "a,0.png,1.png,1,f", "b,1.png,2.png,0,m", "b,0.png,2.png,0,"]
    (folder / "p.csv").write_text("\n".join(rows))
    task = read_manifest(folder / "p.csv", "verification", 8, groups=["gender"])
    assert task.groups["gender"].tolist() == ["f", "m", ""]


@pytest.mark.parametrize("name", ["hair", "path", ""])
def test_a_column_that_is_not_there_is_named(folder, name):
    with pytest.raises(Refused, match=f"--groups={name}: no such column of groups .* path, yaw, gender, age, group"):
        read_manifest(folder / "m.csv", "regression", 8, targets=["yaw"], groups=[name])


def test_groups_of_what_is_no_manifest():
    with pytest.raises(Refused, match="--groups=age: --task=generated_pose is no manifest"):
        tasks.open_task("generated_pose", groups=["age"])
