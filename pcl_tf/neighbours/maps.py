"""A map of embeddings: every image a point, those that are alike close together, coloured by a column of a CSV."""

import collections
import contextlib
import pathlib
from typing import Any

import numpy as np

from pcl_tf.drawing import plain, save_figure
from pcl_tf.errors import Refused
from pcl_tf.evaluation.lists import read_table
from pcl_tf.faces.search import Names, unit
from pcl_tf.tables import unguarded

METHODS = ("pca", "tsne")
MOST = 3000  # images that t-SNE lays out, an even choice: it takes a minute for these on two cores
NAMES = ("path", "image", "name")  # columns that may name the images: of a manifest, of a probe's predictions, of embed
OTHERS = "others"
_COLOURS = 10  # of a legend, one of them for all others
_UNKNOWN = "0.8"  # grey


def read_colours(text: str, names: np.ndarray) -> np.ndarray:
    """Values of embedded images, in a column of a CSV that names its images in a column path, image or name.

    Args:
      text: ``FILE.csv:COLUMN``.
      names: str [N], of the embedded images, which the CSV may shorten to their ends.

    Returns:
      float [N], NaN where unknown, of more than ten different numbers; else str [N], '' where unknown, the rarest as OTHERS.

    Raises:
      Refused: no such file or column, a name that several images end with, or none that is among the embedded ones.
    """
    path, _, column = text.rpartition(":")
    if not path or not column:
        raise Refused(f"--colour={text}: what is needed is FILE.csv:COLUMN.")
    table = read_table(path, NAMES)
    naming = next((name for name in NAMES if name in table.header), None)
    if naming is None or column not in table.header:
        lacking = f"no column {column}" if naming else f"none of the columns {', '.join(NAMES)}"
        raise Refused(f"--colour={text}: {lacking} in {path}; its columns are {', '.join(table.header)}.")
    images, values = Names(names), [""] * len(names)
    for line, row in table.rows:
        rows = images.rows(unguarded(row[naming]))
        if len(rows) > 1:
            raise Refused(
                f"{path}, line {line}: {len(rows)} embedded images are called so, {names[rows[0]]} and {names[rows[1]]}"
                " first; write more of their folders."
            )
        for i in rows:
            values[i] = row[column]
    if not (known := [value for value in values if value]):
        raise Refused(f"--colour={text}: none of its images is among the {len(names)} that are embedded.")
    counted = collections.Counter(known)
    if len(counted) > _COLOURS:
        with contextlib.suppress(ValueError):
            numbers = np.array([float(value or "nan") for value in values])
            if np.isfinite(numbers).sum() == len(known):
                return numbers
    shown = _COLOURS if len(counted) <= _COLOURS else _COLOURS - 1
    kept = {"", *(value for value, _ in counted.most_common(shown))}
    return np.array([value if value in kept else OTHERS for value in values])


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
    features: dict[str, np.ndarray],
    out: str | pathlib.Path,
    method: str = "pca",
    *,
    values: np.ndarray | None = None,
    title: str = "",
) -> None:
    """Draws a map of each feature into one PNG.

    Args:
      features: {name: float [N, D]}.
      out: path of the PNG.
      method: of METHODS.
      values, title: of ``read_colours``, which colour the images, and their name.

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
        shown = _scatter(axes, at, None if values is None else values[rows])
        axes.set(title=f"{name}: {words}", xticks=[], yticks=[])
    if shown is not None:
        figure.colorbar(shown, ax=list(panels), label=plain(title))
    elif values is not None:
        handles, labels = panels[-1].get_legend_handles_labels()
        figure.legend(handles, labels, title=plain(title), loc="outside right upper", markerscale=2)
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
