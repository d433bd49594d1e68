"""Files of TensorBoard's Projector: vectors, names, and a sprite of the faces."""

import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from pcl_tf.choices import FEATURES
from pcl_tf.drawing import png, sheet, wrapped
from pcl_tf.faces.table import Table
from pcl_tf.store import check, write_atomically

LIMIT = 5000  # images that the Projector shows at once without becoming slow
_NAMES, _PICTURE, _CONFIG = "names.tsv", "sprite.png", "projector_config.pbtxt"
_SPRITE = 8192  # side in pixels that browsers draw at most


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
        folder / _CONFIG, "--projector", beside=[folder / name for name in (_NAMES, _PICTURE, *map(_vectors, FEATURES))]
    )


def _vectors(feature: str) -> str:
    return f"{feature}.tsv"


def write_projector(table: Table, folder: str | pathlib.Path, *, limit: int = LIMIT) -> int:
    """Writes the files; ``tensorboard --logdir=FOLDER`` shows them under Projector.

    Args:
      table: ``Table``, whose faces are read again.
      folder: made where it does not exist; files of an earlier call are replaced.
      limit: images shown at most, spread evenly over the table.

    Returns:
      number of images shown.
    """
    count = min(limit, len(table))
    rows = np.linspace(0, len(table) - 1, count).astype(int)
    faces = table.faces(rows, _layout(count)[1])
    write_points(folder, {key: x[rows] for key, x in table.features.items()}, names=table.names[rows], faces=faces)
    return count


def write_points(
    folder: str | pathlib.Path,
    features: Mapping[str, np.ndarray],
    *,
    names: Sequence[str] | np.ndarray,
    faces: np.ndarray,
) -> None:
    """Writes the files, from pixels; ``write_projector`` reads them again.

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
        entry = config.embeddings.add(tensor_name=key, tensor_path=_vectors(key), metadata_path=_NAMES)
        entry.sprite.image_path = _PICTURE
        entry.sprite.single_image_dim.extend([side, side])
    projector.visualize_embeddings(str(folder), config)  # first: it marks the other files as this command's
    write_atomically(folder / _PICTURE, png(sheet(wrapped(list(faces), across), side)))
    # A tab or a line break in a name would shift every row that follows.
    write_atomically(folder / _NAMES, "\n".join(" ".join(str(n).split()) for n in names) + "\n")
    for key, x in features.items():
        lines = ("\t".join(f"{v:.6g}" for v in row) for row in x)
        write_atomically(folder / _vectors(key), "\n".join(lines) + "\n")
