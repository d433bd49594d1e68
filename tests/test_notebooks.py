"""Notebooks run from their first to their last cell, in a folder of their own, and show what they promise."""

import os
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_is_kept_without_outputs(path):
    nbformat = pytest.importorskip("nbformat", reason="needs requirements-dev.txt")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code and not [cell for cell in code if cell.outputs or cell.execution_count]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat", reason="needs requirements-dev.txt")
    nbclient = pytest.importorskip("nbclient", reason="needs requirements-dev.txt")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep))
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=1200, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [out for cell in notebook.cells if cell.cell_type == "code" for out in cell.outputs]
    said = "".join(out.get("text", "") for out in outputs)
    # A command that fails stops no notebook. TensorFlow says "CUDA error" where there is no GPU, within a line.
    assert not re.search(r"^(error: |Traceback)", said, re.M)
    assert "400 images" in said and said.count("MAE") >= 2
    assert sum("image/png" in out.get("data", {}) for out in outputs) == 3  # faces, neighbours, figure
