"""The benchmarks of a step and of the pipeline count and time what they name."""

import keras
import pytest
import tensorflow as tf

from pcl_tf.benchmark import train as timed
from pcl_tf.benchmark.measure import flops, phase, profile
from pcl_tf.networks.upsampled_conv import UpsampledConv
from tests.helpers.methods import tiny


def counted(function, *shapes):
    return flops(tf.function(function).get_concrete_function(*(tf.TensorSpec(s) for s in shapes)))


def test_a_convolution_and_its_gradients():
    layer = keras.layers.Conv2D(8, 3, 2, "same")
    layer.build((None, 10, 6, 5))

    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
        return tape.gradient(y, [x, layer.kernel.value])

    once = 2 * (4 * 5 * 3 * 8) * (3 * 3 * 5)  # outputs times window
    found = counted(step, (4, 10, 6, 5))
    # Nothing asks for the output itself, so TensorFlow prunes the forward convolution.
    assert sorted(found.values()) == [once, once]
    assert list(counted(layer, (4, 10, 6, 5)).values()) == [once]


@pytest.mark.parametrize(
    "function, shapes, expected",
    [
        (lambda a, b: tf.matmul(a, b, transpose_a=True), [(7, 4, 3), (7, 4, 5)], 7 * 2 * 3 * 4 * 5),
        (lambda a, b: tf.einsum("nhwc,nhwd->ncd", a, b), [(2, 3, 4, 5), (2, 3, 4, 6)], 2 * 2 * 12 * 5 * 6),
    ],
)
def test_products(function, shapes, expected):
    assert sum(counted(function, *shapes).values()) == expected


def test_the_fused_layer_multiplies_a_quarter():
    fused = UpsampledConv(8)
    fused.build((None, 16, 16, 64))
    plain = 2 * 32 * 32 * 8 * 9 * 64
    mixing = plain / 4
    along = 2 * (32 * 48) * (16 * 3 * 8) + 2 * 32 * (32 * 48) * 8
    assert sum(counted(fused, (1, 16, 16, 64)).values()) == mixing + along


def test_what_a_function_calls_is_counted_at_every_call():
    square = tf.function(lambda x: tf.matmul(x, x))
    assert list(counted(lambda x: square(x) + square(2 * x), (3, 3)).values()) == [54, 54]


def test_a_step_is_measured():
    found = timed.train(tiny("vox64:smoke,no_pose", {"method.face_views": "jitter"}), precision="float32", steps=2)
    assert sum(found["phases"].values()) == pytest.approx(1.0)
    assert all(found["phases"][name] > 0.005 for name in ("encode", "decode", "views"))
    assert all(found["phases"][name] > 0 for name in ("heads", "optimiser", "losses"))
    assert found["operations"] > 500
    assert sum(found["tflop_of"].values()) == pytest.approx(found["tflop"])
    work = found["tflop"] * 1e3 / found["seconds_per_step"]
    assert found["mfu"] == pytest.approx(work / found["peak_gflops"])
    assert 0 < found["mfu"] < 1 and found["images_per_second"] == pytest.approx(6 / found["seconds_per_step"])
    assert found["peak_gflops"] > 1


class Timed:
    """A step that takes as long as it is told to and notes when it was its turn."""

    turns = ""

    def __init__(self, name, images, *seconds):
        self.name, self.images, self.seconds = name, images, iter(seconds)

    def once(self):
        Timed.turns += self.name
        return next(self.seconds), 0.0


def test_two_sides_in_turns():
    found = timed.against(Timed("a", 10, 1.0, 2.0, 1.0), Timed("b", 20, 4.0, 4.0, 3.0), steps=3)
    assert Timed.turns == "ababab"
    # images a second: a has 10, 5, 10 and b 5, 5, 6.67
    assert found["ratios"] == pytest.approx([2.0, 1.0, 1.5]) and found["ratio"] == pytest.approx(1.5)
    assert found["images_per_second"] == pytest.approx([10.0, 5.0])


def test_the_profile_stays_where_it_is_asked_for(tmp_path):
    square = tf.function(lambda x: tf.matmul(x, x, name="square"))
    found = profile(lambda: square(tf.random.stateless_normal([64, 64], [1, 2])).numpy(), tmp_path)
    assert any(name == "square" and seconds > 0 for (name, _), seconds in found.items())
    assert list(tmp_path.rglob("plugins/profile/*/*.xplane.pb"))  # what TensorBoard opens


def test_what_is_compiled_counts_as_views():
    compiled = tf.function(lambda x: tf.sin(x) * 2.0, jit_compile=True, autograph=False)
    found = profile(lambda: compiled(tf.ones([512, 512])).numpy())
    (name,) = {name for name, kind in found if kind == "XlaRun"}
    assert phase(name) == "views" and found[name, "XlaRun"] > 0


def test_the_pipeline_is_measured():
    rates = timed.data(tiny("vox64:smoke", {"data.generated_images": 64}), seconds=0.2)
    assert rates["first_epoch_images_per_second"] > 0 and rates["pipeline_images_per_second"] > 0
    assert rates["spread"] >= 0
