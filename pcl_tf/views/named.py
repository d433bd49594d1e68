"""Views by name, as recipes write them: "resized_crop|flip|jitter(p=0.5)|keras_cv.RandomCutout(0.3, 0.3)"."""

import ast
import dataclasses
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from pcl_tf.choices import PHOTOMETRIC
from pcl_tf.errors import Refused
from pcl_tf.seeds import Rng
from pcl_tf.views.base import View
from pcl_tf.views.borrowed import Borrowed
from pcl_tf.views.colour import ColorJitter, RandomGrayscale
from pcl_tf.views.filters import GaussianBlur, Sobel
from pcl_tf.views.geometry import HorizontalFlip, QuadrantCrop, RandomResizedCrop, RotateTranslate


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """Where a view stands.

    Attributes:
      size: side of the images in pixels, before and after.
      strength: of photometric views, 0 to 1.
      which: 0 or 1, the first or second view of an image.
    """

    size: int
    strength: float = 1.0
    which: int = 0


def _jitter(at: Place, **given: Any) -> View:
    s = 0.8 * at.strength
    usual = {"brightness": s, "contrast": s, "saturation": s, "hue": 0.2 * at.strength}
    return ColorJitter(name="jitter", **{**usual, **given})


# Each takes its place and, by keyword, what a recipe writes in parentheses: arguments of the view's class. A view draws
# from the stream of its layer's name, so a new name for one here changes every run.
VIEWS: dict[str, Callable[..., View]] = {
    "resized_crop": lambda at, **given: RandomResizedCrop(at.size, name="crop", **given),
    "quadrant_crop": lambda at, **given: QuadrantCrop(at.size, name="crop", **{"which": at.which, **given}),
    "flip": lambda at, **given: HorizontalFlip(name="flip", **given),
    "rotate_translate": lambda at, **given: RotateTranslate(name="move", **given),
    "jitter": _jitter,
    "grayscale": lambda at, **given: RandomGrayscale(name="gray", **given),
    "blur": lambda at, **given: GaussianBlur(name="blur", **{"p": 0.8 * at.strength, **given}),
    "sobel": lambda at, **given: Sobel(name="sobel", **{"p": 0.6 * at.strength, **given}),
}
KNOWN = f"{', '.join(VIEWS)}, or a layer such as keras_cv.RandomCutout(0.3, 0.3) or keras.RandomZoom(0.2)"


def parsed(text: str) -> list[tuple[str, list[Any], dict[str, Any]]]:
    """Names and arguments of the views in a text.

    Returns:
      [(name, positional arguments, keyword arguments)].

    Raises:
      Refused: it is not NAME or NAME(ARGUMENTS), joined by "|", with numbers, texts, tuples or truths as arguments.
    """
    try:
        nodes = [ast.parse(text.strip(), mode="eval").body]
        while isinstance(first := nodes[0], ast.BinOp) and isinstance(first.op, ast.BitOr):
            nodes[:1] = [first.left, first.right]
        return [_call(node) for node in nodes]
    except (SyntaxError, ValueError, TypeError, AttributeError, RecursionError, MemoryError):
        raise Refused(f"'{text}' is not NAME or NAME(ARGUMENT=VALUE, ..), joined by |") from None


def _call(node: Any) -> tuple[str, list[Any], dict[str, Any]]:
    args, keywords = (node.args, node.keywords) if isinstance(node, ast.Call) else ([], [])
    named: Any = node.func if isinstance(node, ast.Call) else node
    name = named.id if isinstance(named, ast.Name) else f"{named.value.id}.{named.attr}"
    return name, [ast.literal_eval(a) for a in args], {str(k.arg): ast.literal_eval(k.value) for k in keywords}


def named_views(text: str, *, size: int, strength: float = 1.0, which: int = 0) -> list[View]:
    """The views that a text names.

    Args:
      text: for instance "resized_crop|jitter|keras_cv.RandomCutout(height_factor=0.3, width_factor=0.3)". A photometric
        view without arguments is as strong as ``strength`` says; an argument is taken as it is. At strength 0 no
        photometric view is made.
      size, strength, which: see ``Place``.

    Returns:
      list of ``View``: float32 [N, S, S, 3] in [0, 1] in and out.

    Raises:
      Refused: no such view, or arguments that it does not take.
    """
    at, views = Place(size=size, strength=strength, which=which), []
    for name, args, given in parsed(text):
        if name in PHOTOMETRIC and strength == 0.0:
            continue
        try:
            views.append(VIEWS[name](at, *args, **given) if name in VIEWS else Borrowed(name, args, given))
        except LookupError:
            raise Refused(f"'{name}' is none of {KNOWN}") from None
        except (TypeError, ValueError, AttributeError) as error:
            raise Refused(f"{name}: {str(error).strip().splitlines()[0]}") from error
    return views


def tried(text: str, *, size: int) -> None:
    """Makes the views that a text names; tries on two images those with arguments and those of other packages.

    Raises:
      Refused: one cannot be made, or not be used on images of this side.
    """
    for view, (name, args, given) in zip(named_views(text, size=size), parsed(text), strict=True):
        if not (isinstance(view, Borrowed) or args or given):
            continue  # the tests try it
        try:
            with tf.device("CPU"):
                images = tf.random.stateless_uniform([2, size, size, 3], [0, 0])
                out = view.transform(images, view.parameters(2, Rng(tf.constant([0, 0]))))  # whatever p is
            if out.shape != images.shape or not np.isfinite(out).all():
                raise Refused("what comes out is no image of this side")
        except Exception as error:  # a layer of another package may raise anything
            why = re.sub(r"\{\{.*?\}\}", "", str(error)).strip() or type(error).__name__  # without the operation's name
            raise Refused(
                f"{name} cannot be used on images of {size} pixels ({why.splitlines()[0].rstrip('.')})"
            ) from error
