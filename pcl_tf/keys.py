"""Keys of recipes: their defaults, the values they may have, what they are."""

import dataclasses
import math
import pkgutil
from collections.abc import Callable, Iterable
from typing import Any


@dataclasses.dataclass(frozen=True)
class Check:
    """A condition on a value."""

    words: Callable[[], str]  # -> the values that pass, as they follow "must be"; called for errors alone
    test: Callable[[Any], bool]  # value -> bool; may raise TypeError or OverflowError for a value of another type

    def __call__(self, value: Any) -> bool:
        """Whether a value passes."""
        try:
            return bool(self.test(value))
        except (TypeError, OverflowError):
            return False


def whole(low: int, high: int) -> Check:
    """A whole number from low to high."""
    return Check(lambda: f"a whole number from {low} to {high}", lambda v: type(v) is int and low <= v <= high)


def number(low: float, high: float) -> Check:
    """A finite number from low to high."""
    return Check(lambda: f"a number from {low} to {high}", lambda v: _real(v) and low <= v <= high)


def positive(high: float) -> Check:
    """A number above 0, up to high."""
    return Check(lambda: f"a number above 0 up to {high}", lambda v: _real(v) and 0 < v <= high)


def _real(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def one_of(names: Iterable[str] | str, *more: str) -> Check:
    """One of some names; names: a tuple, a registry, or the place of one, "module:NAME", imported for the first check."""

    def known() -> tuple[str, ...]:
        return (*(pkgutil.resolve_name(names) if isinstance(names, str) else names), *more)

    return Check(lambda: f"one of {', '.join(known())}", lambda v: v in known())


truth = Check(lambda: "true or false", lambda v: isinstance(v, bool))
text = Check(lambda: "a text of printable characters", lambda v: isinstance(v, str) and (v == "" or v.isprintable()))


@dataclasses.dataclass(frozen=True)
class Key:
    """A key of a recipe."""

    value: Any  # the default; its type is that of the key
    check: Check  # which values it may have
    words: str  # what it is

    def parse(self, text: str) -> Any:
        """The value that a text of a command line stands for; None where it is none of this type."""
        if isinstance(self.value, bool):
            return {"true": True, "1": True, "false": False, "0": False}.get(text.lower())
        try:
            return type(self.value)(text)
        except ValueError:
            return None


def flatten(recipe: Any) -> dict[str, Any]:
    """A recipe, nested dicts or a ConfigDict -> {'method.updates': ...}."""
    out: dict[str, Any] = {}
    for key, value in recipe.items():
        out |= {f"{key}.{k}": v for k, v in flatten(value).items()} if hasattr(value, "items") else {key: value}
    return out
