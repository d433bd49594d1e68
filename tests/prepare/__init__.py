import importlib.util

import pytest

for name in ("av", "mtcnn"):
    if not importlib.util.find_spec(name):
        pytest.skip(f"{name} is not installed: needs requirements-prepare.txt", allow_module_level=True)
