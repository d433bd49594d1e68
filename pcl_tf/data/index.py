"""The index of a dataset of clips: where it is, and what it says."""

import glob
import io
import os
import pathlib

import numpy as np

from pcl_tf.errors import Refused

INDEX = "clips.npz"  # beside the records: frames, times and person of each, in the order of the records


def read_index(folder: str | pathlib.Path) -> dict[str, np.ndarray]:
    """The index of a dataset of clips: 'frames' int32 [N], 'times' float32 [their sum], 'identity' int32 [N], 'names' text [I].

    Raises:
      Refused: it is damaged, or missing.
    """
    path = pathlib.Path(folder, INDEX)
    try:
        return dict(np.load(io.BytesIO(path.read_bytes())))
    except Exception as error:  # numpy, zipfile and zlib raise a dozen kinds for a damaged file
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise Refused(f"--data={path}: cannot be read ({why}); remove its folder and prepare it again.") from error


def find_clips(path: str | pathlib.Path) -> str | None:
    """The folder at or below path that holds a dataset of clips, or None.

    Raises:
      Refused: several do.
    """
    inside = glob.escape(str(path).rstrip("/"))
    deeper = ("", "*", "*/*", "*/*/*")  # KIND/SETTINGS/VERSION
    found = [os.path.dirname(f) for pattern in deeper for f in glob.glob(os.path.join(inside, pattern, INDEX))]
    if len(found) > 1:
        raise Refused(f"--data={path}: holds several datasets; give one of\n  " + "\n  ".join(found))
    return found[0] if found else None
