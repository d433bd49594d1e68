"""Commands run in the process of the tests, which saves the seconds in which TensorFlow starts."""

import contextlib
import importlib
import io
import pathlib
import sys
import types
from unittest import mock

from absl import flags
from absl.testing import flagsaver

import pcl_tf
from pcl_tf.console import parsed
from pcl_tf.training.callbacks import restored_signals

FLAGS = flags.FLAGS
HERE = pathlib.Path(pcl_tf.__file__).parent
# A command is a module, or the __main__.py of a folder.
COMMANDS = {f"pcl_tf.{path.stem}" for path in HERE.glob("*.py")}
COMMANDS |= {f"pcl_tf.{path.parent.name}.__main__" for path in HERE.glob("*/__main__.py")}


@contextlib.contextmanager
def command(name):
    """The module of a command, whose flags are the only ones: those of two commands cannot stand beside each other.

    Args:
      name: for instance 'probe'.

    Yields:
      the module.
    """
    name = next(module for module in (f"pcl_tf.{name}.__main__", f"pcl_tf.{name}") if module in COMMANDS)
    known = {m: list(found) for m, found in FLAGS.flags_by_module_dict().items() if m in COMMANDS and found}
    for found in known.values():
        for flag in found:
            delattr(FLAGS, flag.name)
    try:
        _define(name, known.get(name, []))
        module = importlib.import_module(name)
        with flagsaver.flagsaver():
            yield module
    finally:
        for flag in FLAGS.flags_by_module_dict().get(name, [])[:]:
            delattr(FLAGS, flag.name)
        if name not in known:
            sys.modules.pop(name, None)  # whoever imports it next defines its flags
        for module_name, found in known.items():
            _define(module_name, found)


def _define(module, found):
    for flag in found:
        FLAGS[flag.name] = flag
        FLAGS.register_flag_by_module(module, flag)


def ended(name, *arguments):
    """Runs a command to its end.

    Args:
      name: as for ``command``.
      *arguments: of its command line.

    Returns:
      (exit code, stdout, stderr).
    """
    argv = [name, *map(str, arguments)]
    with (
        command(name) as module,
        restored_signals(),
        mock.patch.object(sys, "argv", argv),  # where ml_collections looks for keys of a recipe
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()) as error,
    ):
        try:
            code = module.main(parsed(argv)) or 0
        except SystemExit as exit_:
            code = exit_.code
    return code, out.getvalue(), error.getvalue()


def done(name, *arguments, code=0):
    """``stdout`` and ``stderr`` of a command that ends with this exit code."""
    found, out, error = ended(name, *arguments)
    assert found == code, f"{found} {out[-3000:]} {error[-3000:]}"
    return types.SimpleNamespace(stdout=out, stderr=error)


def refused(name, *arguments):
    """The one line with which a command ends with 2."""
    code, _, said = ended(name, *arguments)
    assert code == 2 and len(said.strip().splitlines()) == 1, (code, said)
    return said.strip()
