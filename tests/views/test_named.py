"""Views by name: their order, arguments, layers of keras and keras_cv on our stream, what is refused."""

import numpy as np
import pytest
import tensorflow as tf

from pcl_tf import recipe as recipes
from pcl_tf.errors import Refused
from pcl_tf.seeds import Rng
from pcl_tf.views import chains
from pcl_tf.views.filters import GaussianBlur
from pcl_tf.views.named import named_views, parsed
from recipes import vox64

FOREIGN = (
    "keras_cv.RandomCutout(height_factor=.5,width_factor=.5)",
    "keras.RandomZoom(0.4)",
    "keras_cv.RandomHue(0.5)",
)


def faces(n=6, side=32):
    return np.random.RandomState(0).rand(n, side, side, 3).astype("float32")


def rng(replica=0, replicas=1, seed=3):
    return Rng(tf.constant([seed, 5], tf.int32), replica=replica, replicas=replicas)


@pytest.mark.parametrize("crop", ["resized_crop", "quadrant_crop"])
def test_layers_stand_in_the_order_of_their_names_and_have_their_strengths(crop):
    """A layer draws from the stream of its own name, which decides the numbers of every run."""
    for which, chain in enumerate(chains.face_views(32, f"{crop}|flip|jitter|grayscale|blur|sobel", strength=0.25)):
        first, flip, jitter, gray, blur, sobel = chain.views
        assert [v.name for v in chain.views] == ["crop", "flip", "jitter", "gray", "blur", "sobel"]
        assert (flip.p, jitter.strength, jitter.hue, gray.p) == (0.5, (0.2, 0.2, 0.2), 0.05, 0.2)
        assert blur.p == pytest.approx(0.2) and sobel.p == pytest.approx(0.15)
        assert crop == "resized_crop" or first.which == which


def test_arguments_are_those_of_the_class_and_stand_above_the_strength():
    flip, jitter, blur = named_views("flip(p=1)|jitter(hue=0.1)|blur(sigma=(1, 2), kernel=3)", size=32, strength=0.5)
    assert flip.p == 1 and jitter.hue == 0.1 and jitter.strength == (0.4, 0.4, 0.4)
    assert blur.kernel == 3 and blur.sigma == (1, 2) and blur.p == 0.4
    (jitter,) = named_views("jitter(brightness=0.3,p=1.0)", size=32, strength=0.5)
    assert jitter.strength == (0.3, 0.4, 0.4) and jitter.p == 1.0
    assert [v.name for v in named_views("resized_crop|jitter|grayscale|blur|sobel", size=32, strength=0.0)] == ["crop"]
    assert parsed(" flip ( p = 1 ) | keras.RandomZoom( -.2 ) ")[1] == ("keras.RandomZoom", [-0.2], {})


@pytest.fixture(scope="module", params=FOREIGN)
def foreign(request):
    (view,) = named_views(request.param, size=32)
    return view


def test_a_layer_of_another_package_is_a_view(foreign):
    images, before = faces(), (tf.random.uniform, tf.random.normal)
    out = foreign(images, rng=rng()).numpy()
    assert (tf.random.uniform, tf.random.normal) == before  # which it borrows
    assert out.shape == images.shape and out.dtype == np.float32 and out.min() >= 0 and out.max() <= 1
    assert np.abs(out - images).max() > 0.1
    np.testing.assert_array_equal(out, foreign(images, rng=rng()))  # the stream alone decides
    assert not np.array_equal(out, foreign(images, rng=rng(seed=4)))
    halves = [foreign(images[3 * r : 3 * r + 3], rng=rng(r, 2)).numpy() for r in range(2)]
    np.testing.assert_allclose(np.concatenate(halves), out, atol=1e-6)
    same = foreign(np.repeat(images[:1], 6, axis=0), rng=rng()).numpy().reshape(6, -1)
    assert len(np.unique(same.round(4), axis=0)) > 3  # each image by itself
    np.testing.assert_array_equal(foreign(images, training=False), images)


def test_a_share_of_the_images_is_changed():
    (view,) = named_views("keras_cv.RandomCutout((.5,.5),(.5,.5),p=.5)", size=32)
    changed = np.abs(view(faces(32), rng=rng()) - faces(32)).reshape(32, -1).max(axis=1) > 0
    assert 6 < changed.sum() < 26


@pytest.mark.parametrize("text", ["jiter", "flip||blur", "flip|", "keras_cv.Nothing()", "keras.Dense(3)", "os.system(1)",
                                  "keras.MixUp()", "flip(p=x)", "1|flip", "flip+blur", "(lambda: 1)()", "a.b.c()"])  # fmt: skip
def test_what_is_no_view_is_refused_with_what_there_is(text):
    with pytest.raises(Refused):
        named_views(text, size=32)
    c = vox64.get_config("smoke")
    c.method.face_views = text
    with pytest.raises(Refused) as error:
        recipes.resolve(c)
    said = str(error.value)
    assert len(said.splitlines()) == 1 and said.startswith("--recipe.method.face_views: '")
    assert "resized_crop, quadrant_crop, flip," in said or "is not NAME or NAME(ARGUMENT=VALUE, ..)" in said


@pytest.mark.parametrize(
    "text, said",
    [
        ("flip(q=1)", "flip: "),
        ("blur(kernel=4)", "blur: GaussianBlur: kernel must be odd"),
        ("keras_cv.RandomCutout(height_factor=.3)", "keras_cv.RandomCutout: "),
        ("blur(kernel=65)", "blur cannot be used on images of 32 pixels"),
        ("blur(sigma=(0.0, 0.0))", "blur cannot .*what comes out is no image of this side"),
        ("quadrant_crop(share=0.6)", "quadrant_crop: QuadrantCrop: share must lie in"),
        ("keras.RandomCrop(8, 8)", "keras.RandomCrop(.*) cannot be used on images of 32 pixels"),
    ],
)
def test_arguments_that_will_not_do_are_refused_in_a_line(text, said):
    c = vox64.get_config("smoke")
    c.method.pose_views = text
    with pytest.raises(Refused, match=f"^--recipe.method.pose_views: {said}") as error:
        recipes.resolve(c)
    assert len(str(error.value).splitlines()) == 1


def test_views_as_they_stand_are_not_tried_and_others_pass(monkeypatch):
    c = vox64.get_config("smoke")
    c.method.face_views = "resized_crop(area=(0.2, 1.0))|flip(p=1)|jitter(hue=0.5)|blur(kernel=3)"
    recipes.resolve(c)
    c.method.face_views = "quadrant_crop(which=1)|sobel(p=0.1)|grayscale(p=0)|rotate_translate(shift=0.2)"
    recipes.resolve(c)
    monkeypatch.setattr(GaussianBlur, "transform", None)
    recipes.resolve(vox64.get_config("smoke"))
