"""Checkpoints: the whole state of a run, atomic, the newest K kept.

The state is the model's weights (the step and Dynamic Weight Average among
them) and the optimiser's (slots, loss scale). Random draws and the place in
the data are functions of (seed, step), so nothing else is needed.
"""

import tensorflow as tf


class Checkpoints:
    """Saves and restores a compiled model.

    Args:
      model: compiled, optimiser built.
      folder: of the checkpoints.
      keep: how many of the newest are kept.
    """

    def __init__(self, model, folder, keep=3):
        self.model = model
        # By position and name: layer names repeat between the heads, and object paths change with refactoring.
        variables = [*model.variables, *model.optimizer.variables]
        named = {f"{i:04d}_{v.path.replace('/', '.')}": v.value for i, v in enumerate(variables)}
        self.checkpoint = tf.train.Checkpoint(state=named)
        self.manager = tf.train.CheckpointManager(self.checkpoint, str(folder), max_to_keep=keep)

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
        """Restores the newest checkpoint that can be read; returns its step, or 0 if there is none.

        A checkpoint that the machine died in the middle of is passed over.
        """
        for path in reversed(self.manager.checkpoints):
            try:
                self.checkpoint.restore(path).assert_existing_objects_matched()
            except (tf.errors.OpError, ValueError) as error:
                print(f"{path} cannot be read ({str(error).splitlines()[0]}); trying the one before.")
                continue
            return int(self.model.step.numpy())
        return 0
