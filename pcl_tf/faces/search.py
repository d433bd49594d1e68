"""Finds images by their names, and nearest neighbours, clusters and near duplicates by cosine similarity."""

import re
import warnings
from collections.abc import Iterable

import numpy as np

from pcl_tf.data.files import one_sign
from pcl_tf.errors import Refused

SEED = 0  # of clusters: the same faces have the same ones


def named(name: str, names: Iterable[str]) -> list[int]:
    """Rows of the images of this name, or else of those whose names end so: behind a folder, a zip, a colon or a #."""

    def plain(text: str) -> str:  # what a list says from where it lies, embeddings do not know: ../a.png
        return re.sub(r"^(\.{1,2}/)+", "", one_sign(str(text)).replace("\\", "/"))

    name, every = plain(name), [plain(one) for one in names]
    ends = (name,) if name[:1] in ("/", ":", "#") else (f"/{name}", f":{name}", f"#{name}")
    exact = [row for row, one in enumerate(every) if one == name]
    return exact or [row for row, one in enumerate(every) if one.endswith(ends)]


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


def duplicates(x: np.ndarray, threshold: float, *, block: int = 256) -> list[list[int]]:
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
    of = np.arange(len(z))  # the first row of the group that each row is in
    for start in range(0, len(z), block):
        for alike in z[start : start + block] @ z[start:].T >= threshold:
            linked = of[start:][alike]
            if linked.size and linked.min() < linked.max():
                of[np.isin(of, linked)] = linked.min()
    groups: dict[int, list[int]] = {}
    for row, group in enumerate(of.tolist()):
        groups.setdefault(group, []).append(row)
    return [rows for rows in groups.values() if len(rows) > 1]


def clusters(x: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Spherical k-means: k-means on rows of length 1.

    Args:
      x: float [N, D].
      count: clusters, at most N.

    Returns:
      (int [N], cluster of each row, from 0, the largest first; float [N], cosine to its centre).

    Raises:
      Refused: fewer directions than clusters.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    z = unit(x)
    different = len(np.unique(z, axis=0))
    if different >= count:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # of fewer clusters than wanted: refused below
            found = KMeans(count, n_init=10, random_state=SEED).fit(z)
        different = len(np.unique(found.labels_))  # copies that differ by rounding make no clusters
    if different < count:
        raise Refused(f"--clusters={count}: there are {different} different embeddings; ask for at most as many.")
    order = np.argsort(-np.bincount(found.labels_, minlength=count), kind="stable")
    rank = np.argsort(order)[found.labels_]
    return rank, np.sum(z * unit(found.cluster_centers_)[found.labels_], axis=1)
