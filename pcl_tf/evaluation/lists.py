"""The one reader of every list that people hand out or write themselves: text, its lines, and tables of columns."""

import codecs
import csv
import dataclasses
import pathlib
import re
from collections.abc import Collection, Iterator

from pcl_tf.errors import Refused

# UTF-32 first: its little-endian mark begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UNNAMED = re.compile(r"(Unnamed: \d+)?")  # pandas calls a column without a name so


def read_text(path: str | pathlib.Path) -> str:
    """The text of a list: UTF-8, or UTF-8, UTF-16 or UTF-32 with the mark that editors and Excel write.

    Args:
      path: of the file.

    Returns:
      str, every line ended by a newline alone.

    Raises:
      Refused: it cannot be read, is empty, or is in another encoding.
    """
    path = pathlib.Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Refused(f"{path}: cannot be read ({error.strerror}).") from error
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Refused(f"{path}, line {line}: not {encoding.removesuffix('-sig').upper()}; save it as UTF-8.") from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise Refused(f"{path}, line {line}: holds zero bytes, so it is no UTF-8 text; save it as UTF-8.")
    if not text.strip():
        raise Refused(f"{path}: is empty.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_lines(path: str | pathlib.Path) -> list[tuple[int, str]]:
    """The lines of a list that are not blank: list of (line number from 1, line without blanks at its ends).

    Raises:
      Refused: as ``read_text``.
    """
    numbered = enumerate(read_text(path).split("\n"), 1)
    return [(number, line.strip()) for number, line in numbered if line.strip()]


def _ended(text: str) -> Iterator[str]:
    # Not io.StringIO, which takes four bytes a letter: FER-2013's list has 300 million.
    return (f"{line}\n" for line in text.split("\n"))


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
    """Reads a list of comma-separated columns under a header.

    Args:
      path: of the file.
      reserved: names that are recognised in capitals too.

    Returns:
      Table.

    Raises:
      Refused: as ``read_text``; other separators, a quote that does not end, two columns of one name.
    """
    try:
        # strict: a quote that is never closed would swallow the rows below it
        reader = csv.reader(_ended(read_text(path)), strict=True, skipinitialspace=True)
        lines = [(reader.line_num, [f.strip() for f in fields]) for fields in reader]
    except csv.Error as error:
        raise Refused(f"{path}: cannot be read as a CSV ({error}).") from error
    lines = [(number, fields) for number, fields in lines if any(fields)]
    if not lines:
        raise Refused(f"{path}: is empty.")
    (_, first), *lines = lines
    if len(first) == 1 and (other := next((s for s in ";\t|" if s in first[0]), None)):
        shown = {"\t": "tabs"}.get(other, f"'{other}'")
        raise Refused(f"{path}: its columns are separated by {shown}; separate them by commas, with decimal points.")
    header = [name.lower() if name.lower() in reserved else name for name in first]
    named = [i for i, name in enumerate(header) if not _UNNAMED.fullmatch(name)]
    names = [header[i] for i in named]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise Refused(f"{path}: two columns are called '{twice}'; rename one.")
    rows = [(n, {header[i]: f[i] for i in named}) for n, f in lines if len(f) == len(header)]
    ragged = {n: len(f) for n, f in lines if len(f) != len(header)}
    return Table(tuple(names), rows, ragged, len(header) - len(named))
