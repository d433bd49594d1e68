"""Every key of a recipe has a check, and the check is one line."""

import math

import pytest

from pcl_tf import recipe as recipes
from pcl_tf.errors import Refused
from pcl_tf.methods import METHODS
from recipes import vox64

KEYS = {key: known for name in reversed(METHODS) for key, known in recipes.keys(name).items()}
BAD = {
    bool: (2, "maybe"),
    int: (-1, 10**30, 1.5, True),
    float: (math.nan, math.inf, -math.inf, -1.0, 1e30, "much"),
    str: ("no such name\0", 3),
}


def with_value(key, value):
    """The paper's recipe with a value that a .py file may give it, of whatever type."""
    c = vox64.get_config()
    if key not in recipes.flatten(c):
        c = vox64.get_config(next(name for name in METHODS if key in recipes.keys(name)))
    with c.unlocked(), c.ignore_type():
        c.update_from_flattened_dict({key: value})
    return c


@pytest.mark.parametrize("key", KEYS)
def test_a_bad_value_of_every_key_is_refused_in_a_line(key):
    for value in BAD[type(KEYS[key].value)]:
        with pytest.raises(Refused) as error:
            recipes.resolve(with_value(key, value))
        assert str(error.value) == f"--recipe.{key}={value}: must be {KEYS[key].check.words()}."


# The values next to which a run would end in a traceback or draw other numbers than it says.
EDGES = {
    "checkpoint.every": (1, 0),
    "checkpoint.keep": (1, 0),
    "seed": (2**31 - 1, 2**31),
    "epoch_steps": (1, 0),
    "method.photometric": (1.0, 1.01),
    "watch.log_every": (1, 0),
    "watch.generated": (100, 99),
    "total_steps": (0, -1),
    "network.width": (16.0, 0.0),
    "method.temperature": (100.0, 0.0),
}


@pytest.mark.parametrize("key", EDGES)
def test_the_last_value_that_is_taken_and_the_first_that_is_not(key):
    fine, wrong = EDGES[key]
    assert recipes.flatten(recipes.resolve(with_value(key, fine)))[key] == fine
    with pytest.raises(Refused, match=key):
        recipes.resolve(with_value(key, wrong))


def test_all_wrong_values_are_named_at_once():
    c = with_value("method.updates", "both")
    c.optimizer.decay_kind = "adamw"
    with pytest.raises(Refused) as error:
        recipes.resolve(c)
    lines = str(error.value).splitlines()
    assert len(lines) == 2 and "joint, alternating" in lines[1] and "coupled, decoupled" in lines[0]


@pytest.mark.parametrize(
    "argument, given, said",
    [
        ("moco", "method.queue=300", "--recipe.method.queue=300"),
        ("fabnet", "image_size=48", "--recipe.image_size must be a power of two"),
        ("fabnet", "method.frame_views=crop", "--recipe.method.frame_views"),
        ("facecycle", "method.vgg=nowhere.h5", "--recipe.method.vgg=nowhere.h5: no such file"),
        ("facecycle", "image_size=40", "multiple of 16"),
    ],
)
def test_what_a_method_cannot_run_is_refused(argument, given, said):
    with pytest.raises(Refused, match=said):
        recipes.resolve(recipes.named("vox64", argument, [given]))


def test_a_side_that_the_transformer_cannot_cut_into_patches():
    c = vox64.get_config("simclr")
    c.network.backbone, c.image_size = "vit_tiny", 48
    recipes.resolve(c)
    c.image_size = 50
    with pytest.raises(Refused, match="^--recipe.image_size=50: vit_tiny needs a multiple of 16, .*=48.$"):
        recipes.resolve(c)
    c.network.backbone = "cnn16"
    recipes.resolve(c)


@pytest.mark.parametrize(
    "name, wrong, mended",
    [
        # Dynamic Weight Average divides L_pose by L_pose, which is negative without a positive in the denominator.
        ("vox64", "method.pose_denominator=negatives", "method.dynamic_weights=False"),
        # Of 14 anchors with 2 copies of each image 12 would have none of their own among their negatives.
        ("patch64", "method.pose_negatives=official_layout", "method.negatives_per_image=28"),
        ("vox64_official", "method.negatives_per_image=95", "method.pose_batch=5"),
    ],
)
def test_losses_that_are_not_what_they_say_are_refused(name, wrong, mended):
    recipes.resolve(recipes.named(name))
    with pytest.raises(Refused, match="^--recipe.method.pose_(denominator=negatives|negatives=official_layout): .*$"):
        recipes.resolve(recipes.named(name, overrides=[wrong]))
    recipes.resolve(recipes.named(name, overrides=[wrong, mended]))
    recipes.resolve(recipes.named(name, "no_pose", [wrong]))  # no loss of pose, nothing to refuse
