"""Arrays on the disk that are filled row by row and go on where a killed process stopped: decoded faces, features."""

import json
import math
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from pcl_tf.store import alone, read_json, write_atomically


class Rows:
    """Arrays in a folder whose rows are appended in order; a killed process loses what it had not appended.

    Each array is a file of raw numbers; ``state.json``, written last, counts the rows that are on the disk.

    Attributes:
      rows: how many there are.
      notes: what was stored beside them, JSON.
      whole: whether ``finish`` was called.
    """

    def __init__(self, folder: str | pathlib.Path) -> None:
        """Opens a folder; a missing or damaged one has no rows."""
        self.folder = pathlib.Path(folder)
        self.rows, self.notes, self.whole, self._arrays = 0, {}, False, {}
        state = read_json(self.folder / "state.json")
        try:
            arrays = {
                str(name): (np.dtype(kind), tuple(map(int, shape))) for name, (kind, shape) in state["arrays"].items()
            }
            rows, notes, whole = int(state["rows"]), dict(state["notes"]), bool(state["whole"])
            if all((self.folder / name).stat().st_size >= rows * _row_bytes(*of) for name, of in arrays.items()):
                self.rows, self.notes, self.whole, self._arrays = rows, notes, whole, arrays
        except (KeyError, TypeError, ValueError, AttributeError, OSError):
            return

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __getitem__(self, name: str) -> np.ndarray:
        """Read-only [rows, ...] of an array, memory-mapped; KeyError if there is none of the name."""
        dtype, shape = self._arrays[name]
        if not self.rows:
            return np.zeros((0, *shape), dtype)
        return np.memmap(self.folder / name, dtype, "r", shape=(self.rows, *shape))

    def append(self, arrays: Mapping[str, np.ndarray], **notes: Any) -> None:
        """Adds rows, the same number to each array, and replaces the notes; all is on the disk afterwards."""
        self._arrays = {name: (x.dtype, x.shape[1:]) for name, x in arrays.items()}
        for name, x in arrays.items():
            descriptor = os.open(self.folder / name, os.O_RDWR | os.O_CREAT, 0o666)
            with open(descriptor, "r+b") as f:
                f.truncate(self.rows * _row_bytes(x.dtype, x.shape[1:]))
                f.seek(0, os.SEEK_END)
                f.write(np.ascontiguousarray(x).tobytes())
                f.flush()
                os.fsync(f.fileno())
        self.rows += len(next(iter(arrays.values())))
        self.notes = notes
        self._write_state()

    def finish(self) -> None:
        """Says that no row is missing."""
        self.whole = True
        self._write_state()

    def _write_state(self) -> None:
        arrays = {name: (dtype.str, shape) for name, (dtype, shape) in self._arrays.items()}
        state = {"rows": self.rows, "whole": self.whole, "arrays": arrays, "notes": self.notes}
        write_atomically(self.folder / "state.json", json.dumps(state))


def _row_bytes(dtype: np.dtype, shape: tuple[int, ...]) -> int:
    return dtype.itemsize * math.prod(shape)


def filled(folder: str | pathlib.Path, fill: Callable[[Rows], None], what: str) -> Rows:
    """Rows that are whole: of an earlier call, of another process that is waited for, or filled here by ``fill``.

    The folder is only read if they are whole. what: what the rows are, as in "faces", for the line that is printed while
    another process fills them.
    """
    found = Rows(folder)
    if not found.whole:
        os.makedirs(folder, exist_ok=True)
        with alone(pathlib.Path(folder, ".lock"), f"{folder}: another process makes these {what}; waiting for it."):
            found = Rows(folder)
            if not found.whole:
                fill(found)
                found.finish()
    return found
