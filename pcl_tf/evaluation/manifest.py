"""Labelled images of your own: a CSV manifest becomes a task, or all of its wrong rows are named at once."""

import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pcl_tf.data.listed import Files
from pcl_tf.errors import Refused
from pcl_tf.evaluation.kind import Kind
from pcl_tf.evaluation.kinds import KINDS
from pcl_tf.evaluation.lists import canonical, read_table
from pcl_tf.evaluation.task import Task, connected_folds, exclusive_folds, folds_from, pictures

_Rows = list[tuple[int, dict[str, str]]]
_Wrong = list[tuple[int, str]]  # line, and what is wrong with it
# Targets only if --targets names them; recognised in capitals too.
RESERVED = ("path", "split", "subject", "group", "fold", "path1", "path2", "same", "id", "index")
_FOLDS = 5  # where the manifest names none
_SHOWN = 200


def read_manifest(
    path: str | pathlib.Path, kind: str, image_size: int, *, targets: Iterable[str] = (), groups: Iterable[str] = ()
) -> Task:
    """Reads ``path,label`` | ``path,yaw,pitch,..`` | ``path,AU1,AU2,..`` | ``path1,path2,same``.

    Optional columns: ``split`` (train or test), ``subject`` and ``group``, of pairs ``fold`` and ``group``. Without a
    split the images are evaluated in five folds, which share no subject where subjects are named; without ``fold`` so are
    the pairs, in folds that share no picture. Paths are relative to the manifest and may lead out of its folder, or are
    inside a zip beside it. Blanks at the ends of fields mean nothing. Columns without a name are left out.

    Args:
      path: the CSV, with a header.
      kind: of ``pcl_tf.evaluation.kinds.KINDS``.
      image_size: side in pixels at which the images are evaluated.
      targets: columns to predict: one of a classification, by default ``label``; of regression and multilabel by
        default all but those of ``RESERVED`` and the groups. Further columns may stand in the file.
      groups: columns by which errors are grouped, beside ``group``; a row without a value is of no group.

    Raises:
      Refused: no such file, a column is missing, or rows are wrong: all of them, with line numbers.
    """
    path, of = pathlib.Path(path), KINDS[kind]
    table = read_table(path, RESERVED)
    values, grouped = _columns(path, of, table.header, targets=targets, groups=groups)
    wrong: _Wrong = list(table.ragged.items())
    if not table.rows:
        raise Refused(f"{path}, line {wrong[0][0]} and every other: {wrong[0][1]}." if wrong else f"{path}: no rows.")
    files, rows = Files(path.parent), table.rows
    read = _labels(rows, files, wrong, kind=of, values=values) if of.labelled else _pairs(rows, files, wrong)
    if wrong:
        shown = "".join(f"\n  line {line}: {what}" for line, what in wrong[:_SHOWN])
        more = f"\n  and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise Refused(f"{path}: {len(wrong)} wrong rows:{shown}{more}")
    groups = {column: np.array([canonical(row[column]) for _, row in rows]) for column in grouped}
    return Task(name=path.stem, kind=kind, image_size=image_size, groups=groups, **read)


def _columns(
    path: pathlib.Path, kind: Kind, header: tuple[str, ...], *, targets: Iterable[str], groups: Iterable[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns to predict, and those by which errors are grouped, each once."""
    asked = [g.lower() if g.lower() in RESERVED else g for g in groups]
    grouped = dict.fromkeys([*(["group"] if "group" in header else []), *asked])
    stated = tuple(dict.fromkeys(targets))
    free = tuple(c for c in header if c not in RESERVED and c not in grouped)
    default = (kind.target,) if kind.target else free
    missing = [c for c in kind.columns if c not in header and not (stated and c == kind.target)]
    if missing or (kind.labelled and not (stated or default)):
        wanted = ",".join(kind.columns) + ("" if len(kind.columns) > 1 else ",VALUE,..")
        raise Refused(f"{path}: the header is '{','.join(header)}'; a {kind.name} manifest has {wanted}.")
    for flag, columns in (("targets", stated), ("groups", grouped)):
        if unknown := [c for c in columns if c not in header or c in ("path", "path1", "path2")]:
            raise Refused(
                f"--{flag}={unknown[0]}: no such column of {flag} in {path}; its columns are {', '.join(header)}."
            )
    if kind.most is not None and len(stated) > kind.most:
        raise Refused(f"--targets={','.join(stated)}: {kind.name} has {('no target', 'one target')[kind.most]}.")
    return stated or default, tuple(grouped)


def _found(row: dict[str, str], column: str, files: Files, wrong: list[str]) -> str | None:
    """The path of an image in one spelling, whichever spelling a row has; None if there is no such image."""
    spelled = files.spelled(row[column]) if row[column] else None
    if spelled is None:
        wrong.append(f"no image '{row[column]}'{files.remark}")
        return None
    return os.path.relpath(files.root / spelled, files.root)


def _labels(rows: _Rows, files: Files, wrong: _Wrong, *, kind: Kind, values: Sequence[str]) -> dict[str, Any]:
    """Parts of the ``Task`` of labelled images; adds to wrong, and where that is not empty then, returns no part."""
    seen: dict[str, int] = {}
    labels = []
    for line, row in rows:
        here: list[str] = []
        if (found := _found(row, "path", files, here)) and seen.setdefault(found, line) != line:
            here.append(f"'{row['path']}' stands in line {seen[found]} already")
        if row.get("split", "train") not in ("train", "test"):
            here.append(f"split is '{row['split']}', not train or test")
        if row.get("subject") == "":
            here.append("no subject")
        try:
            labels.append(kind.read({value: row[value] for value in values}))
        except ValueError as error:
            here.append(str(error))
        wrong += [(line, what) for what in here]
    if wrong:
        return {}
    header = rows[0][1]
    subjects = np.array([canonical(row["subject"]) for _, row in rows]) if "subject" in header else None
    if "split" in header:
        split = np.array([row["split"] for _, row in rows])
        splits: Any = ((np.flatnonzero(split == "train"), np.flatnonzero(split == "test")),)
    elif subjects is not None:
        splits = exclusive_folds(subjects, _FOLDS)
    else:
        splits = folds_from(np.random.RandomState(0).permutation(len(rows)) % _FOLDS)
    names, collected = kind.collect(labels, values)
    source = files.source(row["path"] for _, row in rows)
    return {"source": source, "subjects": subjects, "splits": splits, "names": names, "labels": collected}


def _pairs(rows: _Rows, files: Files, wrong: _Wrong) -> dict[str, Any]:
    """As ``_labels``, of pairs of images."""
    names: dict[str | None, int] = {}
    seen: dict[tuple[int, ...], int] = {}
    pairs = []
    for line, row in rows:
        here: list[str] = []
        one, other = (_found(row, column, files, here) for column in ("path1", "path2"))
        pairs.append([names.setdefault(path, len(names)) for path in (one, other)])
        if one is not None and one == other:
            here.append("an image is paired with itself")
        elif not here and seen.setdefault(tuple(sorted(pairs[-1])), line) != line:
            here.append(f"the pair stands in line {seen[tuple(sorted(pairs[-1]))]} already")
        if row["same"] not in ("0", "1"):
            here.append(f"same is '{row['same']}', not 0 or 1")
        if row.get("fold") == "":
            here.append("no fold")
        wrong += [(line, what) for what in here]
    if wrong:
        return {}
    source, same = files.source(map(str, names)), np.array([int(row["same"]) for _, row in rows])
    if "fold" in rows[0][1]:
        _, folds = np.unique([canonical(row["fold"]) for _, row in rows], return_inverse=True)
    else:
        folds = connected_folds(pictures(source)[np.array(pairs)], _FOLDS)
    return {"source": source, "pairs": np.array(pairs), "same": same, "folds": folds}
