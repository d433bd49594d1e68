"""Images named by a list: in a folder, or in the zips that lie in it."""

import functools
import os
import pathlib
import zipfile
import zlib

import numpy as np

from pcl_tf.data.sources import DataError, Source, fingerprint


class Files:
    """Finds images by their path relative to a folder, on disk first, then inside its ``*.zip``.

    Args:
      root: the folder.
    """

    def __init__(self, root):
        self.root = pathlib.Path(root)

    @functools.cached_property
    def _zipped(self):
        found = {}
        for path in sorted(self.root.glob("*.zip")):
            try:
                with zipfile.ZipFile(path) as z:
                    found.update({info.filename: (path, info) for info in z.infolist() if not info.is_dir()})
            except zipfile.BadZipFile as error:
                raise DataError(f"{path}: not a readable zip ({error}).") from error
        return found

    @functools.cached_property
    def _present(self):
        # One walk of the tree instead of a question to the disk for each row.
        return {str(p.relative_to(self.root)) for p in self.root.rglob("*") if p.is_file()}

    def __contains__(self, path):
        path = os.path.normpath(path)
        return path in self._present or path in self._zipped

    def source(self, paths):
        """``Source`` of these images, in this order.

        Raises:
          DataError: one of them is not there.
        """
        paths = [os.path.normpath(p) for p in paths]  # ./a//b.jpg is a/b.jpg
        missing = next((p for p in paths if p not in self), None)
        if missing is not None:
            raise DataError(f"{self.root / missing}: no such image, nor in a zip in {self.root}.")

        def items():
            opened = {}
            try:
                for path in paths:
                    yield str(path), self._read(path, opened)
            finally:
                for z in opened.values():
                    z.close()

        return Source(str(self.root), fingerprint(self._stamp(p) for p in paths), len(paths), items)

    def _read(self, path, opened):
        try:
            if path in self._present:
                return (self.root / path).read_bytes()
            archive, info = self._zipped[path]
            if archive not in opened:
                opened[archive] = zipfile.ZipFile(archive)
            return opened[archive].read(info)
        except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
            return error

    def _stamp(self, path):
        # By content, so that features of a copied or touched image are not extracted again.
        if path in self._present:
            data = (self.root / path).read_bytes()
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
