"""A map of embeddings: every image a point, those that are alike close together, by scikit-learn and matplotlib."""

import pathlib
from typing import Any

import numpy as np

from pcl_tf.drawing import plain, save_figure
from pcl_tf.errors import Refused
from pcl_tf.faces.search import unit
from pcl_tf.neighbours.colours import OTHERS, Colours

METHODS = ("pca", "tsne")
MOST = 3000  # images that t-SNE lays out, an even choice: it takes a minute for these on two cores
_UNKNOWN = "0.8"  # grey


def places(x: np.ndarray, method: str) -> tuple[np.ndarray, str]:
    """Two coordinates of each image, by directions alone as all comparisons here, and what the axes show.

    Args:
      x: float [N, D], N at least 3.
      method: of METHODS.

    Returns:
      (float [N, 2], words).
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    z = unit(x)
    if np.ptp(z, axis=0).max() < 1e-6:  # a collapsed encoder's: there is no variance to divide by
        return np.zeros((len(z), 2)), "all are alike"
    if method == "tsne":
        perplexity = min(30.0, (len(z) - 1) / 3)
        return TSNE(init="pca", perplexity=perplexity, random_state=0).fit_transform(z), "t-SNE"
    pca = PCA(2, random_state=0).fit(z)
    return pca.transform(z), f"PCA, {100 * pca.explained_variance_ratio_.sum():.0f} % of the variance"


def draw(
    features: dict[str, np.ndarray], out: str | pathlib.Path, method: str = "pca", *, colours: Colours | None = None
) -> None:
    """Draws a map of each feature into one PNG.

    Args:
      features: {name: float [N, D]}.
      out: path of the PNG.
      method: of METHODS.
      colours: of the N images, or None.

    Raises:
      Refused: fewer than three images.
    """
    from matplotlib.figure import Figure

    count = len(next(iter(features.values())))
    if count < 3:
        raise Refused(f"--map: {count} embedded images make no map; at least three are needed.")
    rows = np.arange(count)
    if method == "tsne" and count > MOST:
        rows = np.unique(np.linspace(0, count - 1, MOST).astype(int))
    figure = Figure(figsize=(4.5 * len(features) + 1.2, 4.6), layout="constrained")
    panels = figure.subplots(1, len(features), squeeze=False)[0]
    for axes, (name, x) in zip(panels, features.items(), strict=True):
        at, words = places(np.asarray(x)[rows], method)
        shown = _scatter(axes, at, None if colours is None else colours.values[rows])
        axes.set(title=f"{name}: {words}", xticks=[], yticks=[])
    if colours is not None:
        title = plain(colours.column)
        if shown is not None:
            figure.colorbar(shown, ax=list(panels), label=title)
        else:
            handles, labels = panels[-1].get_legend_handles_labels()
            figure.legend(handles, labels, title=title, loc="outside right upper", markerscale=2)
    save_figure(figure, out)


def _scatter(axes: Any, at: np.ndarray, values: np.ndarray | None) -> Any:
    """Draws points; returns what a bar of colours is drawn for, None of values by name."""
    size = 6 if len(at) > 500 else 16
    if values is None:
        axes.scatter(*at.T, s=size, alpha=0.6)
        return None
    if values.dtype.kind == "f":
        known = np.isfinite(values)
        axes.scatter(*at[~known].T, s=size, color=_UNKNOWN)
        return axes.scatter(*at[known].T, s=size, c=values[known], cmap="viridis")
    names = sorted({*values.tolist()} - {"", OTHERS})
    colour = {name: f"C{i}" for i, name in enumerate(names)} | {OTHERS: "0.5", "": _UNKNOWN}
    for name in ["", OTHERS, *names]:
        of = values == name
        if of.any():
            axes.scatter(*at[of].T, s=size, color=colour[name], label=plain(name or "not known"), alpha=0.7)
    return None
