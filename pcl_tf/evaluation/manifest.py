"""Labelled images of your own: a CSV manifest becomes a task, or all of its wrong rows are named at once."""

import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pcl_tf.data.files import one_sign
from pcl_tf.data.listed import Files
from pcl_tf.errors import Refused
from pcl_tf.evaluation.kinds import KINDS, Kind
from pcl_tf.evaluation.lists import Table, read_table
from pcl_tf.evaluation.task import Splits, Task, exclusive_folds, folds_from

_Rows = list[tuple[int, dict[str, str]]]
_Wrong = list[tuple[int, str]]  # line, and what is wrong with it
# Targets only if --targets names them; recognised in capitals too.
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
      groups: columns by which errors are grouped, beside ``group``; a row without a value is of no group.

    Returns:
      Task.

    Raises:
      Refused: no such file, a column is missing, or rows are wrong: all of them, with line numbers.
    """
    path, of = pathlib.Path(path), KINDS[kind]
    table = read_table(path, RESERVED)
    grouped = _groups(path, table.header, groups)
    values = _targets(path, of, table.header, stated=tuple(targets), grouped=grouped)
    if not table.rows and not table.ragged:
        raise Refused(f"{path}: no rows below the header.")
    files, wrong = _files(path, table.rows), _widths(path, table)
    read = (
        _labels(table.rows, files, wrong, kind=of, values=values) if of.labelled else _pairs(table.rows, files, wrong)
    )
    if wrong:
        shown = "".join(f"\n  line {line}: {what}" for line, what in wrong[:_SHOWN])
        more = f"\n  and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise Refused(f"{path}: {len(wrong)} wrong rows:{shown}{more}")
    left_out = f"{path}: {table.unnamed} columns without a name are left out."
    return Task(
        name=path.stem,
        kind=kind,
        image_size=image_size,
        notes=(left_out,) if table.unnamed else (),
        groups={column: np.array([one_sign(row[column]) for _, row in table.rows]) for column in grouped},
        **read,
    )


def _widths(path: pathlib.Path, table: Table) -> _Wrong:
    """Rows that have not as many fields as the header; where every row has another number, that is one thing to mend."""
    width, wrong = len(table.header) + table.unnamed, []
    for line, count in table.ragged.items():
        hint = " (decimal numbers have a point, texts with a comma have quotes)" if count > width else ""
        what = f"{count} fields, but the header has {width}{hint}"
        if not table.rows:
            raise Refused(f"{path}, line {line} and every other: {what}.")
        wrong.append((line, what))
    return wrong


def _groups(path: pathlib.Path, header: tuple[str, ...], stated: Iterable[str]) -> tuple[str, ...]:
    """The columns by which errors are grouped, each once."""
    asked = [name.lower() if name.lower() in RESERVED else name for name in stated]
    if unknown := [name for name in asked if name not in header or name in ("path", "path1", "path2")]:
        raise Refused(
            f"--groups={unknown[0]}: no such column of groups in {path}; its columns are {', '.join(header)}."
        )
    return tuple(dict.fromkeys([*(["group"] if "group" in header else []), *asked]))


def _targets(
    path: pathlib.Path, kind: Kind, header: tuple[str, ...], *, stated: tuple[str, ...], grouped: tuple[str, ...]
) -> tuple[str, ...]:
    """The columns to predict."""
    missing = [c for c in kind.columns if c not in header and not (stated and c == kind.target)]
    free = tuple(c for c in header if c not in RESERVED and c not in grouped)
    default = (kind.target,) if kind.target else free
    if missing or (kind.labelled and not (stated or default)):
        wanted = ",".join(kind.columns) + ("" if len(kind.columns) > 1 else ",VALUE,..")
        raise Refused(f"{path}: the header is '{','.join(header)}'; a {kind.name} manifest has {wanted}.")
    if unknown := [t for t in stated if t not in header or t == "path"]:
        raise Refused(f"--targets={unknown[0]}: no such target in {path}; its columns are {', '.join(header)}.")
    if kind.most is not None and len(stated) > kind.most:
        raise Refused(f"--targets={','.join(stated)}: {kind.name} has {('no target', 'one target')[kind.most]}.")
    if len(set(stated)) < len(stated):
        raise Refused(f"--targets={','.join(stated)}: a column is named twice.")
    return stated or default


def _files(path: pathlib.Path, rows: _Rows) -> Files:
    """Where images are looked for: beside the manifest, or beside the file that it is a link to."""
    files = Files(path.parent)
    first = next((row.get("path") or row.get("path1") for _, row in rows), None)
    if path.is_symlink() and first and first not in files and first in (linked := Files(path.resolve().parent)):
        return linked
    return files


def _image(files: Files, path: str) -> str | None:
    """The path of an image in one spelling, whichever spelling a row has; None if there is no such image."""
    found = files.spelled(path) if path else None
    return found and os.path.relpath(files.root / found, files.root)


def _labels(rows: _Rows, files: Files, wrong: _Wrong, *, kind: Kind, values: Sequence[str]) -> dict[str, Any]:
    """Parts of the ``Task`` of labelled images; adds to wrong, and where that is not empty then, returns no part."""
    seen: dict[str | None, int] = {}
    labels = []
    for line, row in rows:
        path = row["path"]
        found = _image(files, path)
        if found is None:
            wrong.append((line, f"no image '{path}'{files.remark}"))
        elif found in seen:
            wrong.append((line, f"'{path}' stands in line {seen[found]} already"))
        seen.setdefault(found, line)
        if row.get("split", "train") not in ("train", "test"):
            wrong.append((line, f"split is '{row['split']}', not train or test"))
        if row.get("subject") == "":
            wrong.append((line, "no subject"))
        try:
            labels.append(kind.read({value: row[value] for value in values}))
        except ValueError as error:
            wrong.append((line, str(error)))
    if wrong:
        return {}
    subjects = np.array([one_sign(row["subject"]) for _, row in rows]) if "subject" in rows[0][1] else None
    names, collected = kind.collect(labels, values)
    return {
        "source": files.source(row["path"] for _, row in rows),
        "subjects": subjects,
        "splits": _splits([row.get("split") for _, row in rows], subjects, len(rows)),
        "names": names,
        "labels": collected,
    }


def _splits(split: list[str | None] | np.ndarray, subjects: np.ndarray | None, count: int) -> Splits:
    if split[0]:
        split = np.array(split)
        return ((np.flatnonzero(split == "train"), np.flatnonzero(split == "test")),)
    if subjects is not None:
        return exclusive_folds(subjects, _FOLDS)
    return folds_from(np.random.RandomState(0).permutation(count) % _FOLDS)


def _pairs(rows: _Rows, files: Files, wrong: _Wrong) -> dict[str, Any]:
    """As ``_labels``, of pairs of images."""
    names: dict[Any, int] = {}
    pairs = []
    for line, row in rows:
        found = [_image(files, row[key]) for key in ("path1", "path2")]
        for key, path in zip(("path1", "path2"), found, strict=True):
            if path is None:
                wrong.append((line, f"no image '{row[key]}'{files.remark}"))
        if found[0] is not None and found[0] == found[1]:
            wrong.append((line, "an image is paired with itself"))
        if row["same"] not in ("0", "1"):
            wrong.append((line, f"same is '{row['same']}', not 0 or 1"))
        if not row["fold"]:
            wrong.append((line, "no fold"))
        pairs.append([names.setdefault(path, len(names)) for path in found])
    _, folds = np.unique([row["fold"] for _, row in rows], return_inverse=True)
    if folds.max() == 0:
        wrong.append((rows[0][0], "one fold alone: the threshold of a fold is chosen on the others"))
    if wrong:
        return {}
    same = np.array([int(row["same"]) for _, row in rows])
    return {"source": files.source(names), "pairs": np.array(pairs), "same": same, "folds": folds}
