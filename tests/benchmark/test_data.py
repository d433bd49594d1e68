"""The benchmark of the input pipeline measures what it names."""

from pcl_tf.benchmark.data import data
from tests.helpers.methods import tiny


def test_pipeline_rates_are_measured():
    recipe = tiny("vox64:smoke", {"data.generated_images": 64})
    rates = data(recipe, seconds=0.2)
    assert set(rates) == {
        "first_epoch_images_per_second",
        "pipeline_images_per_second",
        "spread",
        "memory_growth_mb",
    }
    assert rates["first_epoch_images_per_second"] > 0 and rates["pipeline_images_per_second"] > 0
    assert rates["spread"] >= 0 and abs(rates["memory_growth_mb"]) < 100
