"""The import of TensorFlow without the lines that it prints."""

import importlib.abc
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


def quiet() -> None:
    """From now on the import of TensorFlow prints nothing, unless TF_CPP_MIN_LOG_LEVEL asks for lines.

    Where TensorFlow is imported already nothing changes.
    """
    if "tensorflow" not in sys.modules and os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "3":
        if not any(isinstance(finder, _QuietImport) for finder in sys.meta_path):
            sys.meta_path.insert(0, _QuietImport())


class _QuietImport(importlib.abc.MetaPathFinder):
    """Imports TensorFlow without the lines that its C++ prints meanwhile at any log level (its issue 100442)."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != "tensorflow" or not (spec := PathFinder.find_spec(name, path)) or not spec.loader:
            return None
        loader, run = spec.loader, spec.loader.exec_module

        def silently(module: ModuleType) -> None:
            stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(nowhere, 2)
                run(module)
            finally:
                os.dup2(stderr, 2)

        loader.exec_module = silently  # type: ignore[method-assign]
        return spec
