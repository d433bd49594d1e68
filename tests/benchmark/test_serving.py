"""The benchmark of serving measures what it names."""

import pytest

from pcl_tf import recipe as recipes
from pcl_tf.benchmark.serving import serving
from recipes import quickstart


@pytest.mark.slow
def test_every_signature_is_measured():
    found = serving(recipes.resolve(quickstart.get_config("smoke")), rounds=2)
    assert set(found) == {"backbone", "embed", "serving_default", "decoding_over_network"}
    for name in ("backbone", "embed", "serving_default"):
        assert found[name]["latency_ms"] > 0 and found[name]["images_per_second"] > 0
        assert len(found[name]["spreads"]) == 2 and min(found[name]["spreads"]) >= 0
