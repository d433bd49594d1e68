"""Labelled images of your own: a CSV manifest becomes a task, or every bad row is named at once."""

import math
import os
import pathlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from pcl_tf.data.listed import Files
from pcl_tf.data.tree import one_sign
from pcl_tf.errors import Refused
from pcl_tf.evaluation.kinds import KINDS
from pcl_tf.evaluation.lists import Table, read_table
from pcl_tf.evaluation.task import Splits, Task, exclusive_folds, folds_from

_Rows = list[tuple[int, dict[str, str]]]
COLUMNS = {
    "classification": ("path", "label"),
    "regression": ("path",),
    "multilabel": ("path",),
    "verification": ("fold", "path1", "path2", "same"),
}
# Never a target unless --targets says so, and recognised in capitals too.
RESERVED = ("path", "split", "subject", "group", "fold", "path1", "path2", "same", "id", "index")
_FOLDS = 5  # where the manifest names no split
_SHOWN = 200


def read_manifest(
    path: str | pathlib.Path, kind: str, image_size: int, *, targets: Iterable[str] = (), groups: Iterable[str] = ()
) -> Task:
    """Reads ``path,label`` | ``path,yaw,pitch,..`` | ``path,AU1,AU2,..`` | ``fold,path1,path2,same``.

    Optional columns: ``split`` (train or test), ``subject`` and ``group``. Without a split the images are evaluated in five folds,
    which share no subject where subjects are named. Paths are relative to the manifest and may lead out of its folder, or
    are inside a zip beside it.
    Blanks at the ends of fields mean nothing. Columns without a name, as pandas writes its index, are left out.

    Args:
      path: the CSV, with a header.
      kind: of ``pcl_tf.evaluation.kinds.KINDS``.
      image_size: side in pixels at which the images are evaluated.
      targets: columns to predict: one of a classification, by default ``label``; of regression and multilabel by
        default all but those of ``RESERVED`` and the groups. Further columns may stand in the file.
      groups: columns by which errors are told, beside ``group``; a row that has nothing there is of no group.

    Returns:
      Task.

    Raises:
      Refused: no such file, a column is missing, or rows are bad: all of them, with line numbers.
    """
    if kind not in KINDS:
        raise Refused(f"{kind}: not one of {', '.join(KINDS)}.")
    path = pathlib.Path(path)
    if not path.is_file():
        raise Refused(f"{path}: cannot be read as a CSV manifest ({'a folder' if path.is_dir() else 'no such file'}).")
    table = read_table(path, RESERVED)
    grouped = _groups(path, table.header, groups)
    values = _targets(path, kind, table.header, stated=tuple(targets), grouped=grouped)
    if not table.rows and not table.ragged:
        raise Refused(f"{path}: no rows below the header.")
    files = _files(path, table.rows)
    bad = _Bad(path)
    _other_width(path, table, bad)
    read = _pairs if kind == "verification" else _labelled
    task = read(table.rows, table.header, values, kind=kind, files=files, bad=bad)
    left_out = f"{path}: {table.unnamed} columns without a name are left out."
    return Task(
        name=path.stem,
        kind=kind,
        image_size=image_size,
        notes=(left_out,) if table.unnamed else (),
        groups={column: np.array([one_sign(row[column]) for _, row in table.rows]) for column in grouped},
        **task,
    )


def _other_width(path: pathlib.Path, table: Table, bad: "_Bad") -> None:
    """Says which rows have not as many fields as the header; where none has, that is one thing to mend."""
    width = len(table.header) + table.unnamed
    for line, count in table.ragged.items():
        hint = " (decimal numbers have a point, texts with a comma have quotes)" if count > width else ""
        what = f"{count} fields, but the header has {width}{hint}"
        if not table.rows:
            raise Refused(f"{path}, line {line} and every other: {what}.")
        bad.say(line, what)


def _groups(path: pathlib.Path, header: tuple[str, ...], stated: Iterable[str]) -> tuple[str, ...]:
    """The columns by which errors are told, each once."""
    asked = [name.lower() if name.lower() in RESERVED else name for name in stated]
    if unknown := [name for name in asked if name not in header or name in ("path", "path1", "path2")]:
        raise Refused(
            f"--groups={unknown[0]}: no such column of groups in {path}; its columns are {', '.join(header)}."
        )
    return tuple(dict.fromkeys([*(["group"] if "group" in header else []), *asked]))


def _targets(
    path: pathlib.Path, kind: str, header: tuple[str, ...], *, stated: tuple[str, ...], grouped: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """The columns to predict."""
    missing = [c for c in COLUMNS[kind] if c not in header and not (stated and c == "label")]
    free = tuple(c for c in header if c not in RESERVED and c not in grouped)
    default = {"classification": ("label",), "verification": ()}.get(kind, free)
    if missing or not (stated or default or kind == "verification"):
        wanted = ",".join(COLUMNS[kind]) + ("" if len(COLUMNS[kind]) > 1 else ",VALUE,..")
        raise Refused(f"{path}: the header is '{','.join(header)}'; a {kind} manifest has {wanted}.")
    if unknown := [t for t in stated if t not in header or t == "path"]:
        raise Refused(f"--targets={unknown[0]}: no such target in {path}; its columns are {', '.join(header)}.")
    if stated and (kind == "verification" or (kind == "classification" and len(stated) > 1)):
        most = "no targets" if kind == "verification" else "one target, its classes"
        raise Refused(f"--targets={','.join(stated)}: {kind} has {most}.")
    if len(set(stated)) < len(stated):
        raise Refused(f"--targets={','.join(stated)}: a column stands there twice.")
    return stated or default


def _files(path: pathlib.Path, rows: _Rows) -> Files:
    """Where images are looked for: beside the manifest, or beside the file that it is a link to."""
    files = Files(path.parent)
    first = next((row.get("path") or row.get("path1") for _, row in rows), None)
    if path.is_symlink() and first and first not in files and first in (linked := Files(path.resolve().parent)):
        return linked
    return files


class _Bad:
    """Collects what is wrong with rows, and says it all at once."""

    def __init__(self, path: pathlib.Path) -> None:
        self.lines: list[str]
        self.path, self.lines = path, []

    def say(self, line: int, what: str) -> None:
        self.lines.append(f"  line {line}: {what}")

    def stop(self) -> None:
        if self.lines:
            more = len(self.lines) - _SHOWN
            shown = "\n".join(self.lines[:_SHOWN]) + (f"\n  and {more} more" if more > 0 else "")
            raise Refused(f"{self.path}: {len(self.lines)} bad rows:\n{shown}")


def _number(text: str, low: float = -math.inf, high: float = math.inf) -> float | None:
    try:
        value = math.nan if "_" in text else float(text)  # Python reads 1_5 as 15
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) and low <= value <= high else None


def _image(files: Files, path: str) -> str | None:
    """The one way to write the path of an image, whichever way a row does; None where there is none."""
    found = files.spelled(path) if path else None
    return found and os.path.relpath(files.root / found, files.root)


def _labelled(
    rows: _Rows, header: tuple[str, ...], values: tuple[str, ...], *, kind: str, files: Files, bad: _Bad
) -> dict[str, Any]:
    seen: dict[str | None, int]
    labels: list[Any]
    seen, labels = {}, []
    for line, row in rows:
        path = row["path"]
        found = _image(files, path)
        if found is None:
            bad.say(line, f"no image '{path}'{files.remark}")
        elif found in seen:
            bad.say(line, f"'{path}' stands in line {seen[found]} already")
        seen.setdefault(found, line)
        if "split" in header and row["split"] not in ("train", "test"):
            bad.say(line, f"split is '{row['split']}', not train or test")
        if "subject" in header and not row["subject"]:
            bad.say(line, "no subject")
        labels.append(_label(row, values, kind, line=line, bad=bad))
    if kind == "classification" and len({x for x in labels if x}) < 2:
        bad.say(rows[0][0], "fewer than two classes in the whole manifest")
    bad.stop()
    subjects = np.array([one_sign(row["subject"]) for _, row in rows]) if "subject" in header else None
    common = {
        "source": files.source(row["path"] for _, row in rows),
        "subjects": subjects,
        "splits": _splits([row.get("split") for _, row in rows], subjects, len(rows)),
    }
    if kind == "classification":
        names = tuple(sorted(set(labels)))
        return {**common, "names": names, "labels": np.array([names.index(x) for x in labels])}
    return {**common, "names": tuple(values), "labels": np.array(labels, np.float32)}


def _label(
    row: dict[str, str], values: tuple[str, ...], kind: str, *, line: int, bad: _Bad
) -> str | list[float | None]:
    if kind == "classification":
        if not row[values[0]]:
            bad.say(line, "no label")
        return one_sign(row[values[0]])
    numbers = [_number(row[v]) for v in values]
    if wrong := [f"{v} is '{row[v]}'" for v, x in zip(values, numbers, strict=True) if x is None]:
        bad.say(line, f"{', '.join(wrong)}, not a number (--targets=COLUMN,.. names the targets)")
    elif kind == "multilabel" and set(numbers) - {0.0, 1.0}:
        bad.say(line, "labels are 0 or 1 (of AU intensities, 2 and more count as 1)")
    return numbers


def _splits(split: list[str | None] | np.ndarray, subjects: np.ndarray | None, count: int) -> Splits:
    if split[0]:
        split = np.array(split)
        return ((np.flatnonzero(split == "train"), np.flatnonzero(split == "test")),)
    if subjects is not None:
        return exclusive_folds(subjects, _FOLDS)
    return folds_from(np.random.RandomState(0).permutation(count) % _FOLDS)


def _pairs(
    rows: _Rows, header: tuple[str, ...], values: tuple[str, ...], *, kind: str, files: Files, bad: _Bad
) -> dict[str, Any]:
    del header, values, kind  # every column is known
    names: dict[Any, int]
    names, pairs, same, folds = {}, [], [], []
    for line, row in rows:
        found = [_image(files, row[key]) for key in ("path1", "path2")]
        for key, path in zip(("path1", "path2"), found, strict=True):
            if path is None:
                bad.say(line, f"no image '{row[key]}'{files.remark}")
        if found[0] is not None and found[0] == found[1]:
            bad.say(line, "an image is paired with itself")
        if row["same"] not in ("0", "1"):
            bad.say(line, f"same is '{row['same']}', not 0 or 1")
        if not row["fold"]:
            bad.say(line, "no fold")
        pairs.append([names.setdefault(path, len(names)) for path in found])
        same.append(row["same"] == "1")
        folds.append(row["fold"])
    if len(set(folds)) < 2:
        bad.say(rows[0][0], "one fold alone: the threshold of a fold is chosen on the others")
    bad.stop()
    return {
        "source": files.source(names),
        "pairs": np.array(pairs),
        "same": np.array(same, np.int64),
        "folds": np.unique(folds, return_inverse=True)[1],
    }
