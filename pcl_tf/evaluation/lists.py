"""The one reader of every list that people hand out or write themselves: its lines, or a table of columns."""

import csv
import dataclasses
import pathlib
import re
from collections.abc import Collection

from pcl_tf.data.files import one_sign
from pcl_tf.errors import Refused

_UNNAMED = re.compile(r"(Unnamed: \d+)?")  # pandas calls a column without a name so
_WHOLE = re.compile(r"([+-]?\d+)\.0+")  # and writes whole numbers so if one of their column is missing


def canonical(text: str) -> str:
    """The name of a class, person or group, whichever program wrote it: accents as one sign, 1.0 as 1."""
    return _WHOLE.sub(r"\1", text) if _WHOLE.fullmatch(text) else one_sign(text)


def _text(path: str | pathlib.Path) -> str:
    """The text of a list in UTF-8, with or without a mark, every line ended by a newline alone."""
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Refused(f"{path}: cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise Refused(f"{path}, line {line}: not UTF-8; save it as UTF-8.") from error
    if not text.strip():
        raise Refused(f"{path}: is empty.")
    return text


def read_lines(path: str | pathlib.Path) -> list[tuple[int, str]]:
    """The lines of a list that are not blank: list of (line number from 1, line without blanks at its ends).

    Raises:
      Refused: it cannot be read, is empty, or is not in UTF-8.
    """
    numbered = enumerate(_text(path).split("\n"), 1)
    return [(number, line.strip()) for number, line in numbered if line.strip()]


@dataclasses.dataclass(frozen=True)
class Table:
    """A list in columns; columns without a name, as pandas writes its index, are left out."""

    header: tuple[str, ...]  # names of the columns, without blanks at their ends
    rows: list[tuple[int, dict[str, str]]]  # list of (line number, {name: field without blanks at its ends})
    # {line number: what is wrong} of rows that have not as many fields as the header; they are in no row
    ragged: dict[int, str]


def read_table(path: str | pathlib.Path, reserved: Collection[str] = ()) -> Table:
    """Reads a list of columns under a header, separated by commas, semicolons or tabs: whichever the header has most of.

    Names that are reserved are recognised in capitals too.

    Raises:
      Refused: it cannot be read, is empty, or is not in UTF-8; a quote that does not end, two columns of one name.
    """
    lines = _text(path).split("\n")
    separator = max(",;\t", key=next(filter(str.strip, lines)).count)
    try:
        # strict: a quote that is never closed would swallow the rows below it
        reader = csv.reader((f"{line}\n" for line in lines), delimiter=separator, strict=True, skipinitialspace=True)
        fields = [(reader.line_num, [f.strip() for f in row]) for row in reader]
    except csv.Error as error:
        raise Refused(f"{path}: cannot be read as a CSV ({error}).") from error
    (_, first), *below = [(number, row) for number, row in fields if any(row)] or [(0, [])]
    columns = [name.lower() if name.lower() in reserved else name for name in first]
    header = tuple(name for name in columns if not _UNNAMED.fullmatch(name))
    if not header:
        raise Refused(f"{path}: is empty.")
    if twice := next((name for name in header if header.count(name) > 1), None):
        raise Refused(f"{path}: two columns are called '{twice}'; rename one.")
    rows, ragged = [], {}
    for number, row in below:
        if len(row) == len(columns):
            named = dict(zip(columns, row, strict=True))
            rows.append((number, {name: named[name] for name in header}))
        else:
            hint = " (decimal numbers have a point, texts with a comma have quotes)" * (len(row) > len(columns))
            ragged[number] = f"{len(row)} fields, but the header has {len(columns)}{hint}"
    return Table(header, rows, ragged)
