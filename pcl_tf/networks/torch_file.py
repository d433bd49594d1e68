"""Reads the parameters of a PyTorch network, and runs nothing that may be hidden in their file."""

import pathlib
import pickle
from typing import Any

import numpy as np

from pcl_tf.errors import Refused


def read_arrays(path: str | pathlib.Path) -> dict[str, np.ndarray]:
    """Parameters of a network.

    Args:
      path: ``.safetensors``, ``.npz`` of arrays by name, or any other file that torch.save wrote, whether it holds the
        parameters alone or beside an epoch, an optimiser and the like.

    Returns:
      {name: float32 array}, without the 'module.' that DataParallel puts before names.

    Raises:
      Refused: the file is no checkpoint, holds more than tensors and plain values, or tensors that are no plain arrays.
      ImportError: safetensors, or torch for a file that torch.save wrote, is not installed.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise Refused(f"--torch={path}: no such file.")
    read = {".npz": _npz, ".safetensors": _safetensors}.get(path.suffix, _saved)
    try:
        return {k.removeprefix("module."): np.asarray(v, np.float32) for k, v in read(path).items()}
    except (Refused, ImportError):
        raise
    except pickle.UnpicklingError as error:
        raise Refused(
            f"--torch={path}: no checkpoint of tensors and plain values; anything else could run code and is not"
            f" loaded ({str(error).splitlines()[0]})."
        ) from error
    except Exception as error:  # each reader raises a dozen kinds at files of other programs
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise Refused(f"--torch={path}: no whole checkpoint ({why}).") from error


def _npz(path: pathlib.Path) -> dict[str, np.ndarray]:
    with np.load(path) as f:
        return dict(f)


def _safetensors(path: pathlib.Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(path)


def _saved(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Of a file that torch.save wrote."""
    import torch

    tensors = _parameters(torch.load(path, map_location="cpu", weights_only=True), torch)
    if tensors is None:
        raise Refused(f"--torch={path}: holds no parameters by name.")
    return {k: _array(v, f"--torch={path}: '{k}'") for k, v in tensors.items()}


def _array(tensor: Any, called: str) -> np.ndarray:
    """A tensor, or parameter that torch would train, as float32. Raises Refused: it is sparse, quantised or empty."""
    import torch

    try:
        return tensor.detach().to(torch.float32).numpy()
    except (RuntimeError, TypeError) as error:
        raise Refused(f"{called}: is no plain array of numbers ({str(error).splitlines()[0]})") from error


def _parameters(content: Any, torch: Any) -> dict[str, Any] | None:
    """The first dict in nested ones that maps names to tensors and nothing else."""
    if not isinstance(content, dict):
        return None
    if content and all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in content.items()):
        return content
    return next(filter(None, (_parameters(v, torch) for v in content.values())), None)
