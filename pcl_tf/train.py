"""Pre-trains PCL: faces in, an exported encoder out.

  python -m pcl_tf.train --recipe=quickstart --workdir=runs/quickstart
  python -m pcl_tf.train --recipe=vox64 --data=DIR_OR_ZIP --workdir=runs/vox64
  python -m pcl_tf.train --recipe=vox64:smoke --workdir=/tmp/smoke --recipe.batch_size=64

The same command on the same workdir resumes. Exit codes: 0 finished; 2 a flag, the recipe, the data or the workdir is
wrong; 3 a loss or the gradient became NaN or infinite; 4 the disk is full; 5 other machines of a run are missing; 129, 130
and 143 saved and stopped by SIGHUP, Ctrl-C and SIGTERM.
"""

import pathlib
import shlex
from typing import TYPE_CHECKING

from absl import flags
from ml_collections import ConfigDict

from pcl_tf.choices import PRECISIONS, STRATEGIES
from pcl_tf.console import begin, explained, refuse, start
from pcl_tf.data import sources
from pcl_tf.encoders.encoder import find_encoder
from pcl_tf.errors import Refused, Stopped, Unreachable
from pcl_tf.recipe import known, named, resolve

if TYPE_CHECKING:
    from pcl_tf.cluster import Cluster

_RECIPE = flags.DEFINE_string(
    "recipe",
    "",
    f"Recipe NAME[:ARG], NAME one of {', '.join(known())} or the path of a .py file; :smoke makes any a one-minute run."
    " --helpfull lists the keys of recipes.",
)
_SET = flags.DEFINE_multi_string("set", [], "KEY=VALUE of the recipe, also as --recipe.KEY=VALUE; repeat for several.")
_WORKDIR = flags.DEFINE_string("workdir", "", "Folder of the run: checkpoints, logs, export. Resumed if it exists.")
_DATA = flags.DEFINE_string(
    "data", None, "Folder, tree of folders or zip of face images, tfds:NAME[:SPLIT], or generated; commas join several."
)
_PRECISION = flags.DEFINE_enum("precision", "float32", PRECISIONS, "Arithmetic of the networks; losses stay float32.")
_STRATEGY = flags.DEFINE_enum(
    "strategy",
    "auto",
    STRATEGIES,
    "Devices: auto uses all GPUs, one uses one, mirrored forces copies, multiworker the machines of TF_CONFIG.",
)
_JOIN_TIMEOUT = flags.DEFINE_float(
    "join_timeout", 600.0, "With multiworker: seconds to wait for the other machines.", 1.0
)
_XLA = flags.DEFINE_bool(
    "xla",
    None,
    "Compile the step with XLA: minutes at the start, less time a step, and it draws other numbers. Without this flag"
    " only the views are compiled, in seconds, on processors and by runs of 100 steps and more; with --noxla nothing.",
)
_DETERMINISTIC = flags.DEFINE_bool("deterministic", False, "Bit-for-bit repeatable operations, somewhat slower.")


def main(argv: list[str]) -> int:
    begin(argv, "recipe", "workdir")
    if _XLA.value and _DETERMINISTIC.value:
        refuse("--xla: not together with --deterministic, for which some operations of the step have no compiled form.")
    with explained(_WORKDIR.value):
        recipe = named(_RECIPE.value, overrides=_SET.value)
        if _DATA.value:
            recipe.data.source = _DATA.value
        sources.named(recipe.data.source)
        if recipe.network.weights:
            find_encoder(recipe.network.weights, "--recipe.network.weights")
    if _STRATEGY.value != "multiworker":
        return _train(recipe)
    from pcl_tf import cluster as clusters
    from pcl_tf.strategy import PEER_ERRORS
    from pcl_tf.training.checkpoints import newest_step

    try:
        cluster = clusters.from_environment()
        clusters.wait_for_all(cluster, _JOIN_TIMEOUT.value)
    except ValueError as error:
        refuse(error)
    except Unreachable as error:
        refuse(error, clusters.MISSING)
    try:
        return _train(recipe, cluster)
    except PEER_ERRORS as error:
        clusters.begin_again(error, newest_step(_WORKDIR.value))


def _train(recipe: ConfigDict, cluster: "Cluster | None" = None) -> int:
    """Runs on this machine; returns the exit code."""
    from pcl_tf.cluster import Cluster
    from pcl_tf.methods.build import compiled_by
    from pcl_tf.strategy import make_strategy
    from pcl_tf.training.callbacks import NotFinite
    from pcl_tf.training.checkpoints import newest_step
    from pcl_tf.training.loop import Computing, run
    from pcl_tf.training.workdir import Workdir

    cluster = cluster or Cluster()
    with explained(_WORKDIR.value, ValueError):
        strategy = make_strategy(_STRATEGY.value)
        recipe = resolve(recipe, strategy.num_replicas_in_sync)
        if _XLA.value and strategy.num_replicas_in_sync > 1:
            raise Refused("--xla: only on one device so far; --strategy=one chooses one.")
    computing = Computing(strategy, _PRECISION.value, _DETERMINISTIC.value, cluster, compiled_by(_XLA.value, recipe))
    try:
        with explained(_WORKDIR.value):
            workdir = Workdir(_WORKDIR.value, recipe, cluster.writer)
            run(recipe, workdir, computing)
    except NotFinite as error:
        saved = newest_step(workdir.path)
        left = "Nothing had been saved yet: a smaller --recipe.optimizer.learning_rate may do, in the same --workdir."
        if saved is not None:
            left = f"The last good checkpoint, of step {saved}, is in {workdir / 'checkpoints'}."
        refuse(f"{error} {left}", 3)
    except Stopped as stopped:
        number, step = stopped.args
        print(f"Saved at step {step}; the same command resumes.", flush=True)
        return 128 + number
    if cluster.writer:
        _next_commands(workdir.path)
    return 0


def _next_commands(w: pathlib.Path) -> None:
    """Prints commands for a finished workdir, quoted where a shell needs it."""
    logs, model, run = (shlex.quote(str(x)) for x in (w / "logs", f"{w},hog", w))
    sheet = f", {w}/reconstructions.png what the decoder sees" if (w / "reconstructions.png").exists() else ""
    print(
        f"""
{w}/export holds the encoder{sheet}. Next:
  tensorboard --logdir={logs}
  python -m pcl_tf.probe --model={model} --task=generated_expression,generated_pose
  python -m pcl_tf.export --workdir={run} --image_size=100
  python -m pcl_tf.embed --model={run} --data=PHOTOGRAPHS --out=faces.npz
""",
        flush=True,
    )


if __name__ == "__main__":
    start(main)
