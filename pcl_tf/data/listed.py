"""Images named by a list: in a folder, or in the zips that lie in it."""

import functools
import os
import pathlib
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, cast

import numpy as np

from pcl_tf.data.files import Unreadable, content, members, open_zip, read_file, read_member
from pcl_tf.data.sources import Items, Source, fingerprint
from pcl_tf.data.tree import is_left_out, one_sign, printable
from pcl_tf.errors import Refused


def _by_signs(names: Iterable[str]) -> dict[str, str]:
    """{a name, and the same with accents as one sign: the name}; of names that differ in that alone the first."""
    names = sorted(names, reverse=True)
    return {one_sign(name): name for name in names} | {name: name for name in names}


def _match(name: str, names: Mapping[str, str]) -> str | None:
    return names.get(name) or names.get(one_sign(name))


class Files:
    """Finds images by their path relative to a folder, on disk first, then inside its ``*.zip``.

    A path may lead out of the folder ('../img/face.png'), through linked folders, or be absolute. It may be written with
    '\\', and its accents as one sign or two, whichever way the disk or the zip has them.

    Args:
      root: the folder.
    """

    def __init__(self, root: str | pathlib.Path) -> None:
        self.root = pathlib.Path(root)
        self._unreadable_zips: list[str] = []
        # Each folder is listed once, instead of a question to the disk for each row.
        self._names, self._folder = functools.cache(self._list), functools.cache(self._find_folder)

    @functools.cached_property
    def _zipped(self) -> dict[str, tuple[pathlib.Path, zipfile.ZipInfo]]:
        found: dict[str, tuple[pathlib.Path, zipfile.ZipInfo]] = {}
        for path in sorted(p for p in self.root.iterdir() if p.suffix.lower() == ".zip" and not is_left_out(p.name)):
            try:
                found |= {os.path.normpath(info.filename): (path, info) for info in members(path)}
            except Refused as error:  # it may have nothing to do with the list
                self._unreadable_zips.append(str(error))
        return found

    @functools.cached_property
    def _zip_names(self) -> dict[str, str]:
        return _by_signs(self._zipped)

    @property
    def remark(self) -> str:
        """What to add to an error about a missing image: '' or ' (..)', which zips of the folder are unreadable."""
        return f" ({' '.join(self._unreadable_zips)})" if self._unreadable_zips else ""

    def _list(self, folder: str) -> Mapping[str, str]:
        """The files of a folder, ``_by_signs``."""
        try:
            with os.scandir(self.root / folder) as entries:
                return _by_signs(e.name for e in entries if (os.path.isfile(e.path) if e.is_symlink() else e.is_file()))
        except OSError:
            return {}

    def _find_folder(self, folder: str) -> str | None:
        """A folder as the disk spells it, or None."""
        if os.path.isdir(self.root / folder):
            return folder
        above, name = os.path.split(folder)
        here = None if folder.isascii() else self._folder(above)
        if here is None:
            return None
        inner = _match(name, _by_signs(n for n in os.listdir(self.root / here) if os.path.isdir(self.root / here / n)))
        return None if inner is None else os.path.join(here, inner)

    def _on_disk(self, path: str) -> str | None:
        """A file as the disk spells it, or None."""
        folder, name = os.path.split(path)
        here = self._folder(folder)
        found = None if here is None else _match(name, self._names(here))
        return None if here is None or found is None else os.path.join(here, found)

    def spelled(self, path: str) -> str | None:
        """A path of a list as the image is really called, on disk or in a zip: str, or None if there is none."""
        texts = [os.path.normpath(text) for text in (path, path.replace("\\", "/"))]  # ./a//b.jpg is a/b.jpg
        for text in texts:
            if (found := self._on_disk(text)) is not None:
                return found
        return next((found for text in texts if (found := _match(text, self._zip_names))), None)

    def __contains__(self, path: str) -> bool:
        return self.spelled(path) is not None

    def source(self, paths: Iterable[str]) -> Source:
        """``Source`` of these images, in this order.

        Raises:
          Refused: one of them does not exist.
        """
        listed, paths = list(paths), []
        for text in listed:
            paths.append(cast(str, self.spelled(text)))  # None is refused in the next line
            if paths[-1] is None:
                raise Refused(
                    f"{printable(self.root / text)}: no such image, nor in a zip in {printable(self.root)}.{self.remark}"
                )

        def items() -> Items:
            opened: dict[pathlib.Path, zipfile.ZipFile] = {}
            try:
                for path in paths:
                    yield printable(path), self._read(path, opened)
            finally:
                for z in opened.values():
                    z.close()

        return Source(printable(self.root), fingerprint(self._stamp(p) for p in paths), len(paths), items)

    def _read(self, path: str, opened: dict[pathlib.Path, zipfile.ZipFile]) -> bytes | Unreadable:
        if self._on_disk(path):
            return read_file(self.root / path)
        archive, info = self._zipped[path]
        if archive not in opened:
            opened[archive] = open_zip(archive)
        return read_member(opened[archive], info)

    def _stamp(self, path: str) -> tuple[object, ...]:
        if self._on_disk(path):
            return path, *content(read_file(self.root / path))
        _, info = self._zipped[path]
        return path, info.file_size, info.CRC


def arrays(name: str, images: np.ndarray) -> Source:
    """``Source`` of uint8 images [N, H, W, 3] that are already decoded."""
    stamp = zlib.crc32(cast(Any, np.ascontiguousarray(images)))

    def items() -> Items:
        for i, image in enumerate(images):
            yield f"{name}#{i}", image

    return Source(name, fingerprint([(name, images.shape, stamp)]), len(images), items)
