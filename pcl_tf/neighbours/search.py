"""Nearest neighbours and near duplicates by cosine similarity."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def unit(x: np.ndarray) -> np.ndarray:
    """Rows of length 1: float [N, D] -> float32 [N, D]; a zero row stays zero."""
    x = np.asarray(x, np.float32)
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def nearest(query: np.ndarray, x: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows most alike to each query.

    Args:
      query: float [Q, D].
      x: float [N, D].
      count: neighbours a query, at most N.

    Returns:
      (int64 [Q, count], most alike first and the earlier row of equals; float32 [Q, count] cosines).
    """
    similarity = unit(query) @ unit(x).T
    order = np.argsort(-similarity, axis=1, kind="stable")[:, :count]
    return order, np.take_along_axis(similarity, order, axis=1)


def duplicates(x: np.ndarray, threshold: float, *, block: int = 1024) -> list[list[int]]:
    """Groups of rows that are linked by cosines of at least a threshold.

    Args:
      x: float [N, D].
      threshold: in (0, 1].
      block: rows compared at once; memory is this many times N.

    Returns:
      list of ascending lists of rows, each of two or more, ordered by their first row.
    """
    z = unit(x)
    threshold = min(threshold, 1 - 1e-6)  # in float32 the cosine of a row with its copy may be .9999999
    every = np.arange(len(z))
    of = every  # the first row of the group that each row is in
    for start in range(0, len(z), block):
        i, j = np.nonzero(z[start : start + block] @ z.T >= threshold)
        edges = np.concatenate([i + start, every]), np.concatenate([j, of])
        graph = coo_array((np.ones(len(edges[0]), bool), edges), shape=(len(z), len(z)))
        _, group = connected_components(graph, directed=False)
        of = np.unique(group, return_index=True)[1][group]
    groups: dict[int, list[int]] = {}
    for row, group in enumerate(of.tolist()):
        groups.setdefault(group, []).append(row)
    return [rows for rows in groups.values() if len(rows) > 1]
