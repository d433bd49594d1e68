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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_any_command_without_a_traceback(number):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    heard = functools.partial(signal.signal, number, signal.SIG_DFL)  # also where the tests run by nohup
    child = subprocess.Popen([sys.executable, "-c", WAITS], env=environment, preexec_fn=heard, **pipes)
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
    (tmp_path / "keras.json").write_text(
        '{"backend": "jax", "image_data_format": "channels_first", "floatx": "float16"}'
    )
    script = "from pcl_tf import console; console.parsed(['x']); console.begin(['x']); import keras; c = keras.config;"
    script += "print(c.backend(), c.image_data_format(), c.floatx())"
    others = {**os.environ, "PYTHONPATH": str(ROOT), "KERAS_HOME": str(tmp_path), "KERAS_BACKEND": "torch"}
    ended = subprocess.run([sys.executable, "-c", script], env=others, capture_output=True, text=True)
    assert ended.stdout == "tensorflow channels_last float32\n", ended.stderr


IMPORTS = """
import runpy, sys
name, *sys.argv[1:] = sys.argv[1:]
try:
    runpy.run_module(f"pcl_tf.{name}", run_name="__main__", alter_sys=True)
finally:
    print("tensorflow" in sys.modules)
"""


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("benchmark data --recipe=quickstrat", "--recipe=quickstrat: no such recipe"),
        ("client --server=localhost:1 nowhere", "nowhere: no such folder or file"),
        ("embed --model=pixels --data=nowhere --out=e.npz", "--data=nowhere: no such folder or file"),
        ("export --workdir=nowhere", "--workdir=nowhere: has no recipe.json"),
        ("finetune --model=nowhere --task=generated_pose", "--model=nowhere: no SavedModel"),
        ("finetune --model=hog --task=classification:nowhere.csv", "nowhere.csv: cannot be read"),
        ("neighbours --embeddings=nowhere.npz", "--embeddings=nowhere.npz: no such file"),
        ("prepare videos --data=nowhere --out=d", "--data=nowhere: no such folder"),
        ("probe --model=nowhere --task=generated_pose", "--model=nowhere: no SavedModel"),
        ("probe --model=hog --task=classification:nowhere.csv", "nowhere.csv: cannot be read"),
        ("reconstruct --workdir=nowhere", "--workdir=nowhere: no recipe.json there"),
        ("reproduce --table=1 --workdir=w --data=nowhere", "--data=nowhere: no such folder or file"),
        ("reproduce --table=1 --workdir=w --expression=classification:no.csv", "no.csv: cannot be read"),
        ("train --recipe=vox64:moco --workdir=w --set=method.queu=1", "did you mean method.queue?"),
        ("train --recipe=vox64 --workdir=w --set=method.updates=both", "must be one of joint, alternating"),
        ("train --recipe=vox64 --workdir=w --data=nowhere", "--data=nowhere: no such folder or file"),
    ],
)
def test_mistakes_are_answered_before_tensorflow_is_imported(command, said, tmp_path):
    line = [sys.executable, "-c", IMPORTS, *command.split()]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ended.returncode == 2 and said in ended.stderr and ended.stdout == "False\n", ended.stderr


def test_the_import_of_tensorflow_prints_nothing():
    code = "from pcl_tf.console import begin; from absl import flags; flags.FLAGS(['x']); begin(['x']); import keras"
    environment = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(
    "command",
    [
        ["probe", "--model=pixels", "--task=generated_pose", "--centre=nan"],
        ["neighbours", "--embeddings=e.npz", "--duplicates=NaN"],
        ["train", "--recipe=vox64:smoke", "--workdir=w", "--join_timeout=inf"],
    ],
)
def test_flags_that_are_no_numbers_are_refused(command):
    said = refused(*command)
    assert command[-1].split("=")[0] in said and "no number" in said
