"""``python -m pcl_tf`` lists the commands. Installed, each of them is also a console command, pcl-NAME."""

import ast
import pathlib
import runpy
import sys

from pcl_tf import __version__
from pcl_tf.console import EXIT_CODES, nobody_reads


def source(name: str) -> pathlib.Path:
    """Path of the file that a command is: a module of its name, or the __main__.py of a folder of its name."""
    here = pathlib.Path(__file__).parent
    return next(path for path in (here / f"{name}.py", here / name / "__main__.py") if path.is_file())


def commands() -> dict[str, str]:
    """Every module beside this one, and every folder with a __main__.py, that is run as a command.

    Returns:
      dict, {name: first line of its help}, sorted by name.
    """
    found = {}
    here = pathlib.Path(__file__).parent
    for path in [*here.glob("*.py"), *here.glob("*/__main__.py")]:
        name = path.parent.name if path.parent != here else path.stem
        tree = ast.parse(path.read_text(encoding="utf-8"))
        tests = [ast.unparse(node.test) for node in tree.body if isinstance(node, ast.If)]
        if "__name__ == '__main__'" in tests and name != "__main__":
            found[name] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return dict(sorted(found.items()))


def console() -> None:
    """What every console command calls: pcl-NAME does the same as ``python -m pcl_tf.NAME``."""
    name = pathlib.Path(sys.argv[0]).stem.removeprefix("pcl-")
    runpy.run_module(f"pcl_tf.{name}", run_name="__main__", alter_sys=True)


def listed() -> str:
    """The text of ``python -m pcl_tf``."""
    found = commands()
    width = max(map(len, found))
    rows = "\n".join(f"  pcl-{name:<{width}}  {line}" for name, line in found.items())
    codes = "\n".join(f"  {code:<{width + 4}}  {text}" for code, text in EXIT_CODES.items())
    return f"""pcl_tf {__version__}. Each command has --help; pcl-NAME is python -m pcl_tf.NAME.

{rows}

They exit with
{codes}"""


if __name__ == "__main__":
    try:
        print(listed(), flush=True)
    except BrokenPipeError:  # | head
        nobody_reads()
        sys.exit(141)
    if sys.argv[1:]:
        print(f"error: {sys.argv[1]}: python -m pcl_tf takes no argument, see above.", file=sys.stderr)
        sys.exit(2)
