"""What a map of embeddings is coloured by: a column of a CSV, found by the names of its images."""

import collections
import dataclasses
import re
from typing import Any

import numpy as np

from pcl_tf.data.tree import one_sign
from pcl_tf.errors import Refused
from pcl_tf.evaluation.lists import read_table

NAMES = (
    "path",
    "image",
    "name",
)  # columns that may name the images: a manifest's, a probe's predictions', embed's table's
_MOST = 10  # colours of a legend, one of them for all others
OTHERS = "others"


@dataclasses.dataclass(frozen=True)
class Colours:
    """Values of embedded images.

    Attributes:
      column: what they are called.
      values: float [N], NaN where nothing is known, of numbers of which there are many; else str [N], '' where nothing is
        known.
      unknown: how many images nothing is known of.
    """

    column: str
    values: np.ndarray
    unknown: int


def read(text: str, names: np.ndarray) -> Colours:
    """Reads ``FILE.csv:COLUMN`` for embedded images.

    The CSV names its images in a column path, image or name: as the embeddings do, or by the end of that name, from a
    folder on.

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
    if table.ragged:
        line = next(iter(table.ragged))
        raise Refused(f"{path}, line {line}: has not as many fields as the header.")
    found = _values(path, [(line, row[naming], row[column]) for line, row in table.rows], list(map(str, names)))
    known = [value for value in found if value]
    if not known:
        raise Refused(f"--colour={text}: none of its images is among the {len(names)} that are embedded.")
    return Colours(column, _numbers(found) if _are_many_numbers(known) else _few(found), len(found) - len(known))


def _values(path: str, rows: list[tuple[int, str, str]], names: list[str]) -> list[str]:
    """The value of each embedded image, '' where the rows have none: list of str."""
    whole = [_one(name) for name in names]
    by_last = collections.defaultdict(list)
    for place, name in enumerate(whole):
        by_last[_last(name)].append(place)
    values = [""] * len(names)
    lines: dict[int, int] = {}
    for line, listed, value in rows:
        stands = _one(listed)
        listed = re.sub(r"^(\.{1,2}/)+", "", stands)  # from where the CSV lies, which the embeddings do not know
        ends = [
            p for p in by_last[_last(listed)] if whole[p] == listed or whole[p].endswith((f"/{listed}", f":{listed}"))
        ]
        places = next((same for n in (stands, listed) if (same := [p for p in ends if whole[p] == n])), ends)
        if len(places) > 1:
            raise Refused(
                f"{path}, line {line}: {len(places)} embedded images are called so, {names[places[0]]} and"
                f" {names[places[1]]} first; write more of their folders."
            )
        for place in places:
            if place in lines:
                raise Refused(f"{path}, line {line}: '{listed}' stands in line {lines[place]} already.")
            lines[place], values[place] = line, value
    return values


def _one(name: str) -> str:
    return one_sign(name).replace("\\", "/")


def _last(name: str) -> str:
    return name.rpartition("/")[2].rpartition(":")[2]


def _number(text: str) -> float | None:
    try:
        return float(text) if text else np.nan
    except ValueError:
        return None


def _are_many_numbers(known: list[str]) -> bool:
    numbers: set[Any] = {_number(text) for text in known}
    return None not in numbers and all(map(np.isfinite, numbers)) and len(numbers) > _MOST


def _numbers(found: list[str]) -> np.ndarray:
    return np.array([_number(text) for text in found])


def _few(found: list[str]) -> np.ndarray:
    """The most frequent values by name, all further ones as OTHERS."""
    counted = collections.Counter(value for value in found if value)
    kept = {value for value, _ in counted.most_common(_MOST if len(counted) <= _MOST else _MOST - 1)}
    return np.array([value if not value or value in kept else OTHERS for value in found])
