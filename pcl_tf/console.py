"""What all commands share: how they begin, what stops them, what they print, what they exit with."""

import contextlib
import math
import os
import pathlib
import re
import select
import signal
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn

from absl import app, flags, logging

from pcl_tf.errors import Refused
from pcl_tf.files import disk_is_full
from pcl_tf.recipe import parse_flags

EXIT_CODES = {
    0: "done",
    1: "done in part: client had images refused, reproduce had a run fail",
    2: "a flag, or what it names, is wrong",
    3: "train: a loss or the gradient became NaN or infinite; client: the server does not answer",
    4: "the disk is full; what is written is whole",
    5: "train: other machines of the run are missing",
    130: "stopped by Ctrl-C",
    141: "what read the output went away, as | head does",
    143: "stopped by SIGTERM",
}


def start(main: Callable[[list[str]], int | None]) -> None:
    """Runs a command to its end, or until Ctrl-C or SIGTERM; does not return.

    Args:
      main: called with the arguments that are no flags, the command's name before them; returns the exit code or None.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # training takes both over while there is something to save
        signal.signal(number, lambda n, _: sys.exit(128 + n))
    run(main)


def run(main: Callable[[list[str]], int | None]) -> None:
    """As ``start``, without taking signals."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files may be no text
    try:
        app.run(main, flags_parser=parsed)
    except BrokenPipeError:
        if not nobody_reads():
            raise
        sys.exit(141)
    except SystemExit as ended:
        if nobody_reads() and not ended.code:
            sys.exit(141)
        raise


def parsed(argv: list[str]) -> list[str]:
    """Flags of a command line, as ``pcl_tf.recipe.parse_flags`` reads them; what is no finite number ends the command."""
    rest = parse_flags(argv)
    for name in flags.FLAGS:  # nan is neither above nor below any bound
        if isinstance(value := flags.FLAGS[name].value, float) and not math.isfinite(value):
            refuse(f"--{name}={value}: is no number.")
    return rest


def typed(name: str, *aliases: str) -> str:
    """A flag as it was given on the command line, '--NAME' or one of its aliases."""
    found = (alias for alias in aliases if any(re.match(rf"--?{alias}(=|$)", word) for word in sys.argv[1:]))
    return f"--{next(found, name)}"


def nobody_reads() -> bool:
    """Whether nobody reads stdout or stderr any more; what is left to be printed then goes nowhere."""
    left = False
    for stream in (sys.stdout, sys.stderr):
        try:
            asked = select.poll()
            asked.register(stream.fileno(), 0)
            gone = bool(asked.poll(0))  # nothing but that is reported where nothing is asked for
            stream.flush()
        except BrokenPipeError:
            gone = True
        except (OSError, ValueError, AttributeError):  # no stream of this process's own
            continue
        if gone:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        left |= gone
    return left


def quiet(least: int = logging.WARNING) -> None:
    """Leaves out lines of Python libraries below a level, unless --verbosity asks for them.

    Some C++ lines at the import of TensorFlow cannot be turned off (tensorflow issue 100442).
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(least)


def side_in_pixels(flag: str) -> None:
    """Refuses values of an integer flag that no picture has as its side; 0 stays what the command makes of it."""
    flags.register_validator(flag, lambda v: v == 0 or 16 <= v <= 2048, "a side of 16 to 2048 pixels is needed")


def not_empty(*names: str) -> None:
    """Ends the command where one of these flags is given without a value, as --data=$UNSET is in a shell."""
    for name in names:
        if flags.FLAGS[name].present and flags.FLAGS[name].value in ("", [""], []):
            refuse(f"--{name}=: is empty; leave it out, or give a value.")


def flags_alone(argv: list[str], *needed: str) -> None:
    """Ends the command where it is given an argument that is no flag, or not given flags that it needs.

    Args:
      argv: what ``start`` calls main with.
      *needed: names of flags without which nothing can be done.
    """
    if len(argv) > 1:
        refuse(f"unexpected argument {argv[1]}; see --help.")
    if not all(flags.FLAGS[name].value for name in needed):
        names = [f"--{name}" for name in needed]
        those = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
        refuse(f"{those} {'are' if names[1:] else 'is'} needed; see --help.")


def refuse(text: str | Exception, code: int = 2) -> NoReturn:
    """Ends the command with an error on stderr.

    Args:
      text: what is wrong and what to do.
      code: exit code; 2 is a flag or something it names.
    """
    print(f"error: {text}", file=sys.stderr)
    sys.exit(code)


@contextlib.contextmanager
def explained(place: str | pathlib.Path, *also: type[Exception]) -> Iterator[None]:
    """Within, errors a user can mend end the command with a line instead of a traceback.

    Args:
      place: folder written to, named when its disk is full (exit code 4).
      *also: exceptions that end it like ``Refused`` and a file that is missing or forbidden (exit code 2).
    """
    mended: tuple[type[Exception], ...] = (Refused, PermissionError, FileNotFoundError, ImportError, *also)
    try:
        yield
    except mended as error:
        refuse(error)
    except Exception as error:
        if not disk_is_full(error):
            raise
        refuse(f"the disk of {place} is full. What is written is whole: make room, and the same command goes on.", 4)
