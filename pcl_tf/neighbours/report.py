"""From a table and a question to a picture or a list."""

import pathlib
from collections.abc import Sequence

import numpy as np

from pcl_tf.drawing import Cell, png, sheet
from pcl_tf.errors import Refused
from pcl_tf.faces import search
from pcl_tf.faces.model import load
from pcl_tf.faces.table import Table
from pcl_tf.store import check, write_atomically
from pcl_tf.tables import writer

_SIDE = 96  # pixels a face is drawn at
_HEADER = ("image", "cluster", "cosine")


def find(
    table: Table, text: str, *, model: str, features: Sequence[str], count: int, detect: bool = False
) -> tuple[Table, np.ndarray]:
    """The faces whose neighbours ``--query`` asks for.

    Args:
      table: ``Table``.
      text: a name in it or the end of just one, or an image file; '' takes ``count`` of its faces, spread evenly.
      model: what embeds an image file. It is never the model that the table names: that would run a stranger's code.
      features: names.
      count: see text.
      detect: whether the largest face of an image file is found first.

    Returns:
      (table that holds the faces: the same, or one of the image file; their rows in it [Q]).

    Raises:
      Refused: no such name or file, several names that end so, or an unreadable file.
    """
    rows = np.unique(np.linspace(0, len(table) - 1, count).astype(int)) if not text else np.array(table.find(text), int)
    if text and len(rows) > 1:
        first, second = table.names[rows[:2]]
        raise Refused(f"--query={text}: {len(rows)} names end so, {first} and {second} first.")
    if len(rows):
        return table, rows
    if not pathlib.Path(text).is_file():
        raise Refused(f"--query={text}: neither one of the {len(table)} embedded images nor a file.")
    if not model:
        raise Refused(
            f"--query={text}: is not embedded; give --model, the one that made the table: {table.origin.model}."
        )
    size = table.origin.size
    found = load(model, image_size=size).embed(text, detect=detect, features=features)
    for name in features:
        has, width = found.features[name].shape[1], table.features[name].shape[1]
        if has != width:
            raise Refused(
                f"--model={model}: its '{name}' has {has} numbers at {size} pixels, that of the embeddings {width};"
                " another model made them."
            )
    return found, np.array([0])


def write_sheet(
    table: Table, query: tuple[Table, np.ndarray], *, features: Sequence[str], count: int, out: pathlib.Path
) -> None:
    """Draws a row for each face of ``find`` and each feature: the face, then its neighbours with their cosines."""
    rows: list[Sequence[Cell | int]] = []
    asked, places = query
    for place, face in zip(places, asked.faces(places, _SIDE), strict=True):
        for key in features:
            (order,), (cosine,) = search.nearest(asked.features[key][[place]], table.features[key], count + 1)
            near = (order != place) | (asked is not table)  # without itself
            order, cosine = order[near][:count], cosine[near][:count]
            rows += [
                [f"{key}: nearest to {asked.names[place][-60:]}"],
                [face, *order.tolist()],
                ["", *(f"{c:.3f}" for c in cosine)],
            ]
    write_atomically(out, png(sheet(_drawn(table, rows), _SIDE)))


def write_clusters(
    table: Table, feature: str, *, count: int, nearest: int, out: pathlib.Path, listed: pathlib.Path
) -> None:
    """Draws a row for each cluster, the faces nearest to its centre, and lists all: image, cluster from 1 on, cosine to its centre.

    Args:
      table: ``Table``.
      feature: its name.
      count: how many clusters.
      nearest: faces a row, at most.
      out, listed: paths of the PNG and of the CSV.

    Raises:
      Refused: fewer different embeddings than clusters, or a folder that holds other images now.
    """
    found, cosine = table.clusters(count, feature)
    order = np.argsort(-cosine, kind="stable")
    rows: list[Sequence[Cell | int]] = []
    for c in range(count):
        members = order[found[order] == c]
        rows += [
            [f"cluster {c + 1} by {feature}: {len(members)} image{'s' * (len(members) != 1)}"],
            members[:nearest].tolist(),
            [f"{cosine[i]:.3f}" for i in members[:nearest]],
        ]
    picture = png(sheet(_drawn(table, rows), _SIDE))
    with writer(listed, dict.fromkeys(_HEADER, str)) as write:
        for i in np.lexsort((-cosine, found)):  # those of a cluster stand nearest first
            write(dict(zip(_HEADER, (str(table.names[i]), found[i] + 1, cosine[i].round(4)), strict=True)))
    write_atomically(out, picture)


def _drawn(table: Table, rows: Sequence[Sequence[Cell | int]]) -> list[Sequence[Cell]]:
    """Rows of cells in which a number is the face in this row of the table; the pictures are read once."""
    wanted = sorted({cell for row in rows for cell in row if isinstance(cell, int)})
    faces = dict(zip(wanted, table.faces(wanted, _SIDE), strict=True))
    return [[faces[cell] if isinstance(cell, int) else cell for cell in row] for row in rows]


def check_list(path: pathlib.Path) -> None:
    """Raises Refused if a file of the name is no list of ``write_clusters``."""
    check(path)
    if path.exists() and not path.read_bytes().startswith(",".join(_HEADER).encode()):
        raise Refused(f"--out: {path} would be written too, and is no list of clusters; give another name.")


def print_duplicates(table: Table, feature: str, threshold: float) -> None:
    """Prints a line a group, names joined by tabs, and how many there are."""
    groups = table.duplicates(threshold, feature)
    for names in groups:
        print("\t".join(" ".join(name.split()) for name in names))
    images = sum(map(len, groups))
    print(f"{len(groups)} groups of {images} images are at least {threshold} alike by {feature}.")
