"""How commands begin and end."""

import functools
import os
import pathlib
import signal
import subprocess
import sys

import pytest

from pcl_tf import __main__ as console
from tests.helpers.commands import refused

ROOT = pathlib.Path(console.__file__).parents[1]
WAITS = """
import time
from pcl_tf import console

def main(argv):
    print("here", flush=True)
    time.sleep(60)

console.start(main)
"""


IN_A_DESTRUCTOR = """
import time
from pcl_tf import console

class Slow:
    def __del__(self):
        print("here", flush=True)
        time.sleep(60)

def main(argv):
    Slow()
    time.sleep(60)

console.start(main)
"""


@pytest.mark.parametrize("script", [WAITS, IN_A_DESTRUCTOR])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_any_command_without_a_traceback(number, script):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    heard = functools.partial(signal.signal, number, signal.SIG_DFL)  # also where the tests run by nohup
    child = subprocess.Popen([sys.executable, "-c", script], env=environment, preexec_fn=heard, **pipes)
    assert child.stdout.readline() == "here\n"
    child.send_signal(number)
    assert (child.communicate()[1], child.returncode) == ("", 128 + number)


PRINTS = """
import sys
from pcl_tf import console

def main(argv):
    for i in range(100_000):
        print("line", i, file={stream}, flush={flush})

console.start(main)
"""


@pytest.mark.parametrize("stream", ["sys.stdout", "sys.stderr"])
@pytest.mark.parametrize("flush", [True, False])
def test_readers_that_leave_end_a_command_quietly(stream, flush):
    code = PRINTS.format(stream=stream, flush=flush)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    read, other = (child.stdout, child.stderr) if stream == "sys.stdout" else (child.stderr, child.stdout)
    assert read.readline() == "line 0\n"
    read.close()
    assert (other.read(), child.wait()) == ("", 141)
    other.close()


CLOSED = """
import os
from pcl_tf import console

def main(argv):
    print("nobody", flush=True)
    os.write(2, b"reads it")  # as TensorFlow does
    with open("number", "w") as f:
        print(f.fileno(), file=f)

console.start(main)
"""


@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", ">&-", "2>&-"])
def test_a_command_whose_streams_are_closed_writes_to_no_file_instead(closed, tmp_path):
    shell = ["sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, CLOSED]
    ended = subprocess.run(shell, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL)
    assert ended.returncode == 0 and int((tmp_path / "number").read_text()) > 2


def test_commands_take_no_settings_of_keras_from_other_projects(tmp_path):
    """Nor does the import of TensorFlow print anything."""
    settings = '{"backend": "jax", "image_data_format": "channels_first", "floatx": "float16"}'
    (tmp_path / "keras.json").write_text(settings)
    script = "from pcl_tf import console; console.parsed(['x']); console.begin(['x']); import keras; c = keras.config;"
    script += "print(c.backend(), c.image_data_format(), c.floatx())"
    others = {**os.environ, "PYTHONPATH": str(ROOT), "KERAS_HOME": str(tmp_path), "KERAS_BACKEND": "torch"}
    del others["TF_CPP_MIN_LOG_LEVEL"]
    ended = subprocess.run([sys.executable, "-c", script], env=others, capture_output=True, text=True)
    assert (ended.stdout, ended.stderr) == ("tensorflow channels_last float32\n", "")


# Each command in a process of its own, which has the light packages already.
IMPORTS = """
import os, runpy, sys
import ml_collections, numpy, PIL.Image, sklearn, pcl_tf.recipe
for line in sys.stdin.read().splitlines():
    if os.fork():
        print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
    else:
        name, *sys.argv[1:] = line.split()
        try:
            runpy.run_module(f"pcl_tf.{name}", run_name="__main__", alter_sys=True)
        finally:
            print("tensorflow" in sys.modules, end=" ", flush=True)
"""
MISTAKES = {
    "benchmark data --recipe=quickstrat": "--recipe=quickstrat: no such recipe",
    "client --server=localhost:1 nowhere": "nowhere: no such folder or file",
    "embed --model=pixels --data=. --out=e.npz": "--data=.: holds no image",
    "export --workdir=nowhere": "--workdir=nowhere: has no recipe.json",
    "export --model=faces65 --web=page": "--model=faces65: no SavedModel",
    "finetune --model=nowhere --task=generated_pose": "--model=nowhere: no SavedModel",
    "finetune --model=hog --task=classification:nowhere.csv": "nowhere.csv: cannot be read",
    "neighbours --embeddings=nowhere.npz": "--embeddings=nowhere.npz: no such file",
    "predict --model=faces65 --data=. --out=a.csv": "--model=faces65: no SavedModel",
    "predict --model=faces64 --data=. --out=a.csv": "--data=.: holds no image",
    "prepare videos --data=nowhere --out=d": "--data=nowhere: no such folder",
    "probe --model=nowhere --task=generated_pose": "--model=nowhere: no SavedModel",
    "probe --model=hog --task=classification:nowhere.csv": "nowhere.csv: cannot be read",
    "reconstruct --workdir=nowhere": "--workdir=nowhere: no recipe.json there",
    "reproduce --table=1 --workdir=w --data=nowhere": "--data=nowhere: no such folder or file",
    "reproduce --table=1 --workdir=w --expression=classification:no.csv": "no.csv: cannot be read",
    "train --recipe=vox64:moco --workdir=w --set=method.queu=1": "did you mean method.queue?",
    "train --recipe=vox64 --workdir=w --set=method.updates=both": "must be one of joint, alternating",
    "train --recipe=vox64 --workdir=w --data=nowhere": "--data=nowhere: no such folder or file",
}


def test_mistakes_are_answered_before_tensorflow_is_imported(tmp_path):
    how = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": str(ROOT)}, "capture_output": True, "text": True}
    ended = subprocess.run([sys.executable, "-c", IMPORTS], input="\n".join(MISTAKES), **how)
    assert ended.stdout == "False 2\n" * len(MISTAKES), ended.stdout + ended.stderr
    for said, wanted in zip(ended.stderr.splitlines(), MISTAKES.values(), strict=True):
        assert wanted in said


@pytest.mark.parametrize(
    "command",
    ["probe --model=pixels --task=generated_pose --centre=nan", "train --recipe=vox64 --workdir=w --join_timeout=inf"],
)
def test_flags_that_are_no_numbers_are_refused(command):
    said = refused(*command.split())
    assert command.split("--")[-1].split("=")[0] in said and "no number" in said
