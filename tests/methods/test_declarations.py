"""Counts and checks of a step follow from the declarations of its parts."""

import pytest

from pcl_tf import recipe as recipes
from pcl_tf.errors import Refused
from pcl_tf.methods.build import encoder_passes, parts_per_step
from tests.helpers.methods import tiny

JOINT, ALTERNATING = {}, {"method.updates": "alternating"}


def test_checks_of_a_part():
    with pytest.raises(Refused, match="--recipe.method.pdd_batch=7 is more than --recipe.batch_size=6"):
        tiny(overrides={"method.pdd_batch": 7})
    with pytest.raises(Refused, match="pdd_batch=3 cannot be .* 2 replicas: give a multiple of 2, .*=4"):
        recipes.resolve(tiny(overrides={"method.pdd_batch": 3}), replicas=2)


@pytest.mark.parametrize(
    "name, overrides, parts, passes",
    [
        ("vox64:smoke", JOINT, [6], 2 * 4 + 2 * 6 + 2 * 5),
        ("vox64:smoke", ALTERNATING, [4, 6, 2], 2 * 4 + 2 * 6 + 2 * 5),
        ("vox64:smoke,orth", ALTERNATING, [4, 6], 2 * 4 + 2 * 6),
        ("vox64:smoke,no_pose", JOINT, [6], 2 * 4 + 2 * 6),
        ("vox64:smoke,simclr", JOINT, [6], 2 * 6),
        ("vox64:smoke,moco", JOINT, [6], 4 * 6),
        ("vox64:smoke,fabnet", JOINT, [6], 2 * 6),
        ("vox64:smoke,tcae", JOINT, [6], 5 * 6),
    ],
)
def test_counts_of_a_step(name, overrides, parts, passes):
    c = tiny(name, overrides)
    assert (parts_per_step(c), encoder_passes(c)) == (parts, passes)
