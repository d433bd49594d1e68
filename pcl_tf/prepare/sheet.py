"""The contact sheet of a preparation: faces and pictures without one, to look at before training."""

import io

from PIL import Image

from pcl_tf import drawing
from pcl_tf.prepare import work

NAME = "sheet.png"
COLUMNS = 12
FACES, MISSED = 8 * COLUMNS, 3 * COLUMNS
_UNITS = 48  # of which pictures are taken: their zips are opened one by one


def draw(paths: list[str]) -> bytes:
    """PNG bytes of the sheet of some units, evenly spread; paths of their zips."""
    some = work.spread(paths, _UNITS)
    parts = [work.samples(path, -(-FACES // len(some)), -(-MISSED // len(some))) for path in some]
    rows: list[list[drawing.Cell]] = []
    for title, which, count in (("cut out", 0, FACES), ("no face found in", 1, MISSED)):
        pictures = [_opened(jpeg) for jpeg in work.spread([jpeg for part in parts for jpeg in part[which]], count)]
        if pictures:
            rows += [[f"{title} ({len(pictures)} of them)", "", ""], *map(list, drawing.wrapped(pictures, COLUMNS))]
    return drawing.png(drawing.sheet(rows or [["no pictures"]], work.THUMBNAIL))


def _opened(jpeg: bytes) -> Image.Image:
    return Image.open(io.BytesIO(jpeg)).convert("RGB")
