"""Checkpoints: the whole state of a run, atomic and durable; the newest stay.

The state is the model's weights (the step and Dynamic Weight Average among them) and the optimiser's (slots, loss scale). Random
draws and the place in the data are functions of (seed, step), so nothing else is needed.
"""

import pathlib
import re
import shutil
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from pcl_tf.errors import Refused
from pcl_tf.store import sync, write_atomically

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


def _named(variables: "Iterable[keras.Variable]") -> "dict[str, tf.Variable]":
    # By position and name: names repeat between the heads, object paths change with refactoring, and
    # Keras numbers what is made twice in a process (adam, adam_1).
    return {f"{i:04d}_{v.path.split('/')[-1]}": v.value for i, v in enumerate(variables)}


def _found(folder: str | pathlib.Path) -> Iterator[tuple[int, str, pathlib.Path]]:
    """(step, kind, path) of all that belongs to a checkpoint: 'index', 'data', 'unfinished' or 'temp'."""
    for path in pathlib.Path(folder).glob("ckpt-*"):
        if name := re.fullmatch(r"ckpt-(\d+)[._](index|data|unfinished|temp)(-.*)?", path.name):
            yield int(name[1]), name[2], path


def saved_steps(folder: str | pathlib.Path) -> list[int]:
    """Steps of the checkpoints in a folder that were saved to their end, the newest first."""
    kinds: dict[int, set[str]] = {}
    for step, kind, _ in _found(folder):
        kinds.setdefault(step, set()).add(kind)
    return sorted((s for s, k in kinds.items() if "unfinished" not in k and k & {"index", "data"}), reverse=True)


def newest_step(workdir: str | pathlib.Path) -> int | None:
    """Step of the newest checkpoint in a workdir, or None."""
    return next(iter(saved_steps(f"{workdir}/checkpoints")), None)


class Checkpoints:
    """Saves and restores a compiled model whose optimiser is built; keep: how many of the newest checkpoints stay.

    Attributes:
      step: of the checkpoint that was saved or restored last; None before.
    """

    def __init__(self, model: "keras.Model", folder: str | pathlib.Path, keep: int = 3) -> None:
        self.model = model
        # The loss scale is a part of its own: only mixed_float16 has one, and a run may go on in another precision.
        adam = getattr(model.optimizer, "inner_optimizer", model.optimizer)
        inner = {id(v) for v in adam.variables}
        scale = [v for v in model.optimizer.variables if id(v) not in inner]
        self.parts = {"state": _named([*model.variables, *adam.variables])} | (
            {"scale": _named(scale)} if scale else {}
        )
        self.folder, self.keep = str(folder), keep
        self.step: int | None = None

    def save(self, step: int) -> None:
        """Saves as ``ckpt-<step>``, unless that was saved last, and removes older checkpoints beyond the newest ``keep``.

        It is on the disk before an older one goes, so that a power cut leaves one of them.
        """
        if step == self.step:
            return
        import tensorflow as tf

        path = pathlib.Path(self.folder, f"ckpt-{step}")
        # TensorFlow writes under the last name: without a mark, half a checkpoint would look like a damaged one.
        mark = path.with_name(f"{path.name}.unfinished")
        path.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
        tf.train.Checkpoint(**self.parts).write(str(path))
        sync(path.parent)
        mark.unlink(missing_ok=True)
        sync(path.parent)
        self.step = step
        kept = [s for s in saved_steps(self.folder) if s <= step][: self.keep]
        # For tf.train.latest_checkpoint and others, whose function that writes it warns of its end; nothing here reads it.
        known = [
            f'model_checkpoint_path: "{path.name}"',
            *(f'all_model_checkpoint_paths: "ckpt-{s}"' for s in kept[::-1]),
        ]
        write_atomically(pathlib.Path(self.folder, "checkpoint"), "\n".join(known) + "\n")
        for other, _, left in _found(self.folder):
            if other < step and other not in kept:
                shutil.rmtree(left) if left.is_dir() else left.unlink()

    def restore(self) -> int | None:
        """Restores the newest readable checkpoint; returns its step, or None where there is none.

        A checkpoint that a killed process left unfinished is none; an unreadable one is passed over.

        Raises:
          Refused: there are some, and all are unreadable: a run that began again would write over them.
        """
        import tensorflow as tf

        steps = saved_steps(self.folder)
        for step in steps:
            path = f"{self.folder}/ckpt-{step}"
            try:
                saved = {name.split("/")[0] for name, _ in tf.train.list_variables(path)}
                parts = {k: v for k, v in self.parts.items() if k == "state" or k in saved}
                status = tf.train.Checkpoint(**parts).read(path)
                status.assert_existing_objects_matched()
                status.expect_partial()  # the loss scale, where this precision has none
            except (tf.errors.OpError, ValueError, IndexError, RuntimeError) as error:  # IndexError: a file cut short
                why = (str(error).splitlines() or [type(error).__name__])[0]
                if step != steps[-1]:
                    print(f"{path} is unreadable ({why}); trying the one before.", flush=True)
                continue
            self.step = int(self.model.step.numpy())
            return self.step
        if steps:
            raise Refused(
                f"{self.folder}: holds checkpoints (steps {', '.join(map(str, steps))}) and all are unreadable ({why})."
                " Put whole copies in their place, or move the folder away to begin again."
            )
        return None
