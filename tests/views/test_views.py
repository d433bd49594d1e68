"""Every view, eagerly and inside tf.data: range, dtype, per-image independence, fresh randomness."""

import colorsys

import keras
import numpy as np
import pytest
import tensorflow as tf

from pcl_tf.seeds import Rng
from pcl_tf.views import chains, colour, filters, geometry

VIEWS = {
    "jitter": lambda: colour.ColorJitter(p=1.0),
    "gray": lambda: colour.RandomGrayscale(p=0.5),
    "blur": lambda: filters.GaussianBlur(p=1.0),
    "sobel": lambda: filters.Sobel(p=0.5),
    "crop": lambda: geometry.RandomResizedCrop(32),
    "quadrant": lambda: geometry.QuadrantCrop(32),
    "flip": lambda: geometry.HorizontalFlip(),
    "move": lambda: geometry.RotateTranslate(),
    "face": lambda: chains.face_views(32)[0],
    "pose": lambda: chains.pose_view(32),
}


def faces(n=8, side=32, seed=0):
    return np.random.RandomState(seed).rand(n, side, side, 3).astype("float32")


def rng(seed=3):
    return Rng(tf.constant([seed, 5], tf.int32))


def is_a_batch_of_pictures(out):
    return out.shape[1:] == (32, 32, 3) and out.dtype == np.float32 and -1e-6 <= out.min() and out.max() <= 1 + 1e-6


def test_elements_of_a_dataset_differ():
    """A view that is traced once draws afresh for every element."""
    views = {name: view() for name, view in VIEWS.items()}
    dataset = tf.data.Dataset.from_tensors(faces(16)).repeat(2)
    first, second = dataset.map(lambda x: {name: view(x) for name, view in views.items()}).as_numpy_iterator()
    for name in VIEWS:
        assert len(first[name]) == 16 and is_a_batch_of_pictures(first[name]), name
        assert not np.allclose(first[name], second[name]), name


@pytest.mark.parametrize("crop, chains_made", [("resized_crop", 1), ("quadrant_crop", 2)])
def test_a_chain_in_a_graph_draws_what_it_draws_eagerly_and_is_traced_once(crop, chains_made, monkeypatch):
    views, traced = chains.face_views(32, f"{crop}|jitter|blur"), []
    run = chains.Chain._run
    monkeypatch.setattr(chains.Chain, "_run", lambda self, *args: traced.append(self) or run(self, *args))
    found = tf.function(lambda x: chains.paired(views, (x, x), rng()), autograph=False)(faces())
    assert len(traced) == chains_made
    for graph, plain in zip(found, chains.paired(views, [faces()] * 2, rng()), strict=True):
        np.testing.assert_allclose(graph, plain, atol=2e-6)


@pytest.mark.parametrize(
    "names", [chains.FACE_VIEWS, pytest.param("quadrant_crop|flip|rotate_translate|jitter", marks=pytest.mark.slow)]
)
def test_a_compiled_chain_draws_what_a_plain_one_draws(names):
    compiled, plain = (chains.face_views(16, names, compiled=compiled) for compiled in (True, False))  # XLA is slow
    assert all(chain.compiled for chain in compiled)

    @tf.function(autograph=False)
    def both(x):
        return [chains.paired(views, (x, x), rng()) for views in (compiled, plain)]

    for got, expected in zip(*both(faces(40, 16)), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-4)
    library = {
        f.signature.name: f for f in both.get_concrete_function(faces(40, 16)).graph.as_graph_def().library.function
    }
    inside = [f for f in library.values() if f.attr["_XlaMustCompile"].b]
    assert len(inside) == len({id(chain) for chain in compiled})
    for f in inside:  # grows by what each calls
        called = {a.func.name for node in f.node_def for a in node.attr.values()} | {node.op for node in f.node_def}
        inside += [library[name] for name in sorted(called & library.keys()) if library[name] not in inside]
        assert not [name for name in called if "Random" in name]


def test_a_compiled_chain_takes_batches_of_unknown_size():
    compiled, plain = (chains.pose_view(16, "jitter", compiled=compiled) for compiled in (True, False))
    batch = [tf.TensorSpec([None, 16, 16, 3])]
    run = tf.function(lambda x: [view(x, rng=rng()) for view in (compiled, plain)], batch, autograph=False)
    got, expected = run(faces(1, 16))
    np.testing.assert_allclose(got, expected, atol=2e-6)


def test_a_chain_of_no_view_or_of_chains():
    still = chains.pose_view(32, strength=0.0, compiled=True)
    np.testing.assert_array_equal(still(faces(2), rng=rng()), faces(2))
    nested = chains.Chain([chains.Chain([geometry.HorizontalFlip(p=1.0)])], compiled=True)
    assert not nested.compiled
    np.testing.assert_array_equal(nested(faces(2), rng=rng()), faces(2)[:, :, ::-1])


def test_a_layer_of_another_package_keeps_its_chain_from_being_compiled():
    assert not chains.face_views(32, "keras.RandomZoom(0.2)|jitter", compiled=True)[0].compiled
    assert chains.pose_view(32, "jitter", compiled=True).compiled and not chains.pose_view(32, "jitter").compiled


@pytest.mark.parametrize("name", VIEWS)
def test_every_image_and_call_has_draws_of_its_own_which_repeat_for_a_stream(name):
    view, same = VIEWS[name](), np.repeat(faces(1), 16, axis=0)
    out = view(same, rng=rng()).numpy()
    assert is_a_batch_of_pictures(out) and len(np.unique(out.reshape(16, -1).round(5), axis=0)) >= 2
    assert not np.allclose(view(same), view(same))
    np.testing.assert_array_equal(view(same, rng=rng()), out)
    assert not np.allclose(view(same, rng=rng(4)), out)
    np.testing.assert_array_equal(view(same, training=False), same)


@pytest.mark.parametrize("name", VIEWS)
def test_two_replicas_see_the_rows_of_one(name):
    view, images = VIEWS[name](), faces(8)
    whole = view(images, rng=rng()).numpy()
    seed = tf.constant([3, 5], tf.int32)
    halves = [view(images[4 * r : 4 * r + 4], rng=Rng(seed, replica=r, replicas=2)).numpy() for r in range(2)]
    np.testing.assert_allclose(np.concatenate(halves), whole, atol=1e-3)  # Sobel steepens rounding


def test_jitter_against_a_slow_torchvision_style_loop():
    view, images = colour.ColorJitter(p=1.0), faces(6, 8)
    factors, h, order = (np.asarray(x) for x in view.parameters(6, rng()))
    assert len({tuple(o) for o in order}) > 1
    b, c, s = factors.T
    out = view.transform(tf.constant(images), (factors, h, order)).numpy()
    luma = np.array([0.2989, 0.587, 0.114], "float32")
    for n in range(6):
        x = images[n].astype("float64")
        for op in order[n]:
            if op == 0:
                x = b[n] * x
            elif op == 1:
                x = c[n] * x + (1 - c[n]) * (x @ luma).mean()
            elif op == 2:
                x = s[n] * x + (1 - s[n]) * (x @ luma)[..., None]
            else:
                hsv = [colorsys.rgb_to_hsv(*p) for p in x.reshape(-1, 3)]
                x = np.array([colorsys.hsv_to_rgb((p[0] + h[n]) % 1, p[1], p[2]) for p in hsv]).reshape(x.shape)
            x = np.clip(x, 0, 1)
        np.testing.assert_allclose(out[n], x, atol=2e-4)


def test_blur_against_convolution():
    images = faces(2, 12)
    sigma = np.array([0.5, 1.7])
    out = filters.GaussianBlur(p=1.0).transform(tf.constant(images), tf.constant(sigma, tf.float32)).numpy()
    for n in range(2):
        k = np.exp(-0.5 * (np.arange(-3, 4) / sigma[n]) ** 2)
        k = np.outer(k, k) / k.sum() ** 2
        p = np.pad(images[n], [(3, 3), (3, 3), (0, 0)], "reflect")
        slow = np.array([[(p[y : y + 7, x : x + 7] * k[..., None]).sum((0, 1)) for x in range(12)] for y in range(12)])
        np.testing.assert_allclose(out[n], slow, atol=1e-5)


def test_sobel_of_a_ramp():
    ramp = np.tile(np.linspace(0, 1, 11, dtype="float32")[None, None, :, None], (1, 11, 1, 3))
    out = filters.Sobel(p=1.0)(ramp).numpy()[0, 5, 5]
    gray = (65.738 + 129.057 + 25.064) / 256
    np.testing.assert_allclose(out, np.sqrt((0.2 * gray) ** 2 + 1e-6), rtol=1e-5)


def test_a_crop_of_everything_is_the_image():
    images = faces()
    boxes = np.tile([[0.0, 0.0, 1.0, 1.0]], (8, 1)).astype("float32")
    np.testing.assert_allclose(geometry.crop_and_resize(tf.constant(images), boxes, 32), images, atol=1e-5)


def test_quadrants_of_the_two_views_differ_and_lie_inside():
    pair = rng(9)
    one, two = (
        geometry.QuadrantCrop(32, which=w).parameters(64, rng(w).paired(pair).named("crop")).numpy() for w in (0, 1)
    )
    for box in (one, two):
        assert box.min() >= -1e-6 and box.max() <= 1 + 1e-6
        np.testing.assert_allclose(box[:, 2] - box[:, 0], 0.4, atol=1e-6)

    def quadrant(box):
        return ((box[:, 0] + box[:, 2]) > 1) * 2 + ((box[:, 1] + box[:, 3]) > 1)

    assert (quadrant(one) != quadrant(two)).all()


@pytest.mark.parametrize("share", [0.4, 0.25, 0.5])
def test_no_quadrant_crop_crosses_a_midline(share):
    boxes = geometry.QuadrantCrop(8, share).parameters(4096, rng()).numpy()
    for low, high in ((0, 2), (1, 3)):
        before, after = boxes[:, high] <= 0.5 + 1e-6, boxes[:, low] >= 0.5 - 1e-6
        assert (before | after).all() and 0.4 < after.mean() < 0.6
        centre = (boxes[:, low] + boxes[:, high]) / 2 % 0.5
        assert abs(centre.min() - share / 2) < 1e-3 and abs(centre.max() - (0.5 - share / 2)) < 1e-3 or share == 0.5


def torchvision_sides(r, low, high, ratio):
    """RandomResizedCrop.get_params of torchvision for one image of 64 pixels, in shares of them."""
    for _ in range(10):
        area = r.uniform(low, high)
        shape = np.exp(r.uniform(*np.log(ratio)))
        width, height = round(64 * np.sqrt(area * shape)) / 64, round(64 * np.sqrt(area / shape)) / 64
        if width <= 1 and height <= 1:
            return height, width
    return 1.0, 1.0


def test_random_resized_crop_draws_again_what_does_not_fit():
    boxes = geometry.RandomResizedCrop(64).parameters(20000, rng()).numpy()
    assert boxes.min() == 0 and boxes.max() == 1 and (boxes * 64 == np.round(boxes * 64)).all()
    height, width = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    r = np.random.RandomState(0)
    slow = np.array([torchvision_sides(r, 0.3, 1.0, (3 / 4, 4 / 3)) for _ in range(20000)])
    assert abs((height * width).mean() - 0.596) < 0.005  # sides cut to the image: .642
    for ours, theirs in ((height, slow[:, 0]), (width, slow[:, 1])):
        for share in (10, 50, 90):
            assert abs(np.percentile(ours, share) - np.percentile(theirs, share)) < 1.5 / 64


def test_the_shape_of_a_random_resized_crop_is_log_uniform():
    boxes = geometry.RandomResizedCrop(1024, (0.2, 0.2)).parameters(20000, rng()).numpy()
    shape = np.log((boxes[:, 3] - boxes[:, 1]) / (boxes[:, 2] - boxes[:, 0]))  # width over height
    assert abs(shape.mean()) < 0.005 and abs(np.median(shape)) < 0.01  # of a uniform one .027 and .04
    np.testing.assert_allclose([shape.min(), shape.max()], np.log([3 / 4, 4 / 3]), atol=0.01)


def test_random_resized_crop_takes_every_place_alike():
    boxes = geometry.RandomResizedCrop(8, (0.25, 0.25), (1.0, 1.0)).parameters(5000, rng()).numpy()
    for low in (boxes[:, 0], boxes[:, 1]):  # sides of 4 pixels begin at pixel 0 to 4
        assert np.bincount(np.round(low * 8).astype(int), minlength=5) == pytest.approx([1000] * 5, abs=120)


def test_random_resized_crop_falls_back_to_the_centre():
    for ratio, box in {
        (0.75, 0.9): (0, 0.05, 1, 0.95),
        (2.0, 4.0): (0.25, 0, 0.75, 1),
        (0.9, 1.1): (0, 0, 1, 1),
    }.items():
        boxes = geometry.RandomResizedCrop(20, (1.5, 1.6), ratio).parameters(16, rng()).numpy()
        np.testing.assert_allclose(boxes, np.tile(box, (16, 1)), atol=1e-6)


def test_rotated_and_shifted_as_keras_does_it():
    images, view = tf.constant(faces(8, 24)), geometry.RotateTranslate(60.0, 0.3)
    angle, shift = view.parameters(8, rng())
    cos, sin, middle, zero = tf.cos(angle), tf.sin(angle), 11.5, tf.zeros_like(angle)
    dx = middle - cos * middle + sin * middle + shift[:, 0] * 24
    dy = middle - sin * middle - cos * middle + shift[:, 1] * 24
    maps = tf.stack([cos, -sin, dx, sin, cos, dy, zero, zero], axis=1)
    expected = keras.ops.image.affine_transform(images, maps, "bilinear", fill_mode="nearest")
    np.testing.assert_allclose(view.transform(images, (angle, shift)), expected, atol=1e-4)
    turned = view.transform(images, (np.full(8, np.pi / 2, "float32"), tf.zeros([8, 2])))
    np.testing.assert_allclose(turned, np.rot90(images, 1, axes=(1, 2)), atol=1e-4)


@pytest.mark.parametrize("name", [name for name in VIEWS if name not in ("face", "pose")])
def test_views_compile_with_xla(name):
    images, view = tf.constant(faces(4, 16)), VIEWS[name]()
    parameters = view.parameters(4, rng())

    @tf.function(jit_compile=True, autograph=False)
    def compiled(images, parameters):
        return view.transform(images, parameters), view(images, rng=rng())  # its draws too

    np.testing.assert_allclose(compiled(images, parameters)[0], view.transform(images, parameters), atol=1e-4)


def test_strengths_are_those_of_the_released_code():
    jitter, gray, blur = colour.ColorJitter(), colour.RandomGrayscale(), filters.GaussianBlur()
    assert (jitter.strength, jitter.hue, jitter.p, gray.p) == ((0.8, 0.8, 0.8), 0.2, 0.8, 0.2)
    assert (blur.kernel, blur.sigma, blur.p, filters.Sobel().p) == (7, (0.1, 2.0), 0.8, 0.6)
    assert geometry.HorizontalFlip().p == 0.5 and geometry.QuadrantCrop(8).share == 0.4
    factors, hue, _ = (np.asarray(x) for x in jitter.parameters(20000, rng()))
    for values, low, high in ((factors, 0.2, 1.8), (hue, -0.2, 0.2), (blur.parameters(20000, rng()), 0.1, 2.0)):
        np.testing.assert_allclose([np.min(values), np.max(values)], [low, high], atol=1e-3)
    for values, high in zip(geometry.RotateTranslate().parameters(20000, rng()), (np.deg2rad(30), 0.1), strict=True):
        np.testing.assert_allclose([np.min(values), np.max(values)], [-high, high], atol=1e-3)
