"""Images named by a list: in a folder, or in the zips that lie in it."""

import contextlib
import functools
import os
import pathlib
import zipfile
import zlib
from collections.abc import Iterable
from typing import Any, cast

import numpy as np

from pcl_tf.data.files import (
    content,
    in_order,
    is_left_out,
    members,
    one_sign,
    open_zip,
    printable,
    read_file,
    read_member,
)
from pcl_tf.data.sources import READERS, Items, Source, fingerprint
from pcl_tf.errors import Refused

_Member = tuple[str, pathlib.Path, zipfile.ZipInfo]  # its path in the zip, the zip, and what the zip tells of it


class Files:
    """Finds images by their path relative to a folder, on disk first, then inside its ``*.zip``.

    A path may lead out of the folder ('../img/face.png'), through linked folders, or be absolute. '\\' may separate its
    parts, and accents may be one character or two, however the disk or the zip writes them. A path at which zips hold
    different images raises Refused.

    Args:
      root: the folder.
    """

    def __init__(self, root: str | pathlib.Path) -> None:
        self.root = pathlib.Path(root)
        self._unreadable_zips: list[str] = []
        self._found, self._listed = functools.cache(self._find), functools.cache(self._list)

    @functools.cached_property
    def _zipped(self) -> dict[str, list[_Member]]:
        """Members of the zips by their paths, and by these with accents as one character."""
        found: dict[str, list[_Member]] = {}
        for path in sorted(p for p in self.root.iterdir() if p.suffix.lower() == ".zip" and not is_left_out(p.name)):
            try:
                for info in members(path):
                    name = os.path.normpath(info.filename)
                    found.setdefault(name, []).append((name, path, info))
            except Refused as error:  # it may have nothing to do with the list
                self._unreadable_zips.append(str(error))
        return {one_sign(name): member for name, member in found.items()} | found

    @property
    def remark(self) -> str:
        """Words for an error about a missing image: which zips of the folder are unreadable, as ' (..)', or ''."""
        return f" ({' '.join(self._unreadable_zips)})" if self._unreadable_zips else ""

    def _list(self, folder: str) -> dict[str, str]:
        """{name with accents as one character: name on the disk} of a folder."""
        with contextlib.suppress(OSError, ValueError):
            return {one_sign(name): name for name in sorted(os.listdir(self.root / folder), reverse=True)}
        return {}

    def _on_disk(self, path: str) -> str | None:
        """The path as the disk spells it, or None."""
        if not path.isascii() and not os.path.isfile(self.root / path):
            path, parts = "", pathlib.PurePath(path).parts
            for name in parts:
                there = os.path.exists(self.root / path / name)
                path = os.path.join(path, name if there else self._listed(path).get(one_sign(name), name))
        return path if os.path.isfile(self.root / path) else None

    def _find(self, path: str) -> str | _Member | None:
        """The file or the member of a zip that a path of a list names, or None."""
        texts = [os.path.normpath(text) for text in (path, path.replace("\\", "/"))]  # ./a//b.jpg is a/b.jpg
        for text in texts:
            if (found := self._on_disk(text)) is not None:
                return found
        zipped = (self._zipped.get(name) for text in texts for name in (text, one_sign(text)))
        same = next(filter(None, zipped), [])
        if len({(info.CRC, info.file_size) for _, _, info in same}) > 1:
            places = " and ".join(dict.fromkeys(str(archive) for _, archive, _ in same))
            raise Refused(
                f"{printable(path)}: there are different images of this path in {places}; remove all but one."
            )
        return same[0] if same else None

    def spelled(self, path: str) -> str | None:
        """The name on the disk or in a zip of an image that a list names, or None if there is none."""
        found = self._found(path)
        return found[0] if isinstance(found, tuple) else found

    def __contains__(self, path: str) -> bool:
        return self._found(path) is not None

    def source(self, paths: Iterable[str]) -> Source:
        """``Source`` of these images, in this order. Raises Refused: one of them does not exist."""
        found: list[str | _Member] = []
        for path in paths:
            if (one := self._found(path)) is None:
                where = f"{printable(self.root / path)}: no such image, nor in a zip in {printable(self.root)}"
                raise Refused(f"{where}.{self.remark}")
            found.append(one)

        def items() -> Items:
            with contextlib.ExitStack() as stack:
                opened = functools.cache(lambda archive: stack.enter_context(open_zip(archive)))
                for one in found:
                    if isinstance(one, str):
                        yield printable(one), read_file(self.root / one)
                    else:
                        path, archive, info = one
                        yield printable(path), read_member(opened(archive), info)

        def stamp(one: str | _Member) -> tuple[object, ...]:
            if isinstance(one, str):
                return one, *content(read_file(self.root / one))
            path, _, info = one
            return path, info.file_size, info.CRC

        stamps = list(in_order(stamp, found, READERS))
        contents = [tuple(content) for _, *content in stamps]
        return Source(printable(self.root), fingerprint(stamps), len(found), items, contents=contents)


def arrays(name: str, images: np.ndarray) -> Source:
    """``Source`` of uint8 images [N, H, W, 3] that are already decoded."""
    stamp = zlib.crc32(cast(Any, np.ascontiguousarray(images)))

    def items() -> Items:
        for i, image in enumerate(images):
            yield f"{name}#{i}", image

    return Source(name, fingerprint([(name, images.shape, stamp)]), len(images), items)
