"""The folder of a run: one process at a time, one recipe for ever."""

import contextlib
import pathlib
import re

from ml_collections import ConfigDict

from pcl_tf import recipe as recipes
from pcl_tf.errors import Refused
from pcl_tf.store import alone, check, write_atomically


class Workdir:
    """Opens, locks and checks a workdir. The lock lasts as long as the process.

    The recipe is written by ``claim``, once the run can begin: a command that fails before leaves the folder, with a lock
    in it, to the corrected one.

    Args:
      path: the folder; made if it is not there.
      recipe: resolved recipe of this run.
      writer: whether this process writes; the other machines of a run only read.

    Raises:
      Refused: another process holds it, another recipe made it, or checkpoints below it could not be read.
    """

    def __init__(self, path: str | pathlib.Path, recipe: ConfigDict, writer: bool = True) -> None:
        self.path, self.recipe, self.writer = pathlib.Path(path), recipe, writer
        if re.search(r"[\[*?\\]", str(path)):  # patterns to it: a run would begin again, and no checkpoint be deleted
            raise Refused(
                f"--workdir={path}: TensorFlow finds no checkpoints below a name with [, *, ? or \\; give another."
            )
        written = self.path / "recipe.json"
        if not written.exists() and (self.path / "result.json").exists():  # before anything is made there
            raise Refused(f"--workdir={path}: {self.path / 'result.json'} is there and of no run; give another folder.")
        if writer:
            check(self.path, "--workdir", folder=True)
            self.path.mkdir(parents=True, exist_ok=True)
            busy = Refused(f"--workdir={path}: another process is training here; give another --workdir.")
            self._lock = contextlib.ExitStack()
            self._lock.enter_context(alone(self.path / ".lock", busy))
        if written.exists():
            if changed := recipes.differences(recipe, recipes.load(written)):
                lines = [f"--workdir={path} was made by another recipe:", *changed]
                raise Refused("\n  ".join(lines) + "\nGive another --workdir, or the values it was made with.")

    def claim(self) -> None:
        """Writes recipe.json: from now on the folder belongs to this recipe."""
        if self.writer:
            write_atomically(self.path / "recipe.json", recipes.to_json(self.recipe))

    def __truediv__(self, name: str) -> pathlib.Path:
        return self.path / name
