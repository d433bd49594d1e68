"""ROC, equal error rate and TAR@FAR against scikit-learn and cases counted by hand."""

import numpy as np
import pytest

from pcl_tf.evaluation import curves

R = np.random.RandomState


def test_roc_equals_scikit_learn():
    sk = pytest.importorskip("sklearn.metrics", reason="needs requirements-dev.txt")
    for seed in range(5):
        same = R(seed).randint(2, size=300)
        values = np.round(R(seed + 9).normal(size=300) + same, 1)  # many are equal
        far, tar, _ = sk.roc_curve(same, values, drop_intermediate=False)
        found = curves.roc(values, same)
        np.testing.assert_allclose(found, [far, tar], atol=1e-12)
        assert np.trapezoid(found[1], found[0]) == pytest.approx(sk.roc_auc_score(same, values))


def test_operating_points_by_hand():
    # accepted from the top: one, one, two, one, two, two people
    far, tar = curves.roc([6, 5, 4, 3, 2, 1], [1, 1, 0, 1, 0, 0])
    assert far.tolist() == pytest.approx([0, 0, 0, 1 / 3, 1 / 3, 2 / 3, 1])
    assert tar.tolist() == pytest.approx([0, 1 / 3, 2 / 3, 2 / 3, 1, 1, 1])
    assert curves.equal_error_rate(far, tar) == pytest.approx(1 / 3)
    assert [curves.tar_at(far, tar, limit) for limit in (0.1, 1 / 3, 1)] == pytest.approx([2 / 3, 1, 1])
    found = curves.summary([6, 5, 4, 3, 2, 1], [1, 1, 0, 1, 0, 0])
    assert found == {"EER": pytest.approx(1 / 3), "TAR@FAR": {}}  # three pairs of two people hold no rate of a tenth


def test_the_equal_error_rate_of_two_gaussians():
    same = np.arange(200_000) % 2
    found = curves.summary(R(0).normal(size=len(same)) + 2 * same, same)
    assert found["EER"] == pytest.approx(0.158655, abs=0.002)  # the normal distribution below -1
    # a threshold of 1.2816, 2.3263, 3.0902 lets in a tenth, a hundredth, a thousandth
    assert found["TAR@FAR"] == pytest.approx({"0.1": 0.76378, "0.01": 0.37208, "0.001": 0.13784}, abs=0.012)


def test_all_alike_and_all_apart():
    assert curves.summary([1, 1, 1, 1], [1, 0, 1, 0])["EER"] == 0.5
    assert curves.summary([2, 2, 1, 1], [1, 1, 0, 0])["EER"] == 0.0
    assert curves.summary([1, 2], [1, 1]) is None


def test_rates_are_told_where_pairs_suffice():
    for different, told in ((9, []), (10, ["0.1"]), (999, ["0.1", "0.01"]), (1000, ["0.1", "0.01", "0.001"])):
        same = np.r_[np.ones(5, int), np.zeros(different, int)]
        assert list(curves.summary(np.arange(len(same)), same)["TAR@FAR"]) == told
