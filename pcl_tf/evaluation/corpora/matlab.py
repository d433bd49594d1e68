"""MATLAB's files, of both its formats."""

import pathlib

import h5py
import numpy as np

from pcl_tf.errors import Refused


def read_mat(path: str | pathlib.Path) -> dict[str, np.ndarray]:
    """The matrices of a .mat file.

    Args:
      path: of a file of MATLAB 4 to 7.2, or of 7.3, which is HDF5.

    Returns:
      {name: array, rows first}.

    Raises:
      Refused: it is empty, damaged, or no such file.
    """
    from scipy.io import loadmat

    try:
        if h5py.is_hdf5(path):
            with h5py.File(path, "r") as f:  # MATLAB stores columns first
                return {k: np.asarray(v[()]).T for k, v in f.items() if isinstance(v, h5py.Dataset)}
        return loadmat(path)
    except Exception as error:  # a damaged file ends in a dozen kinds: of zlib, of struct, of scipy's own
        raise Refused(f"{path}: cannot be read as a MATLAB file ({type(error).__name__}: {error}).") from error
