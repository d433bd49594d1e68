"""From embeddings and a question to a picture or a list."""

import dataclasses
import pathlib
import re
from collections.abc import Iterable, Sequence

import numpy as np

from pcl_tf.data.images import decoded
from pcl_tf.data.sources import open_source
from pcl_tf.drawing import Cell, png, sheet
from pcl_tf.embed.projector import thumbnails
from pcl_tf.embed.table import Embeddings
from pcl_tf.encoders.encoder import open_encoder
from pcl_tf.errors import Refused
from pcl_tf.neighbours import clusters, search
from pcl_tf.store import write_atomically

_SIDE = 96  # pixels a face is drawn at


@dataclasses.dataclass(frozen=True)
class Query:
    """Faces whose neighbours are wanted.

    Attributes:
      names: [Q].
      features: {feature: float32 [Q, D]}.
      rows: of the embeddings, [Q]; -1 of an image that is not among them.
      face: uint8 [S, S, 3] of that image, or None.
    """

    names: list[str]
    features: dict[str, np.ndarray]
    rows: np.ndarray
    face: np.ndarray | None = None


def chosen(embeddings: Embeddings, features: Sequence[str]) -> list[str]:
    """The features to compare, all that the embeddings hold if none is given.

    Raises:
      Refused: the embeddings do not hold one of them.
    """
    for name in features:
        if name not in embeddings.features:
            raise Refused(f"--feature={name}: the embeddings hold {', '.join(embeddings.features)}.")
    return list(features or embeddings.features)


def find(embeddings: Embeddings, text: str, *, model: str, features: Sequence[str], count: int) -> Query:
    """The faces that ``--query`` names.

    Args:
      embeddings: ``Embeddings``.
      text: a name among them or the end of just one, or an image file; '' takes ``count`` of them, spread evenly.
      model: what embeds an image file. It is never the model that the table names: that would run a stranger's code.
      features: names.
      count: see text.

    Raises:
      Refused: no such name or file, several names that end so, or an unreadable file.
    """
    if not text:
        rows = np.unique(np.linspace(0, len(embeddings.names) - 1, count).astype(int))
    else:
        rows = np.array(search.Names(embeddings.names).rows(text), int)
        if len(rows) > 1:
            first, second = embeddings.names[rows[:2]]
            raise Refused(f"--query={text}: {len(rows)} names end so, {first} and {second} first.")
        if not len(rows):
            return _outside(embeddings, text, model, features=features)
    return Query([str(n) for n in embeddings.names[rows]], {k: embeddings.features[k][rows] for k in features}, rows)


def _outside(embeddings: Embeddings, text: str, model: str, *, features: Sequence[str]) -> Query:
    path = pathlib.Path(text)
    if not path.is_file():
        raise Refused(f"--query={text}: neither one of the {len(embeddings.names)} embedded images nor a file.")
    if not model:
        raise Refused(
            f"--query={text}: is not embedded; give --model, the one that made the table: {embeddings.model}."
        )
    encoder = open_encoder(model)
    ((_, face, why),) = decoded([(text, path.read_bytes())], embeddings.size)
    if face is None:
        raise Refused(f"--query={text}: {why}")
    values, found = encoder.embed(face[None]), {}
    for name in features:
        parts = name.split("+")
        found[name] = (
            np.sum([values[p] for p in parts], axis=0) if all(p in values for p in parts) else np.zeros((1, 0))
        )
        has, width = found[name].shape[1], embeddings.features[name].shape[1]
        if has != width:
            raise Refused(
                f"--model={encoder.name}: its '{name}' has {has} numbers at {embeddings.size} pixels, that of the"
                f" embeddings {width}; another model made them."
            )
    return Query([text], found, np.array([-1]), face)


def write_sheet(
    embeddings: Embeddings, query: Query, *, features: Sequence[str], count: int, out: pathlib.Path
) -> None:
    """Draws a row for each face and feature: the face, then its neighbours with their cosines."""
    near = {}
    for key in features:
        order, cosine = search.nearest(query.features[key], embeddings.features[key], count + 1)
        for q, row in enumerate(query.rows):
            pairs = zip(order[q], cosine[q], strict=True)
            near[q, key] = [(i, c) for i, c in pairs if i != row][:count]  # without itself
    faces = _faces(embeddings, {i for row in near.values() for i, _ in row} | {*query.rows} - {-1})
    rows: list[Sequence[Cell]] = []
    for (q, key), row in sorted(near.items(), key=lambda item: item[0][0]):
        own = query.face if query.face is not None else faces[query.rows[q]]
        rows += [
            [f"{key}: nearest to {query.names[q][-60:]}"],
            [own, *(faces[i] for i, _ in row)],
            ["", *(f"{c:.3f}" for _, c in row)],
        ]
    write_atomically(out, png(sheet(rows, _SIDE)))


def write_clusters(
    embeddings: Embeddings, feature: str, *, count: int, nearest: int, out: pathlib.Path, listed: pathlib.Path
) -> None:
    """Draws a row for each cluster, the faces nearest to its centre, and lists every image in a CSV.

    Args:
      embeddings: ``Embeddings``.
      feature: its name.
      count: how many clusters.
      nearest: faces a row, at most.
      out, listed: paths of the PNG and of the CSV.

    Raises:
      Refused: fewer different embeddings than clusters, or a folder that holds other images now.
    """
    found, cosine = clusters.clusters(embeddings.features[feature], count)
    order = np.argsort(-cosine, kind="stable")
    members = [order[found[order] == c] for c in range(count)]
    faces = _faces(embeddings, {int(i) for rows in members for i in rows[:nearest]})
    drawn: list[Sequence[Cell]] = []
    for c, rows in enumerate(members):
        drawn += [
            [f"cluster {c + 1} by {feature}: {len(rows)} image{'s' * (len(rows) != 1)}"],
            [faces[i] for i in rows[:nearest]],
            [f"{cosine[i]:.3f}" for i in rows[:nearest]],
        ]
    clusters.write_list(listed, embeddings.names, found, cosine=cosine)
    write_atomically(out, png(sheet(drawn, _SIDE)))


def _faces(embeddings: Embeddings, rows: Iterable[int]) -> dict[int, np.ndarray]:
    """{row of the embeddings: uint8 [S, S, 3]}."""
    wanted = sorted(rows)
    # As many drawn faces as were embedded, for the last ones depend on how many there are; other sources may lie beside.
    drawn = [int(n.partition("#")[2]) for n in map(str, embeddings.names) if re.fullmatch(r"generated#\d+", n)]
    source = open_source(embeddings.data, max(drawn, default=-1) + 1, _SIDE)
    found = thumbnails(source, embeddings.rows[wanted], size=_SIDE, names=embeddings.names[wanted])
    return dict(zip(wanted, found, strict=True))


def print_duplicates(embeddings: Embeddings, feature: str, threshold: float) -> None:
    """Prints a line a group, names joined by tabs, and how many there are."""
    groups = search.duplicates(embeddings.features[feature], threshold)
    for rows in groups:
        print("\t".join(" ".join(str(n).split()) for n in embeddings.names[rows]))
    images = sum(map(len, groups))
    print(f"{len(groups)} groups of {images} images are at least {threshold} alike by {feature}.")
