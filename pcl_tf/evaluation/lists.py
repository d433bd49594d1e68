"""The one reader of every list that people hand out or write themselves: its lines, or a table of columns."""

import csv
import dataclasses
import pathlib
import re
from collections.abc import Collection

from pcl_tf.errors import Refused

_UNNAMED = re.compile(r"(Unnamed: \d+)?")  # pandas calls a column without a name so


def _text(path: str | pathlib.Path) -> str:
    """The text of a list in UTF-8, with or without a mark, every line ended by a newline alone.

    Raises:
      Refused: it cannot be read, is empty, or is in another encoding.
    """
    path = pathlib.Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
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
    """A list in columns.

    Attributes:
      header: names of the columns, without blanks at their ends.
      rows: list of (line number, {name: field without blanks at its ends}).
      ragged: {line number: fields} of rows that have not as many fields as the header; they are in no row.
      unnamed: how many columns without a name were left out.
    """

    header: tuple[str, ...]
    rows: list[tuple[int, dict[str, str]]]
    ragged: dict[int, int]
    unnamed: int


def read_table(path: str | pathlib.Path, reserved: Collection[str] = ()) -> Table:
    """Reads a list of columns under a header, separated by commas, semicolons or tabs: whichever the header has most of.

    Args:
      path: of the file.
      reserved: names that are recognised in capitals too.

    Returns:
      Table.

    Raises:
      Refused: it cannot be read, is empty, or is not in UTF-8; a quote that does not end, two columns of one name.
    """
    lines = _text(path).split("\n")
    separator = max(",;\t", key=next(line for line in lines if line.strip()).count)
    try:
        # strict: a quote that is never closed would swallow the rows below it
        reader = csv.reader((f"{line}\n" for line in lines), delimiter=separator, strict=True, skipinitialspace=True)
        fields = [(reader.line_num, [f.strip() for f in row]) for row in reader]
    except csv.Error as error:
        raise Refused(f"{path}: cannot be read as a CSV ({error}).") from error
    (_, first), *rows = [(number, row) for number, row in fields if any(row)] or [(0, [])]
    header = [name.lower() if name.lower() in reserved else name for name in first]
    named = [i for i, name in enumerate(header) if not _UNNAMED.fullmatch(name)]
    names = tuple(header[i] for i in named)
    if not names:
        raise Refused(f"{path}: is empty.")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise Refused(f"{path}: two columns are called '{twice}'; rename one.")
    whole = [(number, {header[i]: row[i] for i in named}) for number, row in rows if len(row) == len(header)]
    ragged = {number: len(row) for number, row in rows if len(row) != len(header)}
    return Table(names, whole, ragged, len(header) - len(named))
