"""Contact sheets of faces in rows: what was asked for, then what is most like it."""

import numpy as np
from PIL import Image, ImageDraw

_TITLE, _CAPTION, _GAP = 24, 18, 12  # pixels


def draw(rows: list[tuple[str, np.ndarray, list[str]]], size: int = 64) -> Image.Image:
    """Draws rows of faces.

    Args:
      rows: list of (title, uint8 [n, s, s, 3] faces, n captions); the first face of a row stands apart.
      size: side in pixels at which faces are drawn.

    Returns:
      PIL image.
    """
    across = max(len(faces) for _, faces, _ in rows)
    height = _TITLE + size + _CAPTION
    sheet = Image.new("RGB", (across * size + _GAP, height * len(rows)), "white")
    pen = ImageDraw.Draw(sheet)
    for r, (title, faces, captions) in enumerate(rows):
        top = r * height
        pen.text((2, top + 4), title, fill="black", font_size=15)
        for i, (face, caption) in enumerate(zip(np.asarray(faces), captions, strict=True)):
            left = i * size + (_GAP if i else 0)
            image = Image.fromarray(face).resize((size, size), Image.Resampling.BILINEAR)
            sheet.paste(image, (left, top + _TITLE))
            pen.text((left + 2, top + _TITLE + size), caption, fill="black", font_size=13)
    return sheet
