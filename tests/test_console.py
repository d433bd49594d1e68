"""How commands begin and end."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from pcl_tf import __main__ as console

ROOT = pathlib.Path(console.__file__).parents[1]
WAITS = """
import time
from pcl_tf import console

def main(argv):
    print("here", flush=True)
    time.sleep(60)

console.start(main)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_any_command_without_a_traceback(number):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    child = subprocess.Popen([sys.executable, "-c", WAITS], env=environment, **pipes)
    assert child.stdout.readline() == "here\n"
    child.send_signal(number)
    assert (child.communicate()[1], child.returncode) == ("", 128 + number)


def test_every_command_begins_in_one_place():
    for name in set(console.commands()) - {"prepare"}:  # whose main thread may sit in Beam: a thread takes its signals
        code = console.source(name).read_text()
        assert code.endswith('if __name__ == "__main__":\n    start(main)\n'), name
