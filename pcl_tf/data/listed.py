"""Images named by a list: in a folder, or in the zips that lie in it."""

import functools
import os
import pathlib
import zlib

import numpy as np

from pcl_tf.data.sources import Broken, DataError, Source, fingerprint
from pcl_tf.data.tree import is_left_out, printable
from pcl_tf.data.zips import members, open_zip, read_member


class Files:
    """Finds images by their path relative to a folder, on disk first, then inside its ``*.zip``.

    A path may lead out of the folder ('../img/face.png'), through linked folders, or be absolute.

    Args:
      root: the folder.
    """

    def __init__(self, root):
        self.root = pathlib.Path(root)
        # One look at each folder instead of a question to the disk for each row.
        self._names = functools.cache(self._list)

    @functools.cached_property
    def _zipped(self):
        paths = sorted(p for p in self.root.glob("*.zip") if not is_left_out(p.name))
        return {info.filename: (path, info) for path in paths for info in members(path)}

    def _list(self, folder):
        try:
            with os.scandir(self.root / folder) as entries:
                return {e.name for e in entries if (os.path.isfile(e.path) if e.is_symlink() else e.is_file())}
        except OSError:
            return frozenset()

    def _on_disk(self, path):
        folder, name = os.path.split(path)
        return name in self._names(folder)

    def __contains__(self, path):
        path = os.path.normpath(path)
        return self._on_disk(path) or path in self._zipped

    def source(self, paths):
        """``Source`` of these images, in this order.

        Raises:
          DataError: one of them is not there.
        """
        paths = [os.path.normpath(p) for p in paths]  # ./a//b.jpg is a/b.jpg
        missing = next((p for p in paths if p not in self), None)
        if missing is not None:
            raise DataError(f"{printable(self.root / missing)}: no such image, nor in a zip in {printable(self.root)}.")

        def items():
            opened = {}
            try:
                for path in paths:
                    yield printable(path), self._read(path, opened)
            finally:
                for z in opened.values():
                    z.close()

        return Source(printable(self.root), fingerprint(self._stamp(p) for p in paths), len(paths), items)

    def _read(self, path, opened):
        if self._on_disk(path):
            try:
                return (self.root / path).read_bytes()
            except OSError as error:
                return Broken(error.strerror or str(error))
        archive, info = self._zipped[path]
        if archive not in opened:
            opened[archive] = open_zip(archive)
        return read_member(opened[archive], info)

    def _stamp(self, path):
        # By content, so that features of a copied or touched image are not extracted again.
        if self._on_disk(path):
            try:
                data = (self.root / path).read_bytes()
            except OSError as error:  # it may not be read: counted as unreadable where it is decoded
                return path, error.errno
            return path, len(data), zlib.crc32(data)
        _, info = self._zipped[path]
        return path, info.file_size, info.CRC


def arrays(name, images):
    """``Source`` of uint8 images [N, H, W, 3] that are already decoded."""
    stamp = zlib.crc32(np.ascontiguousarray(images))

    def items():
        for i, image in enumerate(images):
            yield f"{name}#{i}", image

    return Source(name, fingerprint([(name, images.shape, stamp)]), len(images), items)
