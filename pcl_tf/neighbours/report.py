"""From embeddings and a question to a contact sheet or a list."""

import dataclasses
import pathlib
import re
from collections.abc import Iterable, Sequence
from typing import cast

import numpy as np

from pcl_tf.data.images import decoder
from pcl_tf.data.sources import open_source
from pcl_tf.data.tree import one_sign
from pcl_tf.embed.projector import thumbnails
from pcl_tf.embed.table import Embeddings
from pcl_tf.errors import Refused
from pcl_tf.evaluation.models import open_encoder
from pcl_tf.neighbours import clusters as grouping
from pcl_tf.neighbours import search, sheet
from pcl_tf.store import write_atomically
from pcl_tf.training.sheet import png

_SIDE = 96  # pixels a face is drawn at


@dataclasses.dataclass(frozen=True)
class Query:
    """Faces that are asked for.

    Attributes:
      names: [Q].
      features: {feature: float32 [Q, D]}.
      places: rows of the embeddings they are, or None for images that are not among them.
      faces: uint8 [Q, S, S, 3] of those, or None.
    """

    names: list[str]
    features: dict[str, np.ndarray]
    places: np.ndarray | None = None
    faces: np.ndarray | None = None


def chosen(embeddings: Embeddings, features: Sequence[str]) -> list[str]:
    """The features to compare, all where none is asked for.

    Raises:
      Refused: the embeddings do not hold one of them.
    """
    for name in features:
        if name not in embeddings.features:
            raise Refused(f"--feature={name}: the embeddings hold {', '.join(embeddings.features)}.")
    return list(features or embeddings.features)


def query(embeddings: Embeddings, text: str, *, model: str, features: Sequence[str], count: int) -> Query:
    """Who is asked for.

    Args:
      embeddings: ``Embeddings``.
      text: a name among them or the end of just one, from a folder, file or number on, or an image file; '' takes
        ``count`` of them, spread evenly.
      model: what embeds an image file; '' is what made the embeddings.
      features: names.
      count: see text.

    Raises:
      Refused: no such name or file, several names that end so, or a file that cannot be read.
    """
    if not text:
        places = np.unique(np.linspace(0, len(embeddings.names) - 1, count).astype(int))
    else:
        names, asked = [one_sign(str(n)) for n in embeddings.names], one_sign(text)
        exact = [i for i, n in enumerate(names) if n == asked]
        # 1.jpg is not 11.jpg; members of a zip stand behind a colon, and drawn faces behind a #.
        ends = (f"/{asked}", f":{asked}", f"#{asked}", *([asked] if asked[0] in ":#" else []))
        places = np.array(exact or [i for i, n in enumerate(names) if n.endswith(ends)], int)
        if len(places) > 1:
            raise Refused(
                f"--query={text}: {len(places)} names end so, {names[places[0]]} and {names[places[1]]} first."
            )
        if not len(places):
            return _outside(embeddings, text, model, features=features)
    return Query(
        [str(n) for n in embeddings.names[places]], {k: embeddings.features[k][places] for k in features}, places
    )


def _outside(embeddings: Embeddings, text: str, model: str, *, features: Sequence[str]) -> Query:
    path = pathlib.Path(text)
    if not path.is_file():
        raise Refused(f"--query={text}: neither one of the {len(embeddings.names)} embedded images nor a file.")
    encoder = open_encoder(model or embeddings.model)
    if encoder.side and embeddings.size not in (0, encoder.side):
        raise Refused(
            f"--model={encoder.name}: takes images of {encoder.side} pixels alone, and the embeddings were made at"
            f" {embeddings.size}; give the model that made them, or embed again with this one."
        )
    size = embeddings.size or encoder.side or (encoder.recipe or {}).get("image_size", 64)
    _, face, why = decoder(size)((text, path.read_bytes()))
    if face is None:
        raise Refused(f"--query={text}: {why}")
    values, features_of_it = encoder.embed(face[None]), {}
    for name in features:
        parts = name.split("+")
        x = np.sum([values[p] for p in parts], axis=0) if all(p in values for p in parts) else np.zeros((1, 0))
        width = embeddings.features[name].shape[1]
        if x.shape[1] != width:
            raise Refused(
                f"--model={encoder.name}: its '{name}' has {x.shape[1]} numbers at {size} pixels, that of the embeddings"
                f" {width}; another model or another image size made them."
            )
        features_of_it[name] = x
    return Query([text], features_of_it, faces=face[None])


def write_sheet(
    embeddings: Embeddings, asked: Query, *, features: Sequence[str], count: int, out: pathlib.Path
) -> None:
    """Draws a row for each face and feature: the face, then its neighbours with their cosines."""
    found = {}
    for key in features:
        order, cosine = search.nearest(asked.features[key], embeddings.features[key], count + 1)
        kept = []
        for q in range(len(order)):
            itself = None if asked.places is None else asked.places[q]
            kept.append([(i, c) for i, c in zip(order[q], cosine[q], strict=True) if i != itself][:count])
        found[key] = kept
    images = _faces(embeddings, {i for rows in found.values() for row in rows for i, _ in row} | {*_list(asked.places)})
    rows = []
    for q, name in enumerate(asked.names):
        own = images[asked.places[q]] if asked.places is not None else _resized(cast(np.ndarray, asked.faces)[q])
        for key in features:
            near = found[key][q]
            faces = np.stack([own, *(images[i] for i, _ in near)])
            rows.append((f"{key}: nearest to {name[-60:]}", faces, ["", *(f"{c:.3f}" for _, c in near)]))
    write_atomically(out, png(sheet.draw(rows, _SIDE)))


def _faces(embeddings: Embeddings, places: Iterable[int]) -> dict[int, np.ndarray]:
    """{place among the embeddings: uint8 [S, S, 3]}."""
    places = sorted(places)
    # As many drawn faces as were embedded, for the last ones depend on how many there are; other sources may lie beside.
    drawn = [int(n.partition("#")[2]) for n in map(str, embeddings.names) if re.fullmatch(r"generated#\d+", n)]
    source = open_source(embeddings.data, max(drawn, default=-1) + 1, _SIDE)
    found = thumbnails(source, embeddings.rows[places], size=_SIDE, names=embeddings.names[places])
    return dict(zip(places, found, strict=True))


def write_clusters(
    embeddings: Embeddings, feature: str, *, clusters: int, count: int, out: pathlib.Path, listed: pathlib.Path
) -> None:
    """Draws a row for each cluster, the faces nearest to its centre, and lists every image in a CSV.

    Args:
      embeddings: ``Embeddings``.
      feature: its name.
      clusters: how many.
      count: faces a row, at most.
      out, listed: paths of the PNG and of the CSV.

    Raises:
      Refused: fewer different embeddings than clusters, or a folder that holds other images now.
    """
    found, cosine = grouping.clusters(embeddings.features[feature], clusters)
    near = [np.flatnonzero(found == c) for c in range(clusters)]
    near = [rows[np.argsort(-cosine[rows], kind="stable")] for rows in near]
    images = _faces(embeddings, {int(i) for rows in near for i in rows[:count]})
    drawn = [
        (
            f"cluster {c + 1} by {feature}: {len(rows)} image{'s' * (len(rows) != 1)}",
            np.stack([images[i] for i in rows[:count]]),
            [f"{cosine[i]:.3f}" for i in rows[:count]],
        )
        for c, rows in enumerate(near)
    ]
    grouping.write_list(listed, embeddings.names, found, cosine=cosine)
    write_atomically(out, png(sheet.draw(drawn, _SIDE)))


def _list(places: np.ndarray | None) -> list[int]:
    return [] if places is None else [int(p) for p in places]


def _resized(face: np.ndarray) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.fromarray(face).resize((_SIDE, _SIDE), Image.Resampling.BILINEAR))


def print_duplicates(embeddings: Embeddings, feature: str, threshold: float) -> None:
    """Prints a line a group, names joined by tabs, and how many there are."""
    groups = search.duplicates(embeddings.features[feature], threshold)
    for rows in groups:
        print("\t".join(" ".join(str(n).split()) for n in embeddings.names[rows]))
    images = sum(map(len, groups))
    print(f"{len(groups)} groups of {images} images are at least {threshold} alike by {feature}.")
