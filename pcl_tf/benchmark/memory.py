"""Resident memory of this process."""

import os
import sys

import psutil


def peak_memory() -> float:
    """Largest resident set of this process so far, in MB."""
    if os.name == "nt":
        return psutil.Process().memory_info().peak_wset / 2**20
    import resource  # POSIX only

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024.0)


def resident() -> float:
    """Resident set of this process now, in MB."""
    return psutil.Process().memory_info().rss / 2**20
