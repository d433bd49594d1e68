"""What all commands share: how they begin and end, and their exit codes."""

import contextlib
import importlib.util
import math
import os
import pathlib
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from absl import app, flags, logging

from pcl_tf.errors import Refused
from pcl_tf.quiet import quiet
from pcl_tf.recipe import keys_help
from pcl_tf.store import disk_is_full

flags.disclaim_key_flags()  # a flag defined here is the command's, and stands in its --help

EXIT_CODES = {
    0: "done",
    1: "done in part: client had images refused, reproduce had a run fail",
    2: "a flag, or what it names, is wrong",
    3: "train: a loss or the gradient became NaN or infinite; client: the server does not answer",
    4: "the disk is full; what is written is whole",
    5: "train: other machines of the run are missing",
    129: "stopped by SIGHUP, for instance by a closed terminal",
    130: "stopped by Ctrl-C",
    141: "the reader of the output went away, as | head does",
    143: "stopped by SIGTERM",
}
# {module: extra of the package that installs it}; pyproject.toml has the versions.
EXTRAS = {
    "apache_beam": "beam",
    "av": "prepare",
    "mtcnn": "prepare",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "safetensors": "safetensors",
    "tf2onnx": "onnx",
    "torch": "torch",
    "xprof": "profile",
}


def start(
    main: Callable[[list[str]], int | None], stop: Callable[[int, Any], None] = lambda number, _: sys.exit(128 + number)
) -> None:
    """Runs a command to its end, or until Ctrl-C, SIGTERM or SIGHUP; does not return.

    Args:
      main: called with the arguments that are no flags, the command's name before them; returns the exit code or None.
      stop: called with the number of one of these signals, and its frame.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # training handles them itself while it runs
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores it
            signal.signal(number, stop)
    sys.unraisablehook = _stop_again
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the shell: 2>&-; the next file would get its number, and its lines
            setattr(sys, name, open(os.devnull, "r+"))  # noqa: SIM115
    with contextlib.suppress(AttributeError):
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # names of files may not be UTF-8
    try:
        try:
            app.run(main, flags_parser=parsed)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        nobody = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(nobody, stream)
        sys.exit(141)


def _stop_again(dropped: "sys.UnraisableHookArgs") -> None:
    """Sends a signal again that came during a destructor, of which Python drops every exception."""
    code = getattr(dropped.exc_value, "code", None)
    if isinstance(code, int) and code > 128:
        threading.Timer(0.1, os.kill, (os.getpid(), code - 128)).start()
    else:
        sys.__unraisablehook__(dropped)


def parsed(argv: list[str]) -> list[str]:
    """Reads the flags of a command line; returns the arguments that are none. --recipe.KEY=VALUE is --set=KEY=VALUE.

    A wrong flag ends the command with one line (exit code 2).
    """
    argv = [re.sub(r"^--?recipe\.", "--set=", at_home(a)) for a in argv]
    if {"--helpfull", "-helpfull"} & {*argv} and "recipe" in flags.FLAGS:
        print(f"Keys of a recipe, for --set KEY=VALUE, with the paper's values:\n\n{keys_help()}")
    try:
        return flags.FLAGS(argv)
    except SystemExit:
        raise SystemExit(0) from None  # of --help and its like alone, after which absl ends with 1
    except flags.Error as error:
        refuse(error)


def begin(argv: list[str], *needed: str, words: int = 0, level: int = logging.WARNING) -> None:
    """Ends the command if its command line is wrong; before the libraries load, sets up Keras and silences them.

    Args:
      argv: what ``start`` calls main with.
      *needed: names of flags that must be given.
      words: most arguments that are no flags.
      level: of the log lines of Python libraries that are printed, unless --verbosity says otherwise.
    """
    # Not the user's keras.json, which may be another project's: another backend, channels first.
    os.environ.update(KERAS_BACKEND="tensorflow", KERAS_HOME=os.devnull)
    quiet()
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(level)
    if len(argv) > 1 + words:
        refuse(f"unexpected argument {argv[1 + words]}; see --help.")
    for name in flags.FLAGS:
        value = flags.FLAGS[name].value
        if flags.FLAGS[name].present and value in ("", [""], []):  # as --data=$UNSET is in a shell
            refuse(f"--{name}=: is empty; leave it out, or give a value.")
        if isinstance(value, float) and not math.isfinite(value):  # NaN is neither above nor below any bound
            refuse(f"--{name}={value}: is no number.")
    if missing := [f"--{name}" for name in needed if not flags.FLAGS[name].value]:
        refuse(f"{' and '.join(missing)} {'are' if missing[1:] else 'is'} needed; see --help.")


def at_home(argument: str) -> str:
    """An argument of a command line in which each ~ that begins a path is expanded.

    Shells expand it at the beginning of a word, but not in --flag=~/faces or a,~/b.
    """
    flag, equals, value = argument.partition("=") if argument.startswith("-") else ("", "", argument)
    pattern = r"(?<![^,:=])~(?:(?=[/,]|$)|[\w.-]+(?=/))"
    return flag + equals + re.sub(pattern, lambda found: os.path.expanduser(found[0]), value)


def side_flag(words: str) -> flags.FlagHolder[int]:
    """Defines --image_size, the side of pictures in pixels; 0 is the command's own default."""
    side = flags.DEFINE_integer("image_size", 0, words, 0)
    flags.register_validator(side, lambda v: v == 0 or 16 <= v <= 2048, "a side of 16 to 2048 pixels is needed")
    return side


def task_flags() -> Callable[[], dict[str, Any]]:
    """Defines --data, --image_size, --targets and --groups of commands that open a task; returns what reads them for it."""
    targets = "Columns of a manifest to predict; by default label, or all but path, split, subject, group, fold .."
    groups = "Columns of a manifest, such as age,gender, by which errors are split too, beside its column group."
    defined: dict[str, flags.FlagHolder[Any]] = {
        "data_dir": flags.DEFINE_string(
            "data", "", "Folder of the corpus, or of several in folders named as the tasks."
        ),
        "image_size": side_flag("Side in pixels; 0 is the paper's for corpora, 64 for generated faces and manifests."),
        "targets": flags.DEFINE_list("targets", [], targets),
        "groups": flags.DEFINE_list("groups", [], groups),
    }
    return lambda: {name: flag.value for name, flag in defined.items()}


def detecting(words: str) -> Callable[[], dict[str, Any]]:
    """Defines --detect and --align; returns what reads them.

    That ends the command if --align is given without --detect, or if mtcnn, which detects, is not installed.
    """
    flags.DEFINE_bool("detect", False, words)
    flags.DEFINE_bool("align", False, "With --detect: turns the faces upright by their landmarks.")

    def read() -> dict[str, Any]:
        how = {name: flags.FLAGS[name].value for name in ("detect", "align")}
        if how["align"] and not how["detect"]:
            refuse("--align: has no meaning without --detect.")
        if how["detect"]:
            need("mtcnn")
        return how

    return read


def finding_faces() -> Callable[..., tuple[dict[str, Any], list[str]]]:
    """Defines --detect, --align, --margin, --fps and --beam_pipeline_options, of commands that find faces in pictures.

    Returns what reads them: ({detect, align, margin or 0, fps}, Beam's options). It ends the command as ``detecting`` does,
    and if --margin is given without --detect, or one of the flags that it is called with together with Beam's options.
    """
    beam = "Beam's options as key=value, for a cluster: --out becomes a folder of Parquet files, of a folder of --data."
    margin = "With --detect: side of the cut, in longer sides of the face's box; by default the model's."
    detected = detecting("Finds the faces of each picture first (by MTCNN); a row each.")
    flags.DEFINE_float("margin", None, margin, 1.0, 10.0)
    flags.DEFINE_float("fps", None, "Frames a second that are taken of videos; by default all.", 0.001, 1000)
    flags.DEFINE_list("beam_pipeline_options", [], beam)

    def read(*alone: str) -> tuple[dict[str, Any], list[str]]:
        how, options = detected(), flags.FLAGS["beam_pipeline_options"].value or []
        how |= {"margin": flags.FLAGS["margin"].value or 0.0, "fps": flags.FLAGS["fps"].value}
        if how["margin"] and not how["detect"]:
            refuse("--margin: has no meaning without --detect.")
        for name in alone:
            if flags.FLAGS[name].value and options:
                refuse(f"--{name}: has no meaning with --beam_pipeline_options.")
        return how, options

    return read


def refuse(text: str | Exception, code: int = 2) -> NoReturn:
    """Prints on stderr what is wrong and what would do, and ends the command; 2 is a flag or something it names."""
    print(f"error: {text}", file=sys.stderr)
    sys.exit(code)


def need(*modules: str) -> None:
    """Ends the command if one of the modules is not installed; none is imported, for that may import TensorFlow."""
    for name in modules:
        if importlib.util.find_spec(name) is None:
            refuse(lacking(ModuleNotFoundError(name=name)))


def lacking(error: ImportError) -> str:
    """One line that says how a module that cannot be imported is installed."""
    extra = EXTRAS.get((error.name or "").partition(".")[0])
    return f'{error.name} is not installed: pip install "pcl_tf[{extra}]"' if extra else str(error)


@contextlib.contextmanager
def explained(place: str | pathlib.Path, *also: type[Exception]) -> Iterator[None]:
    """Within, an error that a user can mend ends the command with one line instead of a traceback.

    Args:
      place: folder that is written to, named if its disk is full (exit code 4).
      *also: exceptions that end it as ``Refused`` and a missing or forbidden file do (exit code 2).
    """
    mended: tuple[type[Exception], ...] = (Refused, PermissionError, FileNotFoundError, *also)
    try:
        yield
    except mended as error:
        refuse(error)
    except ImportError as error:
        refuse(lacking(error))
    except Exception as error:
        if not disk_is_full(error):
            raise
        refuse(f"the disk of {place} is full. What is written is whole: make room, and the same command goes on.", 4)
