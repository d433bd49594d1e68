"""Tables of texts as Markdown and as CSV."""

from collections.abc import Iterable, Sequence
from typing import Any


def markdown(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table, no line end after it: texts [K], and rows of [K] cells of any type."""
    lines = [header, ["---"] * len(header), *rows]
    one_line = ((" ".join(str(x).splitlines()).replace("|", "\\|") for x in line) for line in lines)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in one_line)


def guarded(text: str) -> str:
    """A text for a CSV that a spreadsheet takes for no formula: with a ' before it where it begins with = + - or @."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def unguarded(text: str) -> str:
    """A text as it was before ``guarded``."""
    return text[1:] if text.startswith("'") and guarded(text[1:]) == text else text
