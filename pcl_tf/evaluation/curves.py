"""The operating points of a verification: ROC, equal error rate, and how many are let in at what false accept rate."""

from typing import Any

import numpy as np

FARS = (1e-1, 1e-2, 1e-3)


def roc(values: np.ndarray, same: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of pairs that are accepted by ``value >= threshold``, for every threshold that tells pairs apart.

    Args:
      values: float [P], higher is more alike.
      same: 0/1 [P], both of them there.

    Returns:
      (far, tar): float64 [T], of pairs of two people and of one, from (0, 0) to (1, 1), neither falling.
    """
    order = np.argsort(-np.asarray(values, np.float64), kind="stable")
    values, same = np.asarray(values)[order], np.asarray(same)[order]
    last = np.append(np.flatnonzero(np.diff(values)), len(values) - 1)  # equal values fall on one side together
    tar, far = np.cumsum(same)[last] / same.sum(), np.cumsum(1 - same)[last] / (1 - same).sum()
    return np.append(0.0, far), np.append(0.0, tar)


def equal_error_rate(far: np.ndarray, tar: np.ndarray) -> float:
    """Where as many of two people are accepted as of one are rejected, on the line between the points: float."""
    apart = far - (1 - tar)  # from -1 to 1, rising
    after = int(np.argmax(apart >= 0))
    share = apart[after - 1] / (apart[after - 1] - apart[after])
    return float(far[after - 1] + share * (far[after] - far[after - 1]))


def tar_at(far: np.ndarray, tar: np.ndarray, limit: float) -> float:
    """The largest true accept rate whose false accept rate is not above the limit: float."""
    return float(tar[far <= limit].max())


def summary(values: np.ndarray, same: np.ndarray) -> dict[str, Any] | None:
    """What is told of the similarities of all pairs together.

    Args:
      values, same: as for ``roc``.

    Returns:
      {'EER': float, 'TAR@FAR': {'0.1': float, ..}} of those FARS at which a pair of two people may pass at all; None
      where pairs of one person, or of two, are lacking.
    """
    same = np.asarray(same)
    if not 0 < same.sum() < len(same):
        return None
    far, tar = roc(values, same)
    different = len(same) - int(same.sum())
    rates = {f"{limit:g}": tar_at(far, tar, limit) for limit in FARS if different * limit > 1 - 1e-9}
    return {"EER": equal_error_rate(far, tar), "TAR@FAR": rates}
