"""Features extracted once per image and model, stored, continued where an extraction stopped."""

import pathlib
from collections.abc import Sequence
from itertools import islice

import numpy as np
from tqdm import tqdm

from pcl_tf.data.images import decode_all, left_out
from pcl_tf.data.sources import Items, Source
from pcl_tf.encoders.encoder import Encoder, combined
from pcl_tf.errors import Refused
from pcl_tf.rows import Rows, filled

MAX_UNREADABLE_SHARE = 0.05  # of unreadable images; above it there is an error
_CHUNK = 512  # images between two states on disk


class Features:
    """Features of one model on one list of images.

    Attributes:
      keys: names of the model's outputs.
      names: of the images.
      unreadable: {row: (name, reason)} of images; their features are zero.
      encoded: images that this call passed through the encoder; 0 if all were stored.
    """

    def __init__(self, rows: Rows, names: Sequence[str], encoded: int) -> None:
        self._rows, self.names, self.encoded = rows, names, encoded
        self.keys = tuple(sorted(rows))
        self.unreadable = {int(row): (name, why) for row, (name, why) in rows.notes["unreadable"].items()}

    def __getitem__(self, name: str) -> np.ndarray:
        """float32 [N, D] of a feature; 'face+pose' is the sum (Table 7).

        Raises:
          Refused: the model has no such feature.
        """
        return combined({key: self._rows[key] for key in self.keys}, name, "this model")


def extract(
    encoder: Encoder,
    source: Source,
    size: int,
    *,
    cache: str | pathlib.Path,
    batch: int = 64,
    max_unreadable_share: float = MAX_UNREADABLE_SHARE,
) -> Features:
    """Features of every image of a source, each image encoded once in the life of the cache.

    Of several processes that ask for the same features one encodes, and the others wait for it.

    Args:
      encoder, source: what encodes which images.
      size: side in pixels.
      cache: folder of caches.
      batch: images encoded at once.
      max_unreadable_share: share of unreadable images above which there is an error.

    Raises:
      Refused: too many unreadable images, or features that are not finite.
    """
    encoded = 0

    def fill(rows: Rows) -> None:
        nonlocal encoded
        encoded = source.count - rows.rows
        _fill(rows, encoder, source, size=size, batch=batch)

    rows = filled(pathlib.Path(cache) / f"{encoder.digest}-{source.fingerprint}-{size}", fill, "features")
    names = rows.notes.get("names", [])
    # Features stay valid if a corpus is moved, but names may hold its folder: then the first one differs.
    if names[:1] != [name for name, _ in islice(source.items(), 1)]:
        names = [name for name, _ in source.items()]
    found = Features(rows, names, encoded)
    left_out([*found.unreadable.values()], source.count, most=max_unreadable_share, of=f"{source.name}: ")
    return found


def _fill(rows: Rows, encoder: Encoder, source: Source, *, size: int, batch: int) -> None:
    """Appends the features that are missing."""
    unreadable, blank = dict(rows.notes.get("unreadable", {})), np.zeros((size, size, 3), np.uint8)
    names: list[str] = []

    def items() -> Items:
        for name, data in source.items():
            names.append(name)
            yield name, data

    decoded = decode_all(islice(items(), rows.rows, None), size)
    called = source.name if pathlib.Path(source.name).name else pathlib.Path(source.name).resolve().name  # not '.'
    bar = tqdm(total=source.count, initial=rows.rows, desc=f"encoding {called}", unit="img", mininterval=1.0)
    with bar:
        while some := list(islice(decoded, _CHUNK)):
            faces = np.stack([blank if face is None else face for _, face, _ in some])
            parts = []
            for i in range(0, len(faces), batch):
                parts.append(encoder.embed(faces[i : i + batch]))
                bar.update(len(faces[i : i + batch]))
            values = {key: np.concatenate([p[key] for p in parts]) for key in parts[0]}
            missing = {i: (name, why) for i, (name, face, why) in enumerate(some) if face is None}
            for key, x in values.items():
                x[[*missing]] = 0.0
                if not np.isfinite(x).all():
                    raise Refused(f"--model={encoder.name}: '{key}' is not finite on images of {source.name}.")
            unreadable |= {str(rows.rows + i): why for i, why in missing.items()}
            rows.append(values, unreadable=unreadable)
    rows.notes["names"] = names
