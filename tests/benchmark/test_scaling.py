"""What processes send each other is counted, by formula and on the wire."""

import pytest

from pcl_tf import recipe as recipes
from pcl_tf.benchmark import scaling
from recipes import vox64


def test_traffic_by_formula():
    # Two processes, one weight, one image, projections of length 1: the weight's gradient there and back is 4 bytes
    # from each; of two float32 projections each sends its own, and as much as both of the sum's gradient.
    assert scaling.traffic(parameters=1, batch=1, dim=1, processes=2) == {"gradients": 4.0, "embeddings": 12.0}
    alone = scaling.traffic(10, batch=10, dim=10, processes=1)
    assert alone == {"gradients": 0.0, "embeddings": 0.0}


@pytest.mark.parametrize(
    "name, counts",
    [
        ("smoke", {"batch_size": 64, "method.pdd_batch": 32, "method.pose_batch": 4}),
        ("smoke,simclr", {"batch_size": 64}),
    ],
)
def test_two_processes_have_twice_the_images_of_every_part(name, counts):
    recipe = recipes.resolve(vox64.get_config(name))
    one, two = recipes.flatten(recipe), recipes.flatten(scaling._doubled(recipe))
    assert {key: two[key] for key in two if two[key] != one[key]} == counts


@pytest.mark.slow
def test_two_processes_send_what_the_formula_says():
    recipe = recipes.resolve(vox64.get_config("smoke"))
    found = scaling._run(recipe, "float32", 3, processes=2)
    expected = sum(
        scaling.traffic(found["parameters"], batch=recipe.batch_size, dim=recipe.network.head_dim, processes=2).values()
    )
    assert found["seconds"] > 0
    # gRPC's frames, BatchNorm's moments and the logs come on top.
    assert 0.9 * expected < found["bytes"] / 2 < 1.5 * expected
