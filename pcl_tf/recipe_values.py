"""Checks of single values of a recipe, in the words of its errors. Importing it is cheap: it needs no TensorFlow."""

import math
from collections.abc import Callable, Iterable
from typing import Any


class Check:
    """A condition on a value and its words.

    Args:
      allowed: what would do, as it follows "must be"; a function where it takes an import to know.
      fine: value -> bool; may raise TypeError for another type.
    """

    def __init__(self, allowed: str | Callable[[], str], fine: Callable[[Any], bool]):
        self._allowed, self._fine = allowed, fine

    @property
    def allowed(self) -> str:
        """What would do, as it follows "must be"."""
        return self._allowed if isinstance(self._allowed, str) else self._allowed()

    def __call__(self, value: Any) -> bool:
        """Whether the value will do."""
        try:
            return bool(self._fine(value))
        except (TypeError, OverflowError):
            return False


def whole(low: int, high: int) -> Check:
    """A whole number from low to high."""
    return Check(
        f"a whole number from {low} to {high}",
        lambda v: isinstance(v, int) and not isinstance(v, bool) and low <= v <= high,
    )


def number(low: float, high: float, least: bool = True) -> Check:
    """A finite number from low (with least=False above low) to high."""

    def fine(v: Any) -> bool:
        real = isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v)
        return real and (low <= v if least else low < v) and v <= high

    return Check(f"a number {'from' if least else 'above'} {low} {'to' if least else 'up to'} {high}", fine)


def one_of(names: Iterable[str] | Callable[[], Iterable[str]]) -> Check:
    """One of the names of a registry; a function returns one that takes an import."""

    def known() -> tuple[str, ...]:
        return tuple(names() if callable(names) else names)

    return Check(lambda: f"one of {', '.join(known())}", lambda v: v in known())


truth = Check("true or false", lambda v: isinstance(v, bool))
text = Check("a text of printable characters", lambda v: isinstance(v, str) and (v == "" or v.isprintable()))
