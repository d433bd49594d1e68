"""Embeds every image of a source and keeps their names."""

import os
import pathlib
from collections.abc import Sequence

import numpy as np

from pcl_tf.data.sources import Source
from pcl_tf.embed.table import Embeddings
from pcl_tf.encoders.encoder import Encoder
from pcl_tf.encoders.features import extract
from pcl_tf.errors import Refused
from pcl_tf.evaluation.names import naming


def absolute(data: str) -> str:
    """The text of --data with absolute paths, so that its images are found from any folder."""
    parts = [data] if os.path.exists(data) else data.split(",")  # a folder's name may have a comma
    return ",".join(os.path.abspath(p) if os.path.exists(p) and p != "generated" else p for p in parts)


def embed(
    encoder: Encoder,
    source: Source,
    size: int,
    *,
    cache: str | pathlib.Path,
    features: Sequence[str] | None = None,
    batch: int = 64,
) -> tuple[Embeddings, dict[str, str]]:
    """Features of the images of a source; unreadable ones are left out.

    Args:
      encoder: ``pcl_tf.encoders.encoder.Encoder``.
      source: ``pcl_tf.data.sources.Source``.
      size: side in pixels at which images are embedded.
      cache: folder of cached features, the probe's: what it holds is not computed again.
      features: names of features; None is all that the model has.
      batch: images encoded at once.

    Returns:
      (``Embeddings``, {name: why it is unreadable}).

    Raises:
      Refused: no readable image, or a feature that the model does not have.
    """
    source, names = naming(source)
    found = extract(encoder, source, size, cache=cache, batch=batch, max_unreadable_share=1.0)
    if len(names) < source.count:  # all was in the cache, which knows no names
        for _ in source.items():
            pass
    good = np.array([row for row in range(source.count) if row not in found.unreadable], np.int64)
    unreadable = {names[row]: why for row, (_, why) in sorted(found.unreadable.items())}
    if not len(good):
        name, why = next(iter(unreadable.items()))
        raise Refused(f"--data={source.name}: none of {source.count} images is readable. The first: {name}: {why}")
    values = {key: np.asarray(found[key])[good] for key in features or found.keys}
    return Embeddings(np.array(names)[good], good, values, source.name, encoder.name, size), unreadable
