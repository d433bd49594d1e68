"""The curves of a run as a table, ``metrics.csv`` in its workdir."""

import csv
import io
import pathlib
from collections.abc import Iterable, Mapping

from pcl_tf.errors import Refused
from pcl_tf.store import write_atomically


class Metrics:
    """A row for each step at which numbers are logged: ``step``, ``epoch`` from 1 on, and each number under its name.

    A field is empty where its number was not measured. A killed run leaves whole lines and at most one that is not; the
    next run drops this one, and the lines after the step from which it resumes, which it logs again.

    Args:
      path: of the CSV.
      step: at which the run begins or resumes.
      epoch_steps: steps of an epoch.

    Raises:
      Refused: the file is no table of steps.
    """

    def __init__(self, path: pathlib.Path, step: int, epoch_steps: int) -> None:
        self.path, self.epoch_steps = path, epoch_steps
        self.columns = ["step", "epoch"]
        self._row: dict[str, str] = {}  # the last one, and where it begins in the file
        self._at = 0
        try:
            rows = self._read() if path.exists() else []
            self._rewrite([row for row in rows if int(row["step"]) <= step])
        except (KeyError, TypeError, ValueError, csv.Error) as error:  # a spreadsheet may have written it
            raise Refused(f"{path}: is no longer as a run left it; move it away, and a new one begins.") from error

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Adds numbers to the row of a step, which is the last one or a new one."""
        if self._row.get("step") != str(step):
            self._row = {"step": str(step), "epoch": str((step - 1) // self.epoch_steps + 1)}
            self._at = self.path.stat().st_size
        self._row |= {name: f"{value:.7g}" for name, value in values.items()}
        if new := [name for name in self._row if name not in self.columns]:
            rows = [row for row in self._read() if row["step"] != str(step)]
            self.columns += new
            self._rewrite([*rows, self._row])
            self._at = self.path.stat().st_size - len(self._line(self._row))
        else:
            with open(self.path, "r+b") as f:  # empty fields are filled: a line that is written over becomes longer
                f.seek(self._at)
                f.write(self._line(self._row))

    def _read(self) -> list[dict[str, str]]:
        """Rows of the whole lines; their names become the columns."""
        lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
        rows = csv.DictReader(line for line in lines if line.endswith("\n"))
        self.columns = list(rows.fieldnames or self.columns)
        return list(rows)

    def _rewrite(self, rows: Iterable[Mapping[str, str]]) -> None:
        header = dict(zip(self.columns, self.columns, strict=True))
        write_atomically(self.path, b"".join(map(self._line, (header, *rows))))

    def _line(self, row: Mapping[str, str]) -> bytes:
        text = io.StringIO()
        csv.DictWriter(text, self.columns, restval="", lineterminator="\n").writerow(row)
        return text.getvalue().encode()
