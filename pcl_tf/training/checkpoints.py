"""Checkpoints: the whole state of a run, atomic, the newest K kept.

The state is the model's weights (the step and Dynamic Weight Average among
them) and the optimiser's (slots, loss scale). Random draws and the place in
the data are functions of (seed, step), so nothing else is needed.
"""

import tensorflow as tf


def _named(variables):
    # By position and name: names repeat between the heads, object paths change with refactoring, and
    # Keras numbers what is made twice in a process (adam, adam_1).
    return {f"{i:04d}_{v.path.split('/')[-1]}": v.value for i, v in enumerate(variables)}


def newest_step(workdir):
    """Step of the newest checkpoint in a workdir, or None."""
    latest = tf.train.latest_checkpoint(f"{workdir}/checkpoints")
    return int(latest.rsplit("-", 1)[1]) if latest else None


class Checkpoints:
    """Saves and restores a compiled model.

    Args:
      model: compiled, optimiser built.
      folder: of the checkpoints.
      keep: how many of the newest are kept.
    """

    def __init__(self, model, folder, keep=3):
        self.model = model
        # The loss scale is a part of its own: only mixed_float16 has one, and a run may go on in another precision.
        adam = getattr(model.optimizer, "inner_optimizer", model.optimizer)
        inner = {id(v) for v in adam.variables}
        scale = [v for v in model.optimizer.variables if id(v) not in inner]
        self.parts = {"state": _named([*model.variables, *adam.variables])} | (
            {"scale": _named(scale)} if scale else {}
        )
        self.manager = tf.train.CheckpointManager(tf.train.Checkpoint(**self.parts), str(folder), max_to_keep=keep)

    @property
    def latest(self):
        """Path of the newest checkpoint, or None."""
        return self.manager.latest_checkpoint

    @property
    def step(self):
        """Step of the newest checkpoint, or None."""
        return int(self.latest.rsplit("-", 1)[1]) if self.latest else None

    def save(self, step):
        """Saves as ``ckpt-<step>``; returns its path."""
        return self.manager.save(checkpoint_number=step)

    def restore(self):
        """Restores the newest checkpoint that can be read; returns its step, or None if there is none.

        A checkpoint that the machine died in the middle of is passed over.
        """
        for path in reversed(self.manager.checkpoints):
            try:
                saved = {name.split("/")[0] for name, _ in tf.train.list_variables(path)}
                parts = {k: v for k, v in self.parts.items() if k == "state" or k in saved}
                status = tf.train.Checkpoint(**parts).restore(path)
                status.assert_existing_objects_matched()
                status.expect_partial()  # the loss scale, where this precision has none
            except (tf.errors.OpError, ValueError, IndexError) as error:  # IndexError: a file cut short
                print(f"{path} cannot be read ({str(error).splitlines()[0]}); trying the one before.")
                continue
            return int(self.model.step.numpy())
        return None
