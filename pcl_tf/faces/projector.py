"""Files of TensorBoard's Projector: vectors, names, and a sprite of the faces."""

import pathlib

import numpy as np

from pcl_tf.choices import FEATURES
from pcl_tf.drawing import png, sheet, wrapped
from pcl_tf.faces.table import Table
from pcl_tf.store import check, write_atomically

LIMIT = 5000  # images that the Projector shows at once without becoming slow
_NAMES, _PICTURE, _CONFIG = "names.tsv", "sprite.png", "projector_config.pbtxt"
_SPRITE = 8192  # side in pixels that browsers draw at most


def check_place(folder: str | pathlib.Path) -> None:
    """Raises Refused, before any work, for a folder to which ``write_projector`` cannot write or which has others' files."""
    folder = pathlib.Path(folder)
    check(folder, "--projector", folder=True)
    written = [_NAMES, _PICTURE, *(f"{feature}.tsv" for feature in FEATURES)]
    check(folder / _CONFIG, "--projector", beside=[folder / name for name in written])


def write_projector(table: Table, folder: str | pathlib.Path) -> int:
    """Writes the files; ``tensorboard --logdir=FOLDER`` shows them under Projector.

    Args:
      table: ``Table``, whose faces are read again, at most LIMIT of them, spread evenly.
      folder: made where it does not exist; files of an earlier call are replaced.

    Returns:
      number of images shown.
    """
    from tensorboard.plugins import projector

    folder, rows = pathlib.Path(folder), np.linspace(0, len(table) - 1, min(LIMIT, len(table))).astype(int)
    across = int(np.ceil(np.sqrt(len(rows))))
    side = max(8, min(64, _SPRITE // across))
    folder.mkdir(parents=True, exist_ok=True)
    config = projector.ProjectorConfig()
    for key in table.features:
        entry = config.embeddings.add(tensor_name=key, tensor_path=f"{key}.tsv", metadata_path=_NAMES)
        entry.sprite.image_path = _PICTURE
        entry.sprite.single_image_dim.extend([side, side])
    projector.visualize_embeddings(str(folder), config)  # first: it marks the other files as this command's
    write_atomically(folder / _PICTURE, png(sheet(wrapped(list(table.faces(rows, side)), across), side)))
    # A tab or a line break in a name would shift every row that follows.
    write_atomically(folder / _NAMES, "\n".join(" ".join(name.split()) for name in table.names[rows]) + "\n")
    for key, x in table.features.items():
        lines = ("\t".join(f"{v:.6g}" for v in row) for row in x[rows])
        write_atomically(folder / f"{key}.tsv", "\n".join(lines) + "\n")
    return len(rows)
