"""Solvers of the probe: optimal where they say so, the same twice, chosen on training rows alone."""

import tracemalloc

import keras
import numpy as np
import pytest
from sklearn import linear_model
from sklearn.metrics import f1_score

from pcl_tf.evaluation import linear
from pcl_tf.evaluation.linear import Nearest

R = np.random.RandomState


def blobs(count=240, classes=3, width=6, seed=0):
    r = R(seed)
    y = r.randint(classes, size=count)
    return (r.normal(size=(count, width)) + 1.5 * R(9).normal(size=(classes, width))[y]).astype(np.float32), y


def test_lbfgs_solves_what_scikit_learn_solves(monkeypatch):
    monkeypatch.setattr(linear, "PENALTIES", [1e-2])
    x, y = blobs()
    layer, protocol = linear.fit("classification", x, y)
    z = (x - x.mean(0)) / x.std(0)
    theirs = linear_model.LogisticRegression(C=1 / (1e-2 * len(x)), tol=1e-8, max_iter=5000).fit(z, y)
    ours = layer(x) - layer(x).mean(1, keepdims=True)
    np.testing.assert_allclose(ours, z @ theirs.coef_.T + theirs.intercept_, atol=2e-2)
    assert protocol["converged"] and protocol["l2"] == 1e-2


def test_the_penalty_is_chosen_where_it_generalises_best():
    x = R(0).normal(size=(80, 200)).astype(np.float32)
    _, protocol = linear.fit("classification", x, R(1).randint(2, size=80))  # nothing to learn: hold back
    assert protocol["l2"] == linear.PENALTIES.max()
    assert linear.fit("classification", *blobs(2000, width=3))[1]["l2"] < 1e-1


def test_the_penalty_of_rare_labels_is_chosen_by_f1():
    """The loss alone would hold back a layer for rare labels until it finds nothing."""
    x = R(0).normal(size=(1000, 200)).astype(np.float32)
    y = (x[:, :3] + R(1).normal(size=(1000, 3)) > 2.3).astype(np.float32)
    assert 0.02 < y.mean() < 0.08
    layer, _ = linear.fit("multilabel", x[:700], y[:700])
    assert f1_score(y[700:], layer(x[700:]) > 0, average="macro", zero_division=0) > 0.1


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_each_kind_learns_its_law(solver, monkeypatch):
    monkeypatch.setattr(linear, "EPOCHS", 60)
    x = R(0).normal(size=(2500, 4)).astype(np.float32) * [1, 5, 0.2, 1] + [0, 3, 0, -2]
    y = x @ R(1).normal(size=(4, 2)) + [10, -5]
    error = np.abs(linear.fit("regression", x, y, solver=solver)[0](x) - y).mean()
    assert error < {"lbfgs": 0.05, "adam": 0.6}[solver] * y.std()
    labels = ((x[:, :3] - x[:, :3].mean(0)) / x[:, :3].std(0) > [0, 0.5, -0.5]).astype(np.float32)
    layer, _ = linear.fit("multilabel", x, labels, solver=solver)
    assert ((layer(x) > 0) == (labels > 0)).mean() > 0.95


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_the_same_seed_gives_the_same_layer(solver, monkeypatch):
    monkeypatch.setattr(linear, "EPOCHS", 2)
    a, b = (linear.fit("classification", *blobs(), solver=solver, seed=5)[0] for _ in range(2))
    assert np.array_equal(a.weights, b.weights) and np.array_equal(a.bias, b.bias)


def test_constant_features_do_no_harm():
    x, y = blobs()
    dead = np.concatenate([x, np.full((len(x), 2), 7.0, np.float32)], axis=1)
    assert (linear.fit("classification", dead, y)[0](dead).argmax(1) == y).mean() > 0.8


def test_held_out_subjects_are_held_out_whole():
    subjects = R(0).choice(list("abcdefghij"), size=100)
    out = linear.held_out(100, subjects=subjects, seed=0)
    assert out.any() and not set(subjects[out]) & set(subjects[~out])


def test_of_no_class_all_rows_are_held_out():
    classes = np.r_[np.zeros(40, int), np.arange(1, 21)]  # twenty with one row each
    before = linear.held_out(60, subjects=None, seed=0)
    out = linear.held_out(60, subjects=None, seed=0, classes=classes)
    assert before[40:].any() and out.any() and not out[40:].any() and not (out & ~before).any()
    people = np.r_[np.arange(40) % 8, 1, 2, np.arange(18) % 8]  # those of a class alone lie with other rows
    out = linear.held_out(60, subjects=people, seed=0, classes=np.minimum(classes, 3))
    assert not set(people[out]) & set(people[~out]) and set(np.minimum(classes, 3)[~out]) == {0, 1, 2, 3} and out.any()
    who = np.arange(50) // 5
    own = linear.held_out(50, subjects=who, seed=0, classes=who)  # who it is, by who it is
    assert own.sum() == 10 and len(set(who[~own])) == 10
    assert linear.held_out(5, subjects=None, seed=0, classes=np.arange(5)).sum() == 1  # nothing else is left


@pytest.mark.parametrize("solver", ["lbfgs", "knn"])
def test_targets_may_be_times_in_seconds(solver):
    x = R(0).normal(size=(400, 3))
    y = 1.76e9 + 7 * x[:, :1]
    layer, _ = linear.fit("regression", x, y, solver=solver)
    assert np.abs(layer(x) - y).mean() < {"lbfgs": 0.5, "knn": 4}[solver]


@pytest.mark.parametrize(("kind", "coupled"), [("multilabel", True), ("regression", False)])
def test_a_step_is_the_released_codes(kind, coupled, monkeypatch):
    """One step from PyTorch's beginning, by hand: BatchNorm, then Adam, which moves every weight by its rate."""
    monkeypatch.setattr(linear, "TorchUniform", lambda fan_in: keras.initializers.Constant(fan_in / 40))
    monkeypatch.setattr(linear, "EPOCHS", 1)
    x = R(0).normal(size=(100, 4)).astype(np.float32)
    y = (x[:, :1] > 0).astype(np.float32) if coupled else 9 * x[:, :1] + x[:, 1:2]
    y = y.astype(np.float64)
    layer, protocol = linear.fit(kind, x, y, solver="adam")
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
    assert protocol["batch_norm"] and not protocol["cosine"] and bool(protocol["coupled"]) == coupled


@pytest.mark.parametrize("shape", [(60, 7), (20, 50)])  # fewer features than rows, and more
def test_ridge_against_normal_equations(shape):
    """Each target's penalty is the one of least leave-one-out error, here by leaving out one row after the other."""
    x, y = 5 + R(0).randn(*shape), R(1).randn(shape[0], 2) + 1.76e9  # a time in seconds
    y[:, 0] += x[:, 0]
    z = (x - x.mean(0)) / x.std(0)

    def solved(rows, penalty, column):
        mean, target = z[rows].mean(0), y[rows, column]
        a = z[rows] - mean
        w = np.linalg.solve(a.T @ a + penalty * len(z) * np.eye(shape[1]), a.T @ (target - target.mean()))
        return lambda q: (q - mean) @ w + target.mean()

    every = np.arange(len(z))
    for column in (0, 1):
        errors = [sum((solved(every != i, p, column)(z[i]) - y[i, column]) ** 2 for i in every) for p in linear.RIDGES]
        expected = solved(every, linear.RIDGES[np.argmin(errors)], column)(z)
        np.testing.assert_allclose(linear.ridge((x, y), x)[:, column] - 1.76e9, expected - 1.76e9, atol=1e-5)


def test_neighbours_against_a_loop():
    train, test, y = R(0).randn(40, 5), R(1).randn(25, 5), R(2).randn(40, 2)
    found = Nearest(train, y, 7)(test)
    for x, answer in zip(test, found, strict=True):
        cosines = [x @ t / np.linalg.norm(x) / np.linalg.norm(t) for t in train]
        np.testing.assert_allclose(answer, y[sorted(range(40), key=lambda i: -cosines[i])[:7]].mean(0))
    few = np.array([[1.0, 0], [0, 1], [1, 0.1]])
    assert Nearest(few, np.array([[1.0], [2], [6]]))(few[:1]).tolist() == [[3.0]]  # all that there are


def test_neighbours_of_many_fit_in_memory():
    x = R(0).randn(20_000, 2).astype(np.float32)
    near = Nearest(x, np.ones((len(x), 1)))
    tracemalloc.start()
    try:
        assert (near(x[:2000]) == 1).all()
        assert tracemalloc.get_traced_memory()[1] < 300e6  # all 2,000 at once would take 500 MB
    finally:
        tracemalloc.stop()


def test_neighbours_vote_for_one_of_all_classes():
    x = np.repeat(np.eye(3), 30, axis=0) + 0.01 * R(0).randn(90, 3)
    layer, protocol = linear.fit("classification", x, np.repeat([2, 0, 1], 30), solver="knn", classes=4)
    assert protocol["k"] == 20 and layer(np.eye(3)).tolist() == [[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]]
