"""Results, differences of two models and errors by group: closed forms, people, folds, copies."""

import dataclasses

import numpy as np
import pytest

from pcl_tf.data.listed import arrays
from pcl_tf.errors import Refused
from pcl_tf.evaluation import bootstrap, linear
from pcl_tf.evaluation.bootstrap import Units
from pcl_tf.evaluation.evaluate import Result, by_group, difference, evaluate, of_folds
from pcl_tf.evaluation.kind import Scored
from pcl_tf.evaluation.kinds import KINDS
from pcl_tf.evaluation.task import Task, connected_folds, copies_named, exclusive_folds, folds_from

PEOPLE = np.repeat([f"s{i}" for i in range(30)], 20)
ERRORS = np.repeat(np.abs(np.random.RandomState(0).normal(size=30)), 20)[:, None]  # one person's images err alike
R = np.random.RandomState(3)


def asked(kind, labels, names=("a", "b"), subjects=None, group=None, splits=()):
    """A task of images that nobody looks at; group: of each image, of a column g."""
    source = arrays("faces", np.zeros((len(labels), 8, 8, 3), np.uint8))
    groups = {} if group is None else {"g": np.asarray(group)}
    return Task("t", kind, source, 8, names, labels, splits, subjects, groups=groups)


def answered(task, scores, folds=None):
    """Result of scores [N, K] in the order of the task's rows."""
    folds = np.zeros(len(scores), int) if folds is None else folds
    rows = [np.flatnonzero(folds == fold) for fold in np.unique(folds)]
    return of_folds(task, [(of, np.asarray(scores)[of]) for of in rows], {}, counts={})


def right(each):
    """(task, Result) of a classification in which class 0 is true everywhere."""
    task, each = asked("classification", np.zeros(len(each), int)), np.asarray(each, float)
    return task, answered(task, np.stack([each, 1 - each], axis=1))


def width(interval):
    return interval[1] - interval[0]


@pytest.fixture
def nothing_is_learnt(monkeypatch):
    """Every probe answers with its feature."""
    answer = linear.Linear(np.ones((1, 1), np.float32), np.zeros(1, np.float32))
    monkeypatch.setattr(linear, "fit", lambda *args, **kwargs: (answer, {"solver": "none"}))


def of_people(splits, subjects=PEOPLE, kind="regression"):
    labels = np.zeros((600, 1), np.float32) if kind == "regression" else (np.arange(600) % 3 == 0)[:, None] * 1.0
    return asked(kind, labels, ("x",), subjects, splits=splits)


def test_people_are_resampled_and_the_result_says_so(nothing_is_learnt):
    known = of_people(exclusive_folds(PEOPLE, 5))
    found, unknown = (evaluate(t, ERRORS) for t in (known, dataclasses.replace(known, subjects=None)))
    assert 3 < width(found.interval) / width(unknown.interval) < 6  # the square root of 20 images a person
    assert found.value == unknown.value and (found.resampled, found.units) == ("subjects", 30)
    assert {"resampled": "images", "units": 600}.items() <= unknown.as_json().items()
    labels = of_people(exclusive_folds(PEOPLE, 3), kind="multilabel")
    assert evaluate(labels, ERRORS).resampled == "subjects"


def test_people_stay_beside_their_errors_in_the_order_of_the_folds(nothing_is_learnt):
    splits = folds_from([int(s[1:]) % 4 for s in PEOPLE])
    order = np.concatenate([test for _, test in splits])
    units = Units("subjects", 30, people=PEOPLE[order])
    expected = bootstrap.central(bootstrap.resamples(ERRORS[order], lambda m: float(m.mean()), units))
    assert evaluate(of_people(splits), ERRORS).interval == pytest.approx(expected, rel=1e-6)


def test_an_unreadable_fold_is_named(nothing_is_learnt):
    splits = folds_from([int(s[1:]) % 3 for s in PEOPLE])
    with pytest.raises(Refused, match="t, fold 2 of 3: 400 training and 0 test images can be read"):
        evaluate(of_people(splits), ERRORS, bad=splits[1][1])
    with pytest.raises(Refused, match="t, fold 1 of 1: 1 training and 200 test images can be read; at least 2 and 1"):
        evaluate(of_people(splits[:1]), ERRORS, bad=splits[0][0][1:])


def test_neighbours_give_shares_and_no_layer():
    classes = np.arange(50) % 2
    for kind, labels in (("classification", classes), ("multilabel", np.eye(2)[classes])):
        task = asked(kind, labels, splits=((np.arange(30), np.arange(30, 50)),))
        found = evaluate(task, np.eye(2)[classes] + 0.1, solver="knn")
        # of 30 images 15 are of one's own class, the other 5 neighbours are not
        assert found.value == 1 and found.layer is None and found.protocol["k"] == 20
        np.testing.assert_allclose(found.scored.scores, np.where(np.eye(2)[classes[30:]], 0.75, 0.25))


def test_exclusive_folds_share_no_subject_and_test_every_image_once():
    subjects = np.random.RandomState(0).choice([f"s{i}" for i in range(27)], size=500)
    folds = exclusive_folds(subjects, 3)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(500))
    for train, test in folds:
        assert not set(subjects[train]) & set(subjects[test])
        assert len(test) == pytest.approx(500 / 3, abs=12)
    assert [list(t) for _, t in folds_from([1, 0, 1, 2])] == [[1], [0, 2], [3]]


def test_folds_of_pairs_share_no_picture():
    pairs = np.array([[0, 1], [1, 2], [2, 0], [3, 4], [4, 5], [6, 7], [8, 9]])
    folds = connected_folds(pairs, 3)
    shown = [set(pairs[folds == fold].ravel()) for fold in range(3)]
    assert sum(map(len, shown)) == 10 == len(set.union(*shown)) and set(folds[:3]) == {folds[0]}
    with pytest.raises(Refused, match="5 folds .* need at least 5 sets of linked pictures, not 4"):
        connected_folds(pairs, 5)


def test_copies_of_training_images_are_counted_and_the_others_scored_without_them(nothing_is_learnt):
    task = of_people(((np.arange(200), np.arange(200, 600)),), None)
    contents = [*range(200), *range(100), *range(300, 600)]  # a fourth of the test
    task = copies_named(dataclasses.replace(task, source=dataclasses.replace(task.source, contents=contents)))
    (note,) = task.notes
    assert note == "t: 100 of 400 tested images are copies of training images; group 'copies: no' is without them."
    found = evaluate(task, ERRORS).groups["copies"]["groups"]
    assert {name: of["count"] for name, of in found.items()} == {"no": 300, "yes": 100}
    assert found["no"]["value"] == pytest.approx(ERRORS[300:].mean(), rel=1e-6)
    assert copies_named(of_people(exclusive_folds(PEOPLE, 3))).groups == {}


def test_the_mean_of_the_differences_has_their_interval():
    one, other = R.rand(4000) < 0.7, R.rand(4000) < 0.8
    task, first = right(one)
    found = difference(task, right(other)[1], first)
    each = other.astype(float) - one
    assert found["value"] == pytest.approx(each.mean()) and found["resampled"] == "images"
    assert width(found["interval"]) / 3.92 == pytest.approx(each.std() / np.sqrt(4000), rel=0.08)
    assert found["interval"][0] < found["value"] < found["interval"][1]
    same = difference(task, first, first)
    assert same == {"value": 0.0, "interval": (0.0, 0.0), "resampled": "images", "units": 4000}


def test_what_is_hard_for_both_cancels():
    hard = R.rand(2000) < 0.5
    task, first = right(hard)
    better = hard.copy()
    better[np.flatnonzero(~hard)[:20]] = True
    found = difference(task, right(better)[1], first)
    assert found["value"] == pytest.approx(0.01) and found["interval"][0] > 0
    assert width(found["interval"]) < width(first.interval) / 4


def test_f1_is_compared_by_the_labels_that_both_have():
    truth = np.zeros((40, 2), int)
    truth[::2, 0] = 1
    folds = np.repeat([0, 1], 20)
    silent = np.where(truth > 0, 1.0, -1.0)
    alarmed = silent.copy()
    alarmed[3, 1] = 1.0  # in fold 0 alone; of the first model the label has no F1 anywhere
    task = asked("multilabel", truth)
    found = difference(task, answered(task, alarmed, folds), answered(task, silent, folds))
    assert found == {"value": 0.0, "interval": (0.0, 0.0), "resampled": "images", "units": 40}


def probed(kind):
    """(task, two Results) of real probes of two features."""
    count, x = 240, R.normal(size=(240, 6)).astype(np.float32)
    noise = x + R.normal(size=x.shape).astype(np.float32)
    if kind == "verification":
        pairs = np.arange(count).reshape(-1, 2)
        same = np.arange(len(pairs)) % 2
        x[pairs[same == 1, 1]] = x[pairs[same == 1, 0]] + 0.8 * R.normal(size=(len(pairs) // 2, 6))
        images = arrays("faces", np.zeros((count, 8, 8, 3), np.uint8))
        task = Task("t", kind, images, 8, pairs=pairs, same=same, folds=np.arange(len(pairs)) % 5)
        return task, [evaluate(task, f) for f in (x, x[:, :2])]
    labels = {
        "classification": (x[:, 0] > 0).astype(int),
        "multilabel": (x[:, :3] + R.normal(size=(count, 3)) > 0.5).astype(np.float32),
        "regression": x[:, :2] * 10,
    }[kind]
    names = ("a", "b", "c")[: 2 if labels.ndim == 1 else labels.shape[1]]
    task = asked(kind, labels, names, splits=folds_from(np.arange(count) % 3))
    return task, [evaluate(task, f, solver="knn") for f in (x, noise)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_difference_is_the_second_result_less_the_first(kind):
    task, (one, other) = probed(kind)
    found = difference(task, other, one)
    assert found["value"] == pytest.approx(other.value - one.value) and found["value"] != 0
    assert found["resampled"] == other.resampled
    assert ("learnt" in found) == (not KINDS[kind].labelled)
    if "learnt" in found:
        assert found["learnt"]["value"] == pytest.approx(other.learnt.value - one.learnt.value) != found["value"]


def test_other_tests_are_refused():
    task, first = right([1, 0, 1, 1])
    for change in ({"rows": first.scored.rows[::-1]}, {"folds": first.scored.folds + 1}):
        other = dataclasses.replace(first, scored=dataclasses.replace(first.scored, **change))
        with pytest.raises(ValueError, match="same test"):
            difference(task, other, first)


def of_pairs(same, predicted, folds, group=None):
    """(task, Result) of pairs."""
    images = arrays("f", np.zeros((2, 8, 8, 3), np.uint8))
    groups = {} if group is None else {"g": group}
    task = Task("t", "verification", images, 8, pairs=np.tile([0, 1], (len(same), 1)), same=same, groups=groups)
    scored = Scored(np.arange(len(same)), folds, same, np.zeros(len(same)), predicted)
    return task, Result("accuracy", 0.0, (0.0, 0.0), {}, {}, {}, "pairs", len(same), scored)


def test_pairs_are_resampled_within_their_folds():
    same, folds = np.tile([0, 1], 50), np.repeat(np.arange(4), 25)
    task, half = of_pairs(same, np.where(np.arange(100) < 50, same, 1 - same), folds)
    found = difference(task, half, of_pairs(same, same, folds)[1])
    assert found["value"] == -0.5 and found["interval"] == (-0.5, -0.5)  # every fold is all right or all wrong


def test_accuracy_of_each_group_and_the_gap():
    wrong = np.zeros(300)
    wrong[:10] = wrong[100:140] = 1  # a tenth of x, four tenths of y
    task = asked("classification", np.zeros(300, int), group=np.repeat(["x", "y", "z", ""], [100, 100, 9, 91]))
    found = answered(task, np.stack([1 - wrong, wrong], 1)).groups["g"]
    assert {n: (g["value"], g["count"]) for n, g in found["groups"].items()} == {"x": (0.9, 100), "y": (0.6, 100)}
    assert found["too_few"] == {"z": 9} and found["without"] == 91 and found["groups"]["x"]["detail"] == {"a": 0.9}
    assert found["gap"]["between"] == ("y", "x") and found["gap"]["value"] == pytest.approx(0.3)
    assert width(found["groups"]["y"]["interval"]) / 3.92 == pytest.approx(np.sqrt(0.6 * 0.4 / 100), rel=0.1)
    assert width(found["gap"]["interval"]) / 3.92 == pytest.approx(np.sqrt((0.6 * 0.4 + 0.1 * 0.9) / 100), rel=0.1)


def test_people_are_resampled_in_groups_and_one_alone_is_no_group():
    people, group = np.repeat(["p", "q", "r"], 40), np.repeat(["two", "one"], [80, 40])
    task = asked("regression", np.zeros((120, 1)), ("yaw",), people, group)
    found = answered(task, np.repeat([1.0, 3.0, 5.0], 40)[:, None]).groups["g"]
    assert found["groups"]["two"]["interval"] == (1.0, 3.0)
    assert found["groups"]["two"]["resampled"] == "subjects" and found["groups"]["two"]["units"] == 2
    assert found["too_few"] == {"one": 40} and found["gap"] is None


def test_f1_is_of_labels_that_every_group_shows_and_over_all_folds_together():
    labels = np.zeros((40, 2))
    labels[:20, 0] = labels[20:30, 0] = 1  # b is shown by the first group alone
    labels[:10, 1] = 1
    group = np.repeat(["x", "y"], 20)
    found = answered(asked("multilabel", labels, group=group), np.ones((40, 2)), np.arange(40) // 10).groups["g"]
    assert found["labels_left_out"] == ["b"]
    assert {n: g["detail"] for n, g in found["groups"].items()} == {"x": {"a": 1.0}, "y": {"a": pytest.approx(2 / 3)}}
    found = answered(asked("multilabel", 0 * labels, group=group), np.ones((40, 2))).groups["g"]
    assert found["labels_left_out"] == ["a", "b"] and not found["groups"] and found["gap"] is None


def test_groups_of_pairs_have_rates_of_both_errors():
    same, predicted = np.tile([1, 1, 0, 0], 10), np.tile([1, 0, 0, 1], 10)
    predicted[20:] = same[20:]
    task, result = of_pairs(same, predicted, np.zeros(40, int), np.repeat(["x", "y"], 20))
    found = by_group(task, result.scored)["g"]
    assert found["groups"]["x"]["detail"] == {"false match rate": 0.5, "false non-match rate": 0.5}
    assert found["groups"]["y"]["value"] == 1 and found["gap"]["value"] == 0.5
    assert found["groups"]["x"]["resampled"] == "pairs"
