"""The contact sheet of a preparation: what was cut out, and in what no face was found, to look at before training."""

import io
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw

from pcl_tf.prepare import work
from pcl_tf.training.sheet import png

NAME = "sheet.png"
COLUMNS, CELL, STRIP = 12, work.THUMBNAIL, 18
FACES, MISSED = 8 * COLUMNS, 3 * COLUMNS
_UNITS = 48  # of which pictures are taken: their zips are opened one by one


def of_units(paths: Iterable[str]) -> bytes:
    """The sheet of some units, evenly spread over them.

    Args:
      paths: of their zips.

    Returns:
      PNG bytes.
    """
    some = work.spread(list(paths), _UNITS)
    parts = [work.samples(path, -(-FACES // len(some)), -(-MISSED // len(some))) for path in some]
    faces = [jpeg for part, _ in parts for jpeg in part]
    missed = [jpeg for _, part in parts for _, jpeg in part]
    return draw([opened(f) for f in work.spread(faces, FACES)], [opened(m) for m in work.spread(missed, MISSED)])


def opened(jpeg: bytes) -> Image.Image:
    """JPEG bytes as a PIL image."""
    return Image.open(io.BytesIO(jpeg)).convert("RGB")


def draw(faces: Sequence[Image.Image], missed: Sequence[Image.Image], why: str = "no face found in") -> bytes:
    """Draws a sheet.

    Args:
      faces, missed: lists of PIL images, of any size.
      why: stands above the second.

    Returns:
      PNG bytes.
    """
    parts = [(f"cut out ({len(faces)} of them)", faces)]
    if missed:
        parts.append((f"{why} ({len(missed)} of them)", missed))
    heights = [STRIP + CELL * max(1, -(-len(pictures) // COLUMNS)) for _, pictures in parts]
    sheet = Image.new("RGB", (COLUMNS * CELL, sum(heights)), "white")
    for (title, pictures), top in zip(parts, np.cumsum([0, *heights]), strict=False):
        ImageDraw.Draw(sheet).text((3, int(top) + 3), title, fill="black", font_size=11)
        for i, picture in enumerate(pictures):
            at = (i % COLUMNS * CELL, int(top) + STRIP + i // COLUMNS * CELL)
            sheet.paste(picture.resize((CELL, CELL), Image.Resampling.BILINEAR), at)
    return png(sheet)
