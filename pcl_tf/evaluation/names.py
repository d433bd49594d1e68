"""What the images of a source are called, without reading them for that alone where it can be helped."""

import dataclasses
import itertools
import json
import pathlib

from pcl_tf.data.sources import Item, Items, Source
from pcl_tf.store import write_atomically

_FILE = "names.json"


def naming(source: Source) -> tuple[Source, list[str]]:
    """The source, and a list that fills with the names of its images while these are read."""
    names: list[str] = []

    def items() -> Items:
        for row, (name, data) in enumerate(source.items()):
            if row == len(names):
                names.append(str(name))
            yield name, data

    return dataclasses.replace(source, items=items), names


def all_names(source: Source, names: list[str], folder: str | pathlib.Path) -> list[str]:
    """Names of all images, list of N str, in the order of the source.

    Args:
      source: of ``naming``.
      names: the list that came with it; as long as the source, where that was read to its end.
      folder: of its features, where the names are kept for when nothing needs to be read again.
    """
    path = pathlib.Path(folder) / _FILE
    if len(names) < source.count:
        kept = _kept(path)
        # The first is looked at: features stay good where a corpus is moved, and names may have its folder in them.
        if len(kept) == source.count and kept[:1] == [str(name) for name, _ in _first(source)]:
            return kept
        for _ in source.items():
            pass
    write_atomically(path, json.dumps(names))
    return names


def _first(source: Source) -> list[Item]:
    items = source.items()
    found = list(itertools.islice(items, 1))
    items.close()
    return found


def _kept(path: pathlib.Path) -> list[str]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return []
    return found if isinstance(found, list) else []
