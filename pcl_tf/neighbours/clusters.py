"""Clusters of embeddings: k-means of scikit-learn on directions, shown by the faces nearest to each centre."""

import csv
import io
import pathlib
import warnings

import numpy as np

from pcl_tf.errors import Refused
from pcl_tf.neighbours.search import unit
from pcl_tf.store import check, write_atomically

_HEADER = ("image", "cluster", "cosine")
SEED = 0  # the same command finds the same clusters


def check_list(path: pathlib.Path) -> None:
    """Raises Refused if a file of the name is no such list."""
    check(path)
    if path.exists() and not path.read_bytes().startswith(",".join(_HEADER).encode()):
        raise Refused(f"--out: {path} would be written too, and is no list of clusters; give another name.")


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
        different = len(np.unique(found.labels_))  # copies that differ by rounding alone are no clusters
    if different < count:
        raise Refused(f"--clusters={count}: there are {different} different embeddings; ask for at most as many.")
    order = np.argsort(-np.bincount(found.labels_, minlength=count), kind="stable")
    rank = np.argsort(order)[found.labels_]
    return rank, np.sum(z * unit(found.cluster_centers_)[found.labels_], axis=1)


def write_list(path: pathlib.Path, names: np.ndarray, found: np.ndarray, *, cosine: np.ndarray) -> None:
    """Writes a CSV of image, cluster (from 1) and cosine to its centre; a cluster's images stand nearest first."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEADER)
    for i in np.lexsort((-cosine, found)):
        writer.writerow([names[i], found[i] + 1, f"{cosine[i]:.4f}"])
    write_atomically(path, text.getvalue())
