"""A fine-tuning on disk: what it needs to go on where it was, and its best weights, whatever stops it."""

import json
import pathlib

import keras
import numpy as np

from pcl_tf.store import atomic_path, write_atomically


class Kept:
    """Best and last state of a model in a folder.

    Attributes:
      epoch: epochs that are done.
      best_epoch: the one with the least loss on held-out rows; 0 is before the first.
      best: that loss, or None before anything was kept.
      losses: held-out loss before the first and after each epoch.

    Args:
      folder: made when something is kept.
    """

    def __init__(self, folder: str | pathlib.Path) -> None:
        self.folder = pathlib.Path(folder)
        self.epoch, self.best_epoch = 0, 0
        self.best: float | None = None
        self.losses: list[float] = []
        self._read()

    def _read(self) -> None:
        try:
            said = json.loads((self.folder / "state.json").read_text())
            losses = [float(x) for x in said["losses"]]
            best = min(range(len(losses)), key=losses.__getitem__)
        except (OSError, ValueError, KeyError, TypeError):
            return
        if self._path("best", best).is_file() and self._path("last", len(losses) - 1).is_file():
            self.losses, self.epoch, self.best_epoch, self.best = losses, len(losses) - 1, best, losses[best]

    def _path(self, what: str, epoch: int) -> pathlib.Path:
        return self.folder / f"{what}-{epoch}.keras"

    @property
    def began(self) -> bool:
        """Whether there is a state to go on from."""
        return self.best is not None

    def add(self, model: keras.Model, loss: float) -> None:
        """Keeps a compiled model after an epoch (or before the first), and forgets those that it replaces.

        What is named by ``state.json`` is there before it is named, and goes after it is not: whatever stops this
        leaves a whole state.
        """
        epoch = len(self.losses)
        self._save(model, "last", epoch)
        better = self.best is None or loss < self.best
        if better:
            self._save(model, "best", epoch)
            self.best_epoch, self.best = epoch, float(loss)
        self.losses.append(float(loss))
        self.epoch = epoch
        write_atomically(self.folder / "state.json", json.dumps({"losses": self.losses}) + "\n")
        stay = {self._path("last", epoch), self._path("best", self.best_epoch)}
        for path in self.folder.glob("*.keras"):
            if path not in stay:
                path.unlink(missing_ok=True)

    def _save(self, model: keras.Model, what: str, epoch: int) -> None:
        with atomic_path(self._path(what, epoch)) as aside:
            model.save(aside)

    def last(self) -> keras.Model:
        """The model to go on with, its optimiser's state in it."""
        return keras.models.load_model(self._path("last", self.epoch))

    def best_weights(self) -> list[np.ndarray]:
        """Weights of the best model, in the order of its ``get_weights``."""
        return keras.models.load_model(self._path("best", self.best_epoch), compile=False).get_weights()
