"""What made a file: revision of the code, versions of the libraries, the recipe."""

import hashlib
import importlib.metadata
import json
import pathlib
import platform
import subprocess
from typing import cast

import pcl_tf

PACKAGE = pathlib.Path(pcl_tf.__file__).resolve().parent


def revision() -> str | None:
    """Commit of the code: of the clone it is in, with '-dirty' where files differ, or that pip installed; else None."""
    clone = PACKAGE.parent
    if not (clone / ".git").exists():  # an environment may lie in a clone of something else
        return _installed_commit()
    command = ["git", "-C", str(clone), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _installed_commit() -> str | None:
    """The commit of ``pip install git+..``, which pip notes down; None of other installations."""
    try:
        installed = importlib.metadata.distribution("pcl_tf")
    except importlib.metadata.PackageNotFoundError:
        return None
    if pathlib.Path(cast(pathlib.Path, installed.locate_file("pcl_tf"))).resolve() != PACKAGE:
        return None
    return json.loads(installed.read_text("direct_url.json") or "{}").get("vcs_info", {}).get("commit_id")


def recipe_hash(recipe_json: str) -> str:
    """Sixteen hex digits of a recipe's values, whatever their order in the JSON text."""
    return hashlib.sha256(json.dumps(json.loads(recipe_json), sort_keys=True).encode()).hexdigest()[:16]


def provenance(recipe_json: str, step: int) -> str:
    """{'pcl_tf', 'revision', 'step', 'recipe_hash', 'tensorflow', 'keras', 'python'} as JSON text."""
    import keras
    import tensorflow as tf

    facts = {
        "pcl_tf": pcl_tf.__version__,
        "revision": revision(),
        "step": step,
        "recipe_hash": recipe_hash(recipe_json),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "python": platform.python_version(),
    }
    return json.dumps(facts, indent=1) + "\n"
