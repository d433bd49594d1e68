"""How far measurements of the same thing lie apart."""

import statistics
from collections.abc import Sequence


def spread(found: Sequence[float]) -> float:
    """Largest minus smallest of a list of numbers, over their median."""
    return (max(found) - min(found)) / statistics.median(found)
