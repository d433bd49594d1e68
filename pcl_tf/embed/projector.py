"""Files of TensorBoard's Projector: vectors, names, and a sprite of the faces."""

import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from pcl_tf.choices import FEATURES
from pcl_tf.data.images import decoded
from pcl_tf.data.sources import Source
from pcl_tf.drawing import png, sheet, wrapped
from pcl_tf.embed.table import Embeddings
from pcl_tf.errors import Refused
from pcl_tf.store import check, write_atomically

LIMIT = 5000  # images that the Projector shows at once without becoming slow
_NAMES, _PICTURE, _CONFIG = "names.tsv", "sprite.png", "projector_config.pbtxt"
_SPRITE = 8192  # side in pixels that browsers draw at most


def thumbnails(source: Source, rows: np.ndarray, *, size: int, names: Sequence[str] | np.ndarray) -> np.ndarray:
    """Images of some places of a source.

    Args:
      source: ``Source``.
      rows: ascending int [n].
      size: side in pixels.
      names: of these images when they were embedded.

    Returns:
      uint8 [n, size, size, 3].

    Raises:
      Refused: the source has other images in these places now.
    """
    wanted = dict(zip(map(int, rows), map(str, names), strict=True))
    found: dict[int, np.ndarray | None] = {}
    for row, item in enumerate(source.items()):
        if row in wanted:
            if str(item[0]) != wanted[row]:
                break
            found[row] = decoded([item], size)[0][1]
        if len(found) == len(wanted):
            break
    if lost := [name for row, name in wanted.items() if row not in found]:
        raise Refused(
            f"{source.name}: holds other images than were embedded, {lost[0]} is not in its place; embed again."
        )
    blank = np.full((size, size, 3), 127, np.uint8)  # unreadable by now
    faces = (found[int(row)] for row in rows)
    return np.stack([blank if face is None else face for face in faces])


def _layout(count: int) -> tuple[int, int]:
    """(faces in a row of a sprite of so many faces, side in pixels at which they are drawn)."""
    across = int(np.ceil(np.sqrt(count)))
    return across, max(8, min(64, _SPRITE // across))


def check_place(folder: str | pathlib.Path) -> None:
    """Refuses a folder that ``write_projector`` could not write to, or only over somebody's files, before any work.

    Raises:
      Refused: names what is wrong.
    """
    folder = pathlib.Path(folder)
    check(folder, "--projector", folder=True)
    check(
        folder / _CONFIG, "--projector", beside=[folder / name for name in (_NAMES, _PICTURE, *map(_table, FEATURES))]
    )


def _table(feature: str) -> str:
    return f"{feature}.tsv"


def write_projector(embeddings: Embeddings, source: Source, folder: str | pathlib.Path, *, limit: int = LIMIT) -> int:
    """Writes the files; ``tensorboard --logdir=FOLDER`` shows them under Projector.

    Args:
      embeddings: ``Embeddings`` of the source.
      source: ``Source`` the thumbnails are read from.
      folder: made where it does not exist; files of an earlier call are replaced.
      limit: images shown at most, spread evenly over the source.

    Returns:
      number of images shown.
    """
    count = min(limit, len(embeddings.names))
    shown = np.linspace(0, len(embeddings.names) - 1, count).astype(int)
    faces = thumbnails(source, embeddings.rows[shown], size=_layout(count)[1], names=embeddings.names[shown])
    write_points(
        folder, {key: x[shown] for key, x in embeddings.features.items()}, names=embeddings.names[shown], faces=faces
    )
    return count


def write_points(
    folder: str | pathlib.Path,
    features: Mapping[str, np.ndarray],
    *,
    names: Sequence[str] | np.ndarray,
    faces: np.ndarray,
) -> None:
    """Writes the files, from pixels; ``write_projector`` reads them from the source.

    Args:
      folder: made where it does not exist.
      features: {name: float [N, D]}.
      names: N strings, one for each image.
      faces: uint8 [N, s, s, 3]; drawn at 64 pixels at most, and smaller where the sprite would be too large for browsers.
    """
    from tensorboard.plugins import projector

    across, side = _layout(len(faces))
    side = min(side, faces.shape[1])
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = projector.ProjectorConfig()
    for key in features:
        entry = config.embeddings.add(tensor_name=key, tensor_path=_table(key), metadata_path=_NAMES)
        entry.sprite.image_path = _PICTURE
        entry.sprite.single_image_dim.extend([side, side])
    projector.visualize_embeddings(str(folder), config)  # first: it marks the other files as this command's
    write_atomically(folder / _PICTURE, png(sheet(wrapped(list(faces), across), side)))
    # A tab or a line break in a name would shift every row that follows.
    write_atomically(folder / _NAMES, "\n".join(" ".join(str(n).split()) for n in names) + "\n")
    for key, x in features.items():
        lines = ("\t".join(f"{v:.6g}" for v in row) for row in x)
        write_atomically(folder / _table(key), "\n".join(lines) + "\n")
