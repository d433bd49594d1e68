"""One process at a time trains in a workdir."""

import os
import subprocess
import sys

import pytest

from pcl_tf import recipe as recipes
from pcl_tf.training.workdir import Workdir, WorkdirError

HOLD = """
import pathlib, sys, time
from pcl_tf import recipe as recipes
from pcl_tf.training.workdir import Workdir
kept = Workdir(sys.argv[1], recipes.resolve(recipes.named("vox64:smoke")))
print("held", flush=True)
time.sleep(60)
"""


def recipe():
    return recipes.resolve(recipes.named("vox64:smoke"))


def test_a_killed_process_leaves_its_workdir_free(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(WorkdirError, match=f"process {holder.pid} is already training here"):
            Workdir(tmp_path, recipe())
    finally:
        holder.kill()
        holder.wait()
    Workdir(tmp_path, recipe())
    assert (tmp_path / ".owner").read_text() == f"{os.getpid()}\n"


def test_a_file_is_no_workdir(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkdirError, match="file: cannot be written"):
        Workdir(tmp_path / "file", recipe())
