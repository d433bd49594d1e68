"""Values that colour a map of embeddings: a column of a CSV that names the images."""

import collections
import dataclasses

import numpy as np

from pcl_tf.errors import Refused
from pcl_tf.evaluation.lists import read_table
from pcl_tf.faces.search import Names
from pcl_tf.tables import unguarded

NAMES = ("path", "image", "name")  # columns that may name the images: of a manifest, of a probe's predictions, of embed
_MOST = 10  # colours of a legend, one of them for all others
OTHERS = "others"


@dataclasses.dataclass(frozen=True)
class Colours:
    """Values of embedded images.

    Attributes:
      column: their name.
      values: float [N], NaN where unknown, of more than ten different numbers; else str [N], '' where unknown.
      unknown: how many images have no value.
    """

    column: str
    values: np.ndarray
    unknown: int


def read(text: str, names: np.ndarray) -> Colours:
    """Reads ``FILE.csv:COLUMN`` for embedded images.

    The CSV names its images in a column path, image or name, as the embeddings do or by the end of that name.

    Args:
      text: see above.
      names: str [N], of the embedded images.

    Returns:
      Colours.

    Raises:
      Refused: no such file or column, an image that stands twice, a name that several images end with, or none that
        is among the embedded ones.
    """
    path, _, column = text.rpartition(":")
    if not path or not column:
        raise Refused(f"--colour={text}: what is needed is FILE.csv:COLUMN.")
    table = read_table(path, NAMES)
    naming = next((name for name in NAMES if name in table.header), None)
    if naming is None or column not in table.header:
        lacking = f"no column {column}" if naming else f"none of the columns {', '.join(NAMES)}"
        raise Refused(f"--colour={text}: {lacking} in {path}; its columns are {', '.join(table.header)}.")
    images, values, lines = Names(names), [""] * len(names), dict[int, int]()
    for line, row in table.rows:
        rows = images.rows(unguarded(row[naming]))
        if len(rows) > 1:
            raise Refused(
                f"{path}, line {line}: {len(rows)} embedded images are called so, {names[rows[0]]} and {names[rows[1]]}"
                " first; write more of their folders."
            )
        for i in rows:
            if i in lines:
                raise Refused(f"{path}, line {line}: '{row[naming]}' stands in line {lines[i]} already.")
            lines[i], values[i] = line, row[column]
    if not (known := [value for value in values if value]):
        raise Refused(f"--colour={text}: none of its images is among the {len(names)} that are embedded.")
    return Colours(column, _coloured(values, known), len(values) - len(known))


def _coloured(values: list[str], known: list[str]) -> np.ndarray:
    """Numbers if all are numbers and there are many, else the most frequent values and OTHERS."""
    counted = collections.Counter(known)
    if len(counted) > _MOST:
        try:
            numbers = np.array([float(value or "nan") for value in values])
            if np.isfinite(numbers).sum() == len(known):
                return numbers
        except ValueError:
            pass
    kept = {"", *(value for value, _ in counted.most_common(_MOST if len(counted) <= _MOST else _MOST - 1))}
    return np.array([value if value in kept else OTHERS for value in values])
