"""Tables as others read them: Markdown, CSV, Parquet, JSON lines."""

import contextlib
import csv
import json
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pcl_tf.store import atomic_path

FORMATS = (".csv", ".parquet", ".jsonl")  # of ``writer``
_TOGETHER = 4096  # rows of a group in Parquet


def markdown(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table, no line end after it: texts [K], and rows of [K] cells of any type."""
    lines = [header, ["---"] * len(header), *rows]
    one_line = ((" ".join(str(x).splitlines()).replace("|", "\\|") for x in line) for line in lines)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in one_line)


def guarded(text: str) -> str:
    """A text for a CSV that a spreadsheet takes for no formula: with a ' before it where it begins with = + - or @."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


@contextlib.contextmanager
def writer(path: str | pathlib.Path, columns: Mapping[str, type]) -> Iterator[Callable[[Mapping[str, Any]], Any]]:
    """Yields a function that writes a row; the file has its name when all are written.

    Args:
      path: its suffix, of ``FORMATS``, decides the format. In a CSV None is an empty field and numbers have
        seven digits, from a million on sixteen, as the last of a time in seconds differ.
      columns: {name: str, int, float or bool}.
    """
    with atomic_path(path) as aside:
        if aside.suffix.lower() == ".parquet":
            with _parquet(aside, columns) as write:
                yield write
            return
        with open(aside, "w", newline="", encoding="utf-8") as f:
            if aside.suffix.lower() == ".jsonl":
                yield lambda row: f.write(json.dumps(row) + "\n")
            else:
                out = csv.writer(f, lineterminator="\n")
                out.writerow(map(guarded, columns))
                yield lambda row: out.writerow(map(_cell, row.values()))


def _cell(value: Any) -> Any:
    if isinstance(value, (float, np.floating)):
        return f"{value:.{7 if abs(float(value)) < 1e6 else 16}g}"
    return guarded(value) if isinstance(value, str) else value


@contextlib.contextmanager
def _parquet(path: pathlib.Path, columns: Mapping[str, type]) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    import pyarrow
    import pyarrow.parquet

    kinds = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64(), bool: pyarrow.bool_()}
    schema = pyarrow.schema([(name, kinds[kind]) for name, kind in columns.items()])
    some: list[Mapping[str, Any]] = []
    with pyarrow.parquet.ParquetWriter(path, schema) as out:

        def flush() -> None:
            out.write_table(pyarrow.Table.from_pylist(some, schema))
            some.clear()

        def write(row: Mapping[str, Any]) -> None:
            some.append(row)
            if len(some) == _TOGETHER:
                flush()

        yield write
        flush()
