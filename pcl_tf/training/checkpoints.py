"""Checkpoints: the whole state of a run, atomic, the newest K kept.

The state is the model's weights (the step and Dynamic Weight Average among
them) and the optimiser's (slots, loss scale). Random draws and the place in
the data are functions of (seed, step), so nothing else is needed.
"""

import pathlib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import tensorflow as tf

from pcl_tf.data.errors import DataError

if TYPE_CHECKING:
    import keras

_ERRORS = (tf.errors.OpError, ValueError, IndexError, RuntimeError)  # IndexError: a file cut short


def _named(variables: "Iterable[keras.Variable]") -> dict[str, tf.Variable]:
    # By position and name: names repeat between the heads, object paths change with refactoring, and
    # Keras numbers what is made twice in a process (adam, adam_1).
    return {f"{i:04d}_{v.path.split('/')[-1]}": v.value for i, v in enumerate(variables)}


def saved_steps(folder: str | pathlib.Path) -> list[int]:
    """Steps of the checkpoints in a folder that were saved to their end, the newest first: list of int.

    By the files themselves: TensorFlow's list of them may have been lost, or left behind where they were not copied.
    """
    names = [p.name for p in pathlib.Path(folder).glob("ckpt-*")]
    found = (re.fullmatch(r"ckpt-(\d+)\.(index|data-.*)", name) for name in names)
    return sorted({int(name[1]) for name in found if name and _mark(name[1]) not in names}, reverse=True)


def _mark(step: int | str) -> str:
    """Name of the file that is there while a checkpoint is written: TensorFlow writes it under its last name."""
    return f"ckpt-{step}.unfinished"


def _forget_a_damaged_list(folder: str) -> None:
    """A full disk leaves it empty, and then no manager can be made; the checkpoints are found without it."""
    try:
        tf.train.get_checkpoint_state(folder)
    except ValueError:  # UnicodeDecodeError among them
        pathlib.Path(folder, "checkpoint").unlink(missing_ok=True)


def newest_step(workdir: str | pathlib.Path) -> int | None:
    """Step of the newest checkpoint in a workdir, or None."""
    return next(iter(saved_steps(f"{workdir}/checkpoints")), None)


class Checkpoints:
    """Saves and restores a compiled model.

    Args:
      model: compiled, optimiser built.
      folder: of the checkpoints.
      keep: how many of the newest are kept.

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
        self.folder = str(folder)
        self.step: int | None = None
        _forget_a_damaged_list(self.folder)
        self.manager = tf.train.CheckpointManager(tf.train.Checkpoint(**self.parts), self.folder, max_to_keep=keep)

    def save(self, step: int) -> str:
        """Saves as ``ckpt-<step>``; returns its path."""
        mark = pathlib.Path(self.folder, _mark(step))
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
        path = self.manager.save(checkpoint_number=step)
        mark.unlink(missing_ok=True)
        self.step = step
        return path

    def restore(self) -> int | None:
        """Restores the newest checkpoint that can be read; returns its step, or None if there is none.

        A checkpoint in the middle of which the process was killed is none; one that cannot be read is passed over.

        Raises:
          DataError: there are some, and none can be read: what begins again would write over them.
        """
        steps = saved_steps(self.folder)
        for step in steps:
            path = f"{self.folder}/ckpt-{step}"
            try:
                saved = {name.split("/")[0] for name, _ in tf.train.list_variables(path)}
                parts = {k: v for k, v in self.parts.items() if k == "state" or k in saved}
                status = tf.train.Checkpoint(**parts).restore(path)
                status.assert_existing_objects_matched()
                status.expect_partial()  # the loss scale, where this precision has none
            except _ERRORS as error:
                why = (str(error).splitlines() or [type(error).__name__])[0]
                if step != steps[-1]:
                    print(f"{path} cannot be read ({why}); trying the one before.", flush=True)
                continue
            self.step = int(self.model.step.numpy())
            return self.step
        if steps:
            raise DataError(
                f"{self.folder}: holds checkpoints (steps {', '.join(map(str, steps))}) and none can be read ({why})."
                " Put whole copies in their place, or move the folder away to begin again."
            )
        return None
