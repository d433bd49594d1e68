"""Tables of texts as Markdown, as LaTeX and as CSV."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

_ESCAPED = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


def markdown(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table, no line end after it.

    Args:
      header: texts [K].
      rows: list of [K] cells of any type.
    """
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_one_line(x).replace("|", "\\|") for x in line) + " |" for line in lines)


def latex(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """The same for LaTeX, a tabular with the rules of booktabs, everything in it as it stands: no formulas, no commands."""
    lines = [" & ".join(_escaped(x) for x in line) + r" \\" for line in (header, *rows)]
    head = [
        r"% \usepackage{booktabs}",
        rf"\begin{{tabular}}{{{'l' * len(header)}}}",
        r"\toprule",
        lines[0],
        r"\midrule",
    ]
    return "\n".join([*head, *lines[1:], r"\bottomrule", r"\end{tabular}"])


def guarded(text: str) -> str:
    """A text for a CSV that a spreadsheet takes for no formula: with a ' before it where it begins with = + - or @."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def unguarded(text: str) -> str:
    """A text as it was before ``guarded``."""
    return text[1:] if text.startswith("'") and guarded(text[1:]) == text else text


def _one_line(cell: object) -> str:
    return " ".join(str(cell).splitlines())


def _escaped(cell: object) -> str:
    text = re.sub(r"[\\~^±&%$#_{}]", lambda found: _ESCAPED[found[0]], _one_line(cell))
    return f"{{{text}}}" if text.startswith(("[", "*")) else text  # after \\ it would be taken for an argument
