"""Names of the images of a source, taken while these are read for something else."""

import dataclasses
import json
import pathlib

from pcl_tf.data.sources import Items, Source
from pcl_tf.store import read_json, write_atomically


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
    """Names of all images, in the order of the source.

    Args:
      source: of ``naming``.
      names: the list that came with it; as long as the source, if that was read to its end.
      folder: of its features, in which the names are stored for calls that read nothing.
    """
    path = pathlib.Path(folder) / "names.json"
    if len(names) < source.count:
        stored = read_json(path).get("names", [])
        # Features stay good if a corpus is moved, but names may have its folder in them: the first one tells.
        if len(stored) == source.count and stored[0] == next(str(name) for name, _ in source.items()):
            return stored
        for _ in source.items():
            pass
    write_atomically(path, json.dumps({"names": names}))
    return names
