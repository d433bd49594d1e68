"""What readers of corpora share: files that must be there, errors that name the first that is not."""

import pathlib

from pcl_tf.data.sources import SUFFIXES, DataError


def need(root, *paths):
    """The first of these paths below root that exists.

    Raises:
      DataError: none does.
    """
    for path in paths:
        if (pathlib.Path(root) / path).exists():
            return pathlib.Path(root) / path
    raise DataError(
        f"{pathlib.Path(root) / paths[0]} is missing" + (f" (or {', '.join(paths[1:])})." if paths[1:] else ".")
    )


def need_image(files, path, listed_in):
    """The path itself.

    Raises:
      DataError: there is no such image.
    """
    if path not in files:
        raise DataError(f"{files.root / path} is missing, but {listed_in} lists it: is the corpus unpacked whole?")
    return path


def class_tree(root, split):
    """Images of ``root/split/CLASS/*``: list of (path relative to root, class).

    Raises:
      DataError: no such folder, or no image in it.
    """
    folder = need(root, split)
    found = sorted(p for p in folder.glob("*/*") if p.suffix.lower() in SUFFIXES)
    if not found:
        raise DataError(f"{folder} holds no CLASS/image ({', '.join(SUFFIXES)}).")
    return [(str(p.relative_to(root)), p.parent.name) for p in found]
