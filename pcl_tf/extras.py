"""What is installed beside pcl_tf only where it is asked for: the extras of the package."""

import importlib

# extra -> the modules whose absence is noticed; pyproject.toml says which versions.
EXTRAS = {
    "prepare": ("av", "mtcnn"),
    "beam": ("apache_beam",),
    "torch": ("torch",),
    "onnx": ("onnx", "onnxruntime", "tf2onnx"),
    "plots": ("matplotlib",),
    "profile": ("xprof",),
}


def install(extra: str) -> str:
    """How an extra of ``EXTRAS`` is installed, in words that follow a colon: str."""
    if extra not in EXTRAS:
        raise KeyError(extra)
    return f'pip install "pcl_tf[{extra}]" (in a clone: pip install ".[{extra}]")'


def missing(extra: str, error: ImportError, purpose: str = "") -> str:
    """What to say where a module of an extra cannot be imported.

    Args:
      extra: of ``EXTRAS``.
      error: the ImportError.
      purpose: what the module does here, as it follows "which"; '' where the command's name says it.

    Returns:
      str, one line.
    """
    name = error.name or str(error).splitlines()[0]
    return f"{name} is not installed{purpose and f', which {purpose}'}: {install(extra)}"


def absent(extra: str, *modules: str, purpose: str = "") -> str:
    """What ``missing`` says of the first of these modules of an extra that cannot be imported; '' where all can."""
    try:
        for module in modules:
            importlib.import_module(module)
    except ImportError as error:
        return missing(extra, error, purpose)
    return ""
