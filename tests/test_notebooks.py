"""Notebooks keep small outputs, and run from their first to their last cell, in a folder of their own."""

import os
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def pictures(notebook):
    outputs = [out for cell in code(notebook) for out in cell.outputs]
    return [kind for out in outputs for kind in out.get("data", {}) if kind.startswith("image/")]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat", reason="needs requirements-dev.txt")
    nbclient = pytest.importorskip("nbclient", reason="needs requirements-dev.txt")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep))
    kept, notebook = (nbformat.read(path, as_version=4) for _ in range(2))
    for cell in code(notebook):
        cell.outputs = []
    nbclient.NotebookClient(notebook, timeout=1200, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert pictures(notebook) == pictures(kept)
