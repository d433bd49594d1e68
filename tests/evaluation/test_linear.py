"""The probe's solvers: optimal where they say so, the same twice, chosen on training rows alone."""

import keras
import numpy as np
import pytest
from sklearn import linear_model
from sklearn.metrics import f1_score

from pcl_tf.evaluation import adam, lbfgs, linear
from pcl_tf.evaluation.kinds import KINDS

R = np.random.RandomState


def blobs(count=240, classes=3, width=6, seed=0):
    r = R(seed)
    y = r.randint(classes, size=count)
    return (r.normal(size=(count, width)) + 1.5 * R(9).normal(size=(classes, width))[y]).astype(np.float32), y


def few(solver, epochs):
    """Options under which Adam, which takes minutes for the paper's 300 epochs, takes so many."""
    return {"epochs": epochs} if solver == "adam" else {}


def test_lbfgs_solves_what_scikit_learn_solves():
    x, y = blobs()
    layer, protocol = linear.fit("classification", x, y, solver="lbfgs", penalties=[1e-2])
    z = (x - x.mean(0)) / x.std(0)
    theirs = linear_model.LogisticRegression(C=1 / (1e-2 * len(x)), tol=1e-8, max_iter=5000).fit(z, y)
    ours = layer(x) - layer(x).mean(1, keepdims=True)
    np.testing.assert_allclose(ours, z @ theirs.coef_.T + theirs.intercept_, atol=2e-2)
    assert protocol["converged"] and protocol["l2"] == 1e-2


def test_the_penalty_is_chosen_where_it_generalises_best():
    x = R(0).normal(size=(80, 200)).astype(np.float32)
    _, protocol = linear.fit(
        "classification", x, R(1).randint(2, size=80), solver="lbfgs"
    )  # nothing to learn: hold back
    assert protocol["l2"] == lbfgs.PENALTIES.max()
    x, y = blobs(2000, width=3)
    _, protocol = linear.fit("classification", x, y, solver="lbfgs")
    assert protocol["l2"] < 1e-1


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_regression_finds_the_line(solver):
    x = R(0).normal(size=(3000, 4)).astype(np.float32) * [1, 5, 0.2, 1] + [0, 3, 0, -2]
    y = x @ R(1).normal(size=(4, 2)) + [10, -5]
    layer, _ = linear.fit("regression", x, y, solver=solver, **few(solver, 30))
    tolerance = {"lbfgs": 0.05, "adam": 0.6}[solver] * y.std()
    assert np.abs(layer(x) - y).mean() < tolerance


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_multilabel_learns_each_label(solver):
    x = R(0).normal(size=(2500, 5)).astype(np.float32)
    y = (x[:, :3] > [0, 0.5, -0.5]).astype(np.float32)
    layer, _ = linear.fit("multilabel", x, y, solver=solver, **few(solver, 60))
    assert ((layer(x) > 0) == (y > 0)).mean() > 0.95


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_the_same_seed_gives_the_same_probe(solver):
    x, y = blobs()
    a, b = (linear.fit("classification", x, y, solver=solver, seed=5, **few(solver, 20))[0] for _ in range(2))
    assert np.array_equal(a.weights, b.weights) and np.array_equal(a.bias, b.bias)


def test_adam_and_lbfgs_agree_on_an_easy_problem():
    x, y = blobs(600)
    layers = {s: linear.fit("classification", x, y, solver=s, **few(s, 40))[0] for s in ("adam", "lbfgs")}
    accuracy = {s: (layer(x).argmax(1) == y).mean() for s, layer in layers.items()}
    assert accuracy["adam"] == pytest.approx(accuracy["lbfgs"], abs=0.02)
    assert accuracy["lbfgs"] > 0.8


def test_unscaled_folds_the_standardisation_in():
    r = R(0)
    x, w, b = r.normal(size=(20, 3)), r.normal(size=(3, 2)), r.normal(size=2)
    mean, std, low, span = r.normal(size=3), r.rand(3) + 0.5, r.normal(size=2), r.rand(2) + 0.5
    expected = low + span * (((x - mean) / std) @ w + b)
    np.testing.assert_allclose(linear.unscaled(w, b, mean=mean, std=std, low=low, span=span)(x), expected, atol=1e-5)


def test_constant_features_do_no_harm():
    x, y = blobs()
    dead = np.concatenate([x, np.full((len(x), 2), 7.0, np.float32)], axis=1)
    layer, _ = linear.fit("classification", dead, y, solver="lbfgs")
    assert (layer(dead).argmax(1) == y).mean() > 0.8


def test_held_out_subjects_are_held_out_whole():
    subjects = R(0).choice(list("abcdefghij"), size=100)
    out = lbfgs.held_out(100, subjects=subjects, seed=0)
    assert out.any() and not set(subjects[out]) & set(subjects[~out])


def test_of_no_class_all_rows_are_held_out():
    classes = np.r_[np.zeros(40, int), np.arange(1, 21)]  # twenty with one row each
    before = lbfgs.held_out(60, subjects=None, seed=0)
    out = lbfgs.held_out(60, subjects=None, seed=0, classes=classes)
    assert before[40:].any() and out.any() and not out[40:].any() and not (out & ~before).any()
    people = np.r_[np.arange(40) % 8, 1, 2, np.arange(18) % 8]  # those of a class alone lie with other rows
    before, out = (lbfgs.held_out(60, subjects=people, seed=0, classes=c) for c in (None, np.minimum(classes, 3)))
    assert not set(people[out]) & set(people[~out]) and set(np.minimum(classes, 3)[~out]) == {0, 1, 2, 3} and out.any()
    own = lbfgs.held_out(50, subjects=np.arange(50) // 5, seed=0, classes=np.arange(50) // 5)  # who it is, by who it is
    assert own.sum() == 10 and len(set((np.arange(50) // 5)[~own])) == 10
    assert lbfgs.held_out(5, subjects=None, seed=0, classes=np.arange(5)).sum() == 1  # nothing else is left


@pytest.mark.parametrize("solver", ["lbfgs", "knn"])
def test_targets_may_be_times_in_seconds(solver):
    x = R(0).normal(size=(400, 3))
    y = 1.76e9 + 7 * x[:, :1]
    layer, _ = linear.fit("regression", x, y, solver=solver, **few(solver, 5))
    assert np.abs(layer(x) - y).mean() < {"lbfgs": 0.5, "knn": 4}[solver]


def test_the_penalty_of_rare_labels_is_chosen_by_f1():
    """The loss alone would hold back a layer for rare labels until it finds nothing."""
    x = R(0).normal(size=(1000, 200)).astype(np.float32)
    y = (x[:, :3] + R(1).normal(size=(1000, 3)) > 2.3).astype(np.float32)
    assert 0.02 < y.mean() < 0.08
    layer, _ = linear.fit("multilabel", x[:700], y[:700], solver="lbfgs")
    assert f1_score(y[700:], layer(x[700:]) > 0, average="macro", zero_division=0) > 0.1


@pytest.mark.parametrize(("kind", "coupled"), [("multilabel", True), ("regression", False)])
def test_a_step_is_the_released_codes(kind, coupled, monkeypatch):
    """One step from PyTorch's beginning, by hand: BatchNorm, then Adam, which moves every weight by its rate."""
    monkeypatch.setattr(adam, "TorchUniform", lambda fan_in: keras.initializers.Constant(fan_in / 40))
    x = R(0).normal(size=(100, 4)).astype(np.float32)
    y = (x[:, :1] > 0).astype(np.float32) if coupled else 9 * x[:, :1] + x[:, 1:2]
    y = y.astype(np.float64)
    layer, protocol = adam.solve(KINDS[kind], x, y, epochs=1)
    # The running mean and variance after one step, which the layer on raw features has in it.
    mean, var = 0.1 * x.mean(0), 0.9 + 0.1 * x.var(0)
    z = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)
    out = z @ np.full((4, 1), 0.1) + 0.1
    slope = (1 / (1 + np.exp(-out)) - y if coupled else np.sign(out - y)) / len(x)
    decay, shrunk = (1e-4, 1.0) if coupled else (0.0, 1 - 1e-3 * 1e-2)

    def stepped(value, gradient):
        gradient = gradient + decay * value
        return value * shrunk - 1e-3 * np.sign(gradient)

    dz = slope @ np.full((1, 4), 0.1)
    w, b = stepped(np.full((4, 1), 0.1), z.T @ slope), stepped(0.1, slope.sum())
    gamma, beta = stepped(np.ones(4), (dz * z).sum(0)), stepped(np.zeros(4), dz.sum(0))
    scaled = (x - mean) / np.sqrt(var + 1e-5) * gamma + beta
    np.testing.assert_allclose(layer(x), scaled @ w + b, atol=2e-5)
    assert protocol["batch_norm"] and not protocol["cosine"] and protocol["decay_kind"].startswith("coupled") == coupled
