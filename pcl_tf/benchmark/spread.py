"""How far measurements of the same thing lie apart."""

import statistics


def spread(found):
    """Largest minus smallest of a list of numbers, over their median."""
    return (max(found) - min(found)) / statistics.median(found)
