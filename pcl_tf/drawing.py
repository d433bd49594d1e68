"""Pictures as files: sheets of small pictures and texts, and figures of matplotlib."""

import io
import pathlib
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from pcl_tf.choices import SOFTWARE
from pcl_tf.store import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Cell = np.ndarray | Image.Image | str
_TEXT, _LINE = 11, 14  # pixels: size of letters, height of a line


def sheet(rows: Sequence[Sequence[Cell]], cell: int, *, smooth: bool = True) -> Image.Image:
    """Draws rows of cells on white.

    Args:
      rows: of cells; a picture (PIL, uint8 [h, w, 3], or float in [0, 1]) becomes a square, a text is written from the
        left end of its cell and may be longer. A row of texts alone is as high as its lines.
      cell: side of a square in pixels.
      smooth: whether pictures are resized bilinearly, and not by nearest pixels.
    """
    method = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
    heights = [
        cell if any(not isinstance(c, str) for c in row) else _LINE * max(str(c).count("\n") + 1 for c in row) + 4
        for row in rows
    ]
    whole = Image.new("RGB", (cell * max(map(len, rows)), sum(heights)), "white")
    pen = ImageDraw.Draw(whole)
    for row, top in zip(rows, np.cumsum([0, *heights]), strict=False):
        for column, content in enumerate(row):
            at = (column * cell, int(top))
            if isinstance(content, str):
                pen.multiline_text((at[0] + 2, at[1] + 2), content, fill="black", font_size=_TEXT, spacing=2)
            else:
                whole.paste(_picture(content).resize((cell, cell), method), at)
    return whole


def wrapped(pictures: Sequence[Cell], columns: int) -> list[Sequence[Cell]]:
    """Pictures one after another in rows of so many columns."""
    return [pictures[i : i + columns] for i in range(0, len(pictures), columns)]


def _picture(content: np.ndarray | Image.Image) -> Image.Image:
    if isinstance(content, Image.Image):
        return content
    return Image.fromarray(content if content.dtype == np.uint8 else (np.clip(content, 0, 1) * 255 + 0.5).astype("u1"))


def png(picture: Image.Image) -> bytes:
    """PNG bytes of a PIL image."""
    buffer, info = io.BytesIO(), PngInfo()
    info.add_text("Software", SOFTWARE)
    picture.save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def save_figure(figure: "Figure", path: str | pathlib.Path) -> None:
    """Writes a figure as a PNG, the same file for the same figure."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():  # of letters that its font does not have
        warnings.simplefilter("ignore")
        figure.savefig(buffer, dpi=120, format="png", metadata={"Software": SOFTWARE})
    write_atomically(path, buffer.getvalue())


def plain(text: object, longest: int = 28) -> str:
    """A name as it stands, cut if it is longer: matplotlib takes what is between two dollars for a formula."""
    name = str(text)
    return (name if len(name) <= longest else f"{name[: longest - 2]}..").replace("$", r"\$")
