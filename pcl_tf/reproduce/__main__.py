"""Fills the paper's tables: pre-trains what they compare, probes it, prints ours beside theirs.

  python -m pcl_tf.reproduce --table=1,2,3,4,5,6,7 --workdir=runs/tables
  python -m pcl_tf.reproduce --table=5 --workdir=W --data=FACES.zip --expression=classification:fer.csv --seeds=0,1,2
  python -m pcl_tf.reproduce --scale=full --table=1 --workdir=W --data=VOXCELEB --data_dir=CORPORA

small is two cores and an evening: recipe small64, generated faces unless --data and tasks name others. full is the
paper: recipe vox64, the corpora below --data_dir. All variants get the same number of encoder passes. What is done is
kept; the same command goes on. Exit codes: 0 done; 1 a pre-training run failed; 2 a flag or the data is wrong; 4 the
disk is full; 130 and 143 stopped by Ctrl-C and SIGTERM.
"""

import json
import pathlib
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from absl import flags

from pcl_tf.choices import PRECISIONS, ROLES
from pcl_tf.console import begin, explained, refuse, side_flag, start

if TYPE_CHECKING:
    from pcl_tf.evaluation.task import Task
    from pcl_tf.reproduce.paper import Table

_TABLE = flags.DEFINE_list("table", [], "Tables of the paper, 1 to 7; commas join several.")
_WORKDIR = flags.DEFINE_string("workdir", "", "Folder of runs, features, probes and tables. Continued if it exists.")
_SCALE = flags.DEFINE_enum("scale", "small", ("small", "full"), "small: recipe small64. full: vox64 and the corpora.")
_DATA = flags.DEFINE_string("data", "", "Faces to pre-train on, as for pcl_tf.train; small: generated faces.")
_DATA_DIR = flags.DEFINE_string("data_dir", "", "Folder with the corpora in folders of their names.")
_SEEDS = flags.DEFINE_list("seeds", ["0"], "Seeds of pre-training; differences are paired by seed.")
_BASE = flags.DEFINE_string("base", "", "Recipe instead of small64 or vox64.")
_STEPS = flags.DEFINE_integer(
    "steps", 0, "Steps of full PCL; the others get as many encoder passes. 0: the recipe's.", 0, 10**9
)
_STEPS_OF = flags.DEFINE_list("steps_of", [], "VARIANT=STEPS of those that get others, as simclr=900: equal seconds.")
_QUOTE = flags.DEFINE_list("quote", [], "Methods that are not trained, as facecycle: the paper's numbers stand alone.")
_PRECISION = flags.DEFINE_enum("precision", "float32", PRECISIONS, "Arithmetic of pre-training.")
_SOLVER = flags.DEFINE_enum(
    "solver", "", ("", "lbfgs", "adam"), "Of the probes; small: lbfgs, full: adam, the paper's."
)
_SIZE = side_flag("Side of the probes' images; 0 is the paper's, or 64 for own data.")
_CENTRE = flags.DEFINE_float("centre", 1.0, "As for pcl_tf.probe: side of the central square.", 0.05, 1.0)
_OVERRIDE = flags.DEFINE_multi_string("set", [], "KEY=VALUE of the recipe, for every run; repeat for several.")
_OWN_FLAGS = {"total_steps": "--steps", "seed": "--seeds", "data.source": "--data"}  # keys that --set does not take
_TASKS = {
    role: flags.DEFINE_list(role, [], f"Tasks of {role}, as for --task of pcl_tf.probe; small: generated_{role}.")
    for role in ROLES
}


def _variants(tables: "Iterable[Table]") -> list[str]:
    """The variants that the tables train; full PCL, whose passes are the measure, first."""
    from pcl_tf.methods import METHODS
    from recipes.common import ABLATIONS

    needed = {row.model for table in tables for row in table.rows}
    return ["", *(v for v in dict.fromkeys((*ABLATIONS, *METHODS)) if v in needed)]


def _tasks(roles: Iterable[str]) -> "dict[str, list[Task]]":
    from pcl_tf.evaluation.corpora import CORPORA
    from pcl_tf.evaluation.tasks import open_task

    opened = {}
    for role in roles:
        options: dict[str, Any] = {"centre": _CENTRE.value, "flag": f"--{role}"}
        corpora = [name for name, corpus in CORPORA.items() if corpus.role == role]
        named = _TASKS[role].value or (corpora if _SCALE.value == "full" else [f"generated_{role}"])
        opened[role] = [open_task(text, _DATA_DIR.value, _SIZE.value, **options) for text in named]
    for note in dict.fromkeys(note for tasks in opened.values() for task in tasks for note in task.notes):
        print(f"note: {note}", file=sys.stderr)
    return opened


def _run(tables: list[int], seeds: list[int], workdir: pathlib.Path) -> None:
    from pcl_tf import recipe as recipes
    from pcl_tf.data import sources
    from pcl_tf.errors import Refused
    from pcl_tf.reproduce.paper import TABLES, possible
    from pcl_tf.store import check, write_atomically

    small = _SCALE.value == "small"
    base, source = _BASE.value or ("small64" if small else "vox64"), _DATA.value or ("generated" if small else "")
    try:
        recipe = recipes.named(base)
    except Refused as error:  # by the flag that names it here
        raise Refused(str(error).replace("--recipe=", "--base=", 1)) from error
    recipes.override(recipe, recipes.applying(_OVERRIDE.value, recipe))
    check(workdir, "--workdir", folder=True)
    tasks = _tasks(sorted({role for number in tables for role in TABLES[number].roles}))
    sources.named(source)

    from pcl_tf.data.index import find_clips

    clips = source == "generated" or recipe.data.clips == "by_folder" or find_clips(source) is not None
    if not clips and {1, 2, 3, 4} & {*tables}:
        print(f"note: --data={source} has no clips that are known: FAb-Net and TCAE are quoted.", file=sys.stderr)
    vgg = any(text.startswith("method.vgg=") and text != "method.vgg=" for text in _OVERRIDE.value)
    wanted = {number: possible(TABLES[number], clips=clips, vgg=vgg, quoted=_QUOTE.value) for number in tables}

    from pcl_tf.reproduce.runs import Runs, equal_steps
    from pcl_tf.reproduce.tables import fill, markdown

    steps = equal_steps(base, _variants(wanted.values()), _OVERRIDE.value, steps=_STEPS.value)
    trained = [variant for variant in steps if variant not in ("", "untrained")]
    for text in _STEPS_OF.value:
        variant, _, count = text.partition("=")
        if variant not in trained or not count.isdecimal():
            raise Refused(f"--steps_of={text}: not VARIANT=STEPS of one of {', '.join(trained)}.")
        steps[variant] = int(count)
    runs = Runs(
        workdir,
        base,
        source=source,
        steps=steps,
        overrides=_OVERRIDE.value,
        precision=_PRECISION.value,
        solver=_SOLVER.value or ("lbfgs" if small else "adam"),
    )
    for number, table in wanted.items():
        rows = fill(table, tasks, runs, seeds=seeds)
        text = markdown(number, table, rows)
        write_atomically(workdir / "tables" / f"table{number}.md", text)
        write_atomically(workdir / "tables" / f"table{number}.json", json.dumps(rows, indent=1) + "\n")
        print(f"\n{text}", flush=True)


def main(argv: list[str]) -> None:
    begin(argv, "table", "workdir")
    from pcl_tf.errors import Stopped
    from pcl_tf.reproduce.paper import TABLES

    if unknown := [number for number in _TABLE.value if number not in map(str, TABLES)]:
        refuse(f"--table={unknown[0]}: not one of {', '.join(map(str, TABLES))}.")
    known = {row.model for table in TABLES.values() for row in table.rows if row.model}
    if unknown := [model for model in _QUOTE.value if model not in known]:
        refuse(f"--quote={unknown[0]}: not one of {', '.join(sorted(known))}.")
    for text in _OVERRIDE.value:  # the flags would win
        if instead := _OWN_FLAGS.get(text.partition("=")[0].strip()):
            refuse(f"--set={text}: give {instead} instead.")
    seeds = _SEEDS.value
    if not all(s.isascii() and s.isdigit() and int(s) <= 10**6 for s in seeds) or len(set(seeds)) < len(seeds):
        refuse(f"--seeds={','.join(seeds)}: different whole numbers from 0 to 1000000.")
    workdir = pathlib.Path(_WORKDIR.value)
    with explained(workdir):
        try:
            _run(list(map(int, _TABLE.value)), list(map(int, seeds)), workdir)
        except Stopped as stopped:
            refuse(stopped, 1)


if __name__ == "__main__":
    start(main)
