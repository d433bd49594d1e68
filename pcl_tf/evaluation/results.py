"""What probes found, kept in one folder: every call adds its rows, and replaces those it measured again."""

import collections
import contextlib
import hashlib
import json
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from pcl_tf.errors import Refused
from pcl_tf.evaluation import tables
from pcl_tf.evaluation.task import Task
from pcl_tf.store import alone, check, write_atomically
from pcl_tf.tables import latex as latex
from pcl_tf.tables import markdown as markdown

_TABLES = ("tables.md", "tables.tex")
_LONGEST = 40  # letters of a task's name in names of files: with targets by name it may be longer than a file's can be


class Results:
    """``result.json`` of a folder.

    A row is known by its model's digest, its task (kind, name and where it was read), feature, solver, image size, seed,
    and of a fine-tuning its run, which all its options change. Rows of before, which lack some of these, stay as they are.

    Args:
      folder: holds or will hold ``result.json``; None keeps nothing and only tells tasks apart.

    Raises:
      Refused: there is a ``result.json`` that is not of pcl_tf.probe.
      Refused: there are tables and no ``result.json`` that they could be of.
    """

    def __init__(self, folder: str | pathlib.Path | None) -> None:
        self.path = pathlib.Path(folder) / "result.json" if folder else None
        if folder:
            assert self.path is not None
            check(self.path, beside=[self.path.with_name(name) for name in _TABLES])
        self.rows = self._read() if folder else []
        self._named: dict[tuple[str, str, str], str] = {}

    def _read(self) -> list[dict[str, Any]]:
        assert self.path is not None
        try:
            rows = json.loads(self.path.read_text())["results"]
            if not all({"model_digest", "task", "feature", "metric", "value"} <= set(row) for row in rows):
                raise ValueError("a row lacks its model, task or value")
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Refused(f"{self.path}: no result of pcl_tf.probe ({error}); move it away or give --out.") from error
        return rows

    def name(self, tasks: Sequence[Task]) -> list[str]:
        """Names under which tasks are reported, one for each of these, in order: list of str.

        A task keeps the name it was first reported by. Of several with one file name, those that come later, or all if
        they come at once, are called by their folders too: 'a/labels', 'b/labels'.
        """
        shared = collections.Counter(name for name, _ in {(t.name, _identity(t)) for t in tasks})
        for task in tasks:
            if _identity(task) in self._named:
                continue
            before = next((row["task"] for row in self.rows if _is_of(row, task)), None)
            taken = {row["task"] for row in self.rows} | set(self._named.values())
            free = (n for n in self._candidates(task, shared[task.name] > 1) if n not in taken)
            self._named[_identity(task)] = before or next(free)
        return [self._named[_identity(t)] for t in tasks]

    def _candidates(self, task: Task, shared: bool) -> Iterator[str]:
        paths = [row.get("task_path") for row in self.rows] + [path for _, _, path in self._named]
        if not (shared and task.origin):
            yield task.name
        if task.origin in paths:  # the same file, asked another kind of question
            yield f"{task.name}-{task.kind}"
        above = [part for part in pathlib.Path(task.origin).parent.parts if part != os.sep]
        for count in range(1, len(above) + 1):
            yield "/".join([*above[-count:], task.name])
        number = 2
        while True:
            yield f"{task.name}-{task.kind}-{number}"
            number += 1

    def _alone(self) -> contextlib.AbstractContextManager[None]:
        assert self.path is not None
        return alone(self.path.with_name(".result.lock"), f"{self.path}: another process writes it; waiting.")

    def add(self, row: dict[str, Any]) -> None:
        """Puts a row in its place and writes the file; what another probe wrote there meanwhile stays."""
        assert self.path is not None
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._alone():  # no other probe writes here meanwhile
            rows, place = self._read(), key(row)
            equal = [i for i, other in enumerate(rows) if key(_with_path(other, row["task_path"])) == place]
            if equal:
                rows[equal[0]] = row
            else:
                rows.append(row)
            self.rows = rows
            write_atomically(self.path, json.dumps({"results": rows}, indent=1) + "\n")

    def tabulate(self) -> list[pathlib.Path]:
        """Writes all rows as ``tables.md`` and ``tables.tex`` beside ``result.json``: the paths."""
        assert self.path is not None
        with self._alone():  # so that the tables are not older than the result
            self.rows = self._read()
            cells = tables.result_cells(self.rows)
            paths = [self.path.with_name(name) for name in _TABLES]
            for path, form in zip(paths, (markdown, latex), strict=True):
                write_atomically(path, form(tables.HEADER, cells) + "\n")
        return paths


def key(row: dict[str, Any]) -> tuple[str, ...]:
    """What tells a row from others: tuple of str. Rows of before have their solver and seed in the protocol."""
    protocol = row.get("protocol", {})
    path = row.get("task_path")
    return tuple(
        str(part)
        for part in (
            row["model_digest"],
            row.get("kind"),
            row["task"] if path is None else row["task_name"],
            path or "",
            row["feature"],
            row.get("solver", protocol.get("solver", "lbfgs")),
            row.get("image_size"),
            row.get("seed", protocol.get("seed", 0)),
            *([row["run"]] if row.get("run") else []),
        )
    )


def key_digest(row: dict[str, Any]) -> str:
    """Eight hex digits of ``key``, for names of files."""
    return hashlib.sha256(repr(key(row)).encode()).hexdigest()[:8]


def short(name: str) -> str:
    """A task's name as a part of names of files: without slashes, and where it is long cut, with a digest of it all."""
    whole = name.replace("/", "-")
    return whole if len(whole) <= _LONGEST else f"{whole[:_LONGEST]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def file_stem(row: dict[str, Any]) -> str:
    """How names of files of a row begin: task, feature, ``key_digest``. Its task is called as the folder calls it."""
    return f"{short(row['task'])}-{row['feature']}-{key_digest(row)}"


def _identity(task: Task) -> tuple[str, str, str]:
    return task.kind, task.name, task.origin


def _with_path(row: dict[str, Any], path: str) -> dict[str, Any]:
    """A row of before, which has no path, as one of this path: a corpus is known by its name, a file is not."""
    if row.get("task_path") is not None or pathlib.Path(path).is_file():
        return row
    return {**row, "task_path": path, "task_name": row["task"]}


def _is_of(row: dict[str, Any], task: Task) -> bool:
    row = _with_path(row, task.origin)
    return (row.get("kind"), row.get("task_name"), row.get("task_path")) == _identity(task)
