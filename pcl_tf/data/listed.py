"""Images named by a list: in a folder, or in the zips that lie in it."""

import functools
import itertools
import os
import pathlib
import zipfile
import zlib
from collections.abc import Iterable, Set
from typing import Any, cast

import numpy as np

from pcl_tf.data.files import Unreadable, content, members, open_zip, read_file, read_member
from pcl_tf.data.sources import Items, Source, fingerprint
from pcl_tf.data.tree import is_left_out, one_sign, printable
from pcl_tf.errors import Refused


class Files:
    """Finds images by their path relative to a folder, on disk first, then inside its ``*.zip``.

    A path may lead out of the folder ('../img/face.png'), through linked folders, or be absolute. It may be written with
    '\\', and its accents as one sign or two, whichever way the disk or the zip has them.

    Args:
      root: the folder.
    """

    def __init__(self, root: str | pathlib.Path) -> None:
        self._unreadable: list[str]
        self.root, self._unreadable = pathlib.Path(root), []
        # One look at each folder instead of a question to the disk for each row.
        self._names = functools.cache(self._list)

    @functools.cached_property
    def _zipped(self) -> dict[str, tuple[pathlib.Path, zipfile.ZipInfo]]:
        found: dict[str, tuple[pathlib.Path, zipfile.ZipInfo]] = {}
        for path in sorted(p for p in self.root.iterdir() if p.suffix.lower() == ".zip" and not is_left_out(p.name)):
            try:
                found |= {os.path.normpath(info.filename): (path, info) for info in members(path)}
            except Refused as error:  # it may have nothing to do with the list
                self._unreadable.append(str(error))
        return found

    @property
    def remark(self) -> str:
        """What to add where an image is missing: '' or ' (..)', which zips of the folder cannot be read."""
        return f" ({' '.join(self._unreadable)})" if self._unreadable else ""

    @functools.cached_property
    def _zipped_by_signs(self) -> dict[str, str]:
        return {one_sign(name): name for name in self._zipped}

    def _list(self, folder: str) -> Set[str]:
        try:
            with os.scandir(self.root / folder) as entries:
                return {e.name for e in entries if (os.path.isfile(e.path) if e.is_symlink() else e.is_file())}
        except OSError:
            return frozenset()

    def _on_disk(self, path: str) -> bool:
        folder, name = os.path.split(path)
        return name in self._names(folder)

    def _on_disk_by_signs(self, path: str) -> str | None:
        """The path as the disk spells it, or None."""
        here = "/" if path.startswith("/") else ""
        *folders, name = [part for part in path.split("/") if part]
        for part in folders:
            exact: str | None
            exact = os.path.join(here, part)
            if not os.path.isdir(self.root / exact):
                exact = next(
                    (os.path.join(here, n) for n in self._folders(here) if one_sign(n) == one_sign(part)), None
                )
            if exact is None:
                return None
            here = exact
        return next((os.path.join(here, n) for n in sorted(self._names(here)) if one_sign(n) == one_sign(name)), None)

    def _folders(self, folder: str) -> list[str]:
        try:
            return sorted(n for n in os.listdir(self.root / folder) if os.path.isdir(self.root / folder / n))
        except OSError:
            return []

    def spelled(self, path: str) -> str | None:
        """A path of a list as the image is really called, on disk or in a zip: str, or None where there is none."""
        texts = [os.path.normpath(text) for text in (path, path.replace("\\", "/"))]  # ./a//b.jpg is a/b.jpg
        signs = [] if path.isascii() else texts
        on_disk = (text if self._on_disk(text) else None for text in texts)
        by_signs = map(self._on_disk_by_signs, signs)
        in_zips = (text if text in self._zipped else None for text in texts)
        in_zips_by_signs = (self._zipped_by_signs.get(one_sign(text)) for text in signs)
        every = itertools.chain(on_disk, by_signs, in_zips, in_zips_by_signs)
        return next((found for found in every if found is not None), None)

    def __contains__(self, path: str) -> bool:
        return self.spelled(path) is not None

    def source(self, paths: Iterable[str]) -> Source:
        """``Source`` of these images, in this order.

        Raises:
          Refused: one of them is not there.
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
