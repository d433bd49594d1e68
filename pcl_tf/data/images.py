"""From images to faces: Pillow decodes, TensorFlow resizes; exported models see the same pixels (``in_graph``)."""

import contextlib
import io
import itertools
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from pcl_tf.data.files import Unreadable, in_order, some
from pcl_tf.data.sources import Item
from pcl_tf.errors import Refused

if TYPE_CHECKING:
    import tensorflow as tf

Decoded = tuple[str, "np.ndarray | None", "str | None"]

MAX_PIXELS = 2**26  # 8192 x 8192; decoded, 200 MB
MAX_WORK = 2**30  # pixels times scans of a JPEG: each scan goes over all pixels again, and needs a dozen bytes
SCAN = b"\xff\xda"  # begins a scan; compressed pixels never hold it
OVERSIZE = 2  # a JPEG is unpacked at 1/2, 1/4 or 1/8 if its sides stay so many times those of the face
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP")  # Pillow's other formats would open a wide door
_GROUP = 16  # images that a thread decodes before it asks for more
_TOGETHER = 2**24  # bytes of encoded images of a group, and of squares that are resized at once


def decode(data: bytes, *, upright: bool = True, least: int = 0) -> np.ndarray:
    """Decodes any JPEG, PNG, GIF (first frame), BMP or WebP (first frame).

    Gray is repeated, alpha dropped, CMYK converted, 16 bits cut to 8, palettes applied, as Pillow does.

    Args:
      data: the encoded bytes.
      upright: turn the picture as its EXIF or XMP asks; False leaves the pixels as they lie in the file, which
        landmarks may refer to.
      least: pixels that both sides need: a large JPEG is unpacked at 1/2, 1/4 or 1/8 of its size if both are still so
        long. 0 unpacks all.

    Returns:
      uint8 [H, W, 3].

    Raises:
      Unreadable: the bytes are not a whole image of these kinds, or declare more than MAX_PIXELS or MAX_WORK, which is
        checked before they are decoded.
    """
    try:
        image: Image.Image = Image.open(io.BytesIO(data), formats=_FORMATS)
        pixels = image.width * image.height
        large = pixels > MAX_PIXELS or image.format in ("JPEG", "MPO") and pixels * data.count(SCAN) > MAX_WORK
        if least and not large:
            image.draft("RGB", (least, least))
        if not large:
            image.load()
    except Image.DecompressionBombError:
        large = True
    except Image.UnidentifiedImageError:
        raise Unreadable("no JPEG, PNG, GIF, BMP or WebP") from None
    except Exception as error:  # Pillow raises a dozen kinds of what is damaged
        raise Unreadable((str(error).strip() or type(error).__name__).split("\n")[0][:200]) from error
    if large:
        raise Unreadable(f"the image declares more than {MAX_PIXELS} pixels, or too many scans")
    if upright:
        with contextlib.suppress(Exception):  # damaged EXIF leaves the picture as it is
            ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I"):  # Pillow would make 255 of all that is more
        return np.repeat((np.asarray(image) >> 8).astype(np.uint8)[..., None], 3, axis=-1)
    image.info.pop("transparency", None)  # alpha is dropped, and no warning wanted
    return np.asarray(image.convert("RGB"))


def resize(images: "np.ndarray | tf.Tensor", size: int) -> "tf.Tensor":
    """Antialiased bilinear resize: uint8 [N, H, W, 3] -> uint8 [N, size, size, 3].

    ``tf.image.resize(.., antialias=True)`` without a copy of the images in float32, which may need 800 MB.
    """
    import tensorflow as tf  # here, so that a wrong path is refused before TensorFlow is imported

    by = tf.constant([size, size], tf.float32) / tf.cast(tf.shape(images)[1:3], tf.float32)
    scaled = tf.raw_ops.ScaleAndTranslate(
        images=images, size=[size, size], scale=by, translation=[0.0, 0.0], kernel_type="triangle", antialias=True
    )
    return tf.cast(tf.clip_by_value(tf.round(scaled), 0.0, 255.0), tf.uint8)


def centre(image: np.ndarray, share: float = 1.0) -> np.ndarray:
    """The central square: uint8 [H, W, 3] -> uint8 [S, S, 3], S = share of the shorter side."""
    height, width = image.shape[:2]
    side = max(1, round(share * min(height, width)))
    top, left = (height - side) // 2, (width - side) // 2
    return image[top : top + side, left : left + side]


def resized(squares: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Resizes squares, uint8 [S, S, 3], one after another to [size, size, 3].

    Neighbours of one shape are resized together, which costs a third if they are small.
    """
    for shape, same in itertools.groupby(squares, key=np.shape):
        while some := list(itertools.islice(same, max(1, min(_GROUP, _TOGETHER // math.prod(shape))))):
            if shape[:2] != (size, size):
                import tensorflow as tf

                with tf.device("CPU:0"):  # small operations on one image after the other
                    some = list(resize(np.stack(some), size).numpy())
            yield from some


def decoded(items: Sequence[Item], size: int) -> list[Decoded]:
    """Images as faces: the central square of each, so that faces keep their proportions. Several threads may call it.

    Returns:
      list of (name, uint8 [size, size, 3] or None, None or what was wrong in one line).
    """
    why: dict[int, str] = {}

    def squares() -> Iterator[np.ndarray]:  # lazily: photographs are large
        for at, (_, data) in enumerate(items):
            try:
                if isinstance(data, Exception):
                    raise data
                yield centre(decode(data, least=OVERSIZE * size)) if isinstance(data, bytes) else data
            except (ValueError, OSError, RuntimeError) as error:
                why[at] = str(error).split("\n")[0][:200]

    faces = iter(list(resized(squares(), size)))
    return [(name, None, why[at]) if at in why else (name, next(faces), None) for at, (name, _) in enumerate(items)]


def decode_all(items: Iterable[Item], size: int) -> Iterator[Decoded]:
    """What ``decoded`` makes of all items, in order, by as many threads as there are cores.

    Some 16 encoded images a thread are in memory at once, fewer if they are large.
    """
    for group in in_order(lambda group: decoded(group, size), _groups(items), os.cpu_count() or 1):
        yield from group


def _groups(items: Iterable[Item]) -> Iterator[list[Item]]:
    """At most _GROUP neighbours together; _TOGETHER bytes are enough."""
    group: list[Item] = []
    for item in items:
        group.append(item)
        held = sum(len(data) for _, data in group if isinstance(data, bytes))
        if len(group) == _GROUP or held >= _TOGETHER:
            yield group
            group = []
    if group:
        yield group


def left_out(
    unreadable: Sequence[tuple[str, str | None]], count: int, *, most: float = 1.0, of: str = "", more: str = ""
) -> str:
    """A line on images that cannot be read: list of (name, reason) of count images; '' for none.

    Raises:
      Refused: they are more than ``most`` of all. ``of`` stands before the line, ``more`` after what to do.
    """
    if not unreadable:
        return ""
    too_many = len(unreadable) > most * count
    named = some([f"{name} ({why})" for name, why in unreadable], 50 if too_many else 5)
    line = f"{of}{len(unreadable)} of {count} images cannot be read and are left out: {named}."
    if too_many:
        raise Refused(f"{line} That is too many: mend or remove them{more}.")
    return line
