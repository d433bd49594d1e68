"""Commands run in processes of their own, as a user types them: ten seconds of a processor each."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def command(module, *args):
    return [sys.executable, "-m", f"pcl_tf.{module}", *args]


def call(module, *args, code=0, cwd=ROOT, timeout=400):
    done = subprocess.run(command(module, *args), capture_output=True, text=True, cwd=cwd, timeout=timeout)
    assert done.returncode == code, done.stdout[-3000:] + done.stderr[-3000:]
    return done
