"""What several parts measure alike: memory of this process, and how far measurements lie apart."""

import resource
import statistics
import sys
from collections.abc import Sequence

import psutil


def peak_memory() -> float:
    """Largest resident set of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024.0)


def resident() -> float:
    """Resident set of this process now, in MB."""
    return psutil.Process().memory_info().rss / 2**20


def spread(values: Sequence[float]) -> float:
    """Largest minus smallest of a list of numbers, over their median."""
    return (max(values) - min(values)) / statistics.median(values)
