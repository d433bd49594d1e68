"""The benchmark of a probe measures what it names."""

import pytest

from pcl_tf import recipe as recipes
from pcl_tf.benchmark.probe import probe
from recipes import quickstart


@pytest.mark.slow
def test_a_probe_is_measured_in_turns():
    found = probe(recipes.resolve(quickstart.get_config("smoke")), rounds=2)
    assert found["images"] / found["encoded_images_per_second"] > 0
    assert found["lbfgs_seconds"] > 0 and found["adam_seconds"] > 0
    assert len(found["spreads"]) == 3 and min(found["spreads"]) >= 0
    low, high = 0.5 * found["adam_over_lbfgs"], 2 * found["adam_over_lbfgs"]
    assert low < found["adam_seconds"] / found["lbfgs_seconds"] < high
