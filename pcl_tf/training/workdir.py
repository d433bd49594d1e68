"""The folder of a run: one process at a time, one recipe for ever."""

import os
import pathlib
import re

from filelock import FileLock, Timeout
from ml_collections import ConfigDict

from pcl_tf import recipe as recipes
from pcl_tf.errors import Refused
from pcl_tf.store import read_json, write_atomically


class Workdir:
    """Opens, locks and checks a workdir. The lock lasts as long as the process.

    The recipe is written by ``claim``, once the run can begin: a command that fails before leaves the folder to the
    corrected one.

    Args:
      path: the folder; made if it is not there.
      recipe: resolved recipe of this run.
      writer: whether this process writes; the other machines of a run only read.

    Raises:
      Refused: another process holds it, another recipe made it, or checkpoints below it could not be read.
    """

    def __init__(self, path: str | pathlib.Path, recipe: ConfigDict, writer: bool = True) -> None:
        self.path, self.recipe, self.writer = pathlib.Path(path), recipe, writer
        if re.search(r"[\[*?\\]", str(path)):  # it takes them for patterns: a run would begin again, none be deleted
            raise Refused(
                f"--workdir={path}: TensorFlow finds no checkpoints below a name with [, *, ? or \\; give another."
            )
        self._made = not self.path.exists()
        written = self.path / "recipe.json"
        if not written.exists() and (self.path / "result.json").exists():  # asked before anything is made there
            raise Refused(f"--workdir={path}: {self.path / 'result.json'} is there and of no run; give another folder.")
        if writer:
            self._lock_it()
        if written.exists():
            changed = recipes.differences(recipe, recipes.load(written))
            if changed:
                raise Refused(
                    f"--workdir={path} was made by another recipe:\n  "
                    + "\n  ".join(changed)
                    + "\nGive another --workdir, or the values it was made with."
                )

    def claim(self) -> None:
        """Writes recipe.json: from now on the folder belongs to this recipe."""
        if self.writer:
            write_atomically(self.path / "recipe.json", recipes.to_json(self.recipe))

    def moved(self, faces: int) -> str:
        """What is other about the data than when the folder was claimed last, '' where nothing is; ask before ``claim``.

        Args:
          faces: how many there are now. How many there were, result.json alone knows, of a run that came to its end.
        """
        if not (self.path / "recipe.json").exists():
            return ""
        before, now = recipes.load(self.path / "recipe.json").data.source, self.recipe.data.source
        count = read_json(self.path / "result.json").get("faces")
        if before == now and count in (None, faces):
            return ""
        source = f"data.source: {before} -> {now}" if before != now else f"data.source: {now}, which has changed"
        return f"{source}; {'' if count is None else f'{count} faces before, '}{faces} faces now"

    def abandon(self) -> None:
        """After a failed start: takes away the lock, and the folder if it was made here and nothing is in it."""
        if self.writer and not (self.path / "recipe.json").exists():
            self._lock.release()
            for name in (".lock", ".owner"):
                (self.path / name).unlink(missing_ok=True)
            if self._made and not any(self.path.iterdir()):
                self.path.rmdir()

    def _lock_it(self) -> None:
        owner = self.path / ".owner"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(self.path / ".lock")
            self._lock.acquire(timeout=0)
            owner.write_text(f"{os.getpid()}\n")
        except Timeout:
            process = owner.read_text().strip() if owner.exists() else "unknown"
            raise Refused(
                f"--workdir={self.path}: process {process} is already training here; give another --workdir."
            ) from None
        except (OSError, NotImplementedError) as error:  # NotImplementedError: a file system without locks
            raise Refused(f"--workdir={self.path}: cannot be written ({error}).") from error

    def __truediv__(self, name: str) -> pathlib.Path:
        return self.path / name
