"""What made a file: revision of the code, versions of the libraries, the recipe."""

import hashlib
import json
import platform
import subprocess

from pcl_tf.recipe import ROOT


def revision():
    """Commit of the code, with '-dirty' where files differ from it; None outside a git checkout."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def recipe_hash(recipe_json):
    """Sixteen hex digits of a recipe's values, whatever their order in the JSON text."""
    return hashlib.sha256(json.dumps(json.loads(recipe_json), sort_keys=True).encode()).hexdigest()[:16]


def provenance(recipe_json, step):
    """{'revision', 'step', 'recipe_hash', 'tensorflow', 'keras', 'python'} as JSON text."""
    import keras
    import tensorflow as tf

    facts = {
        "revision": revision(),
        "step": step,
        "recipe_hash": recipe_hash(recipe_json),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "python": platform.python_version(),
    }
    return json.dumps(facts, indent=1) + "\n"
