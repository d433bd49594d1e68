"""Tasks by name: corpora in the layouts they are handed out in, own data, generated faces."""

import dataclasses
import pathlib
from collections.abc import Sequence

from pcl_tf.errors import Refused
from pcl_tf.evaluation.corpora import CORPORA, generated
from pcl_tf.evaluation.corpora.layout import centred
from pcl_tf.evaluation.kinds import KINDS
from pcl_tf.evaluation.manifest import read_manifest
from pcl_tf.evaluation.task import Task, copies_named, distinct_pairs

MANIFEST_SIZE = 64


def names() -> tuple[str, ...]:
    """Every value of --task."""
    return (*CORPORA, *(f"generated_{k}" for k in generated.MAKERS), *KINDS)


def open_task(
    text: str,
    data_dir: str | pathlib.Path | None = "",
    image_size: int = 0,
    *,
    targets: Sequence[str] = (),
    groups: Sequence[str] = (),
    centre: float = 1.0,
    flag: str = "--task",
) -> Task:
    """Opens a task by name.

    Args:
      text: 'NAME' or 'NAME:PATH', NAME of ``names()``; PATH goes before data_dir.
      data_dir: folder of the corpus, or of several in folders of their names; the manifest of own data. None where the
        command has no such flag.
      image_size: side in pixels, 0 for the paper's.
      targets: columns of a manifest to predict; () for those that its kind has by default.
      groups: columns of a manifest by which errors are split, beside its ``group``.
      centre: side of the central square that is evaluated, as a share of the photograph's shorter side.
      flag: that gave the text, for errors.

    Raises:
      Refused: unknown name, the first file that is not there, or a pair with both answers.
    """
    name, _, path = text.partition(":")
    if name not in names():
        raise Refused(f"{flag}={name}: not one of {', '.join(names())}.")
    for stated, what in ((groups, "groups"), (targets, "targets")):
        if stated and name not in KINDS:
            raise Refused(f"--{what}={','.join(stated)}: {flag}={name} is no manifest, whose columns could be named.")
    if name.startswith("generated_"):
        task = generated.MAKERS[name.removeprefix("generated_")](image_size or MANIFEST_SIZE)
    elif place := path or data_dir:
        root = pathlib.Path(place)
        # LFW's photographs may lie in a folder of its name beside their list.
        if not path and name in CORPORA and (root / name).is_dir() and not (root / "pairs.txt").exists():
            root = root / name
        if name in KINDS:
            task = read_manifest(root, name, image_size or MANIFEST_SIZE, targets=targets, groups=groups)
        elif root.is_dir():
            task = CORPORA[name].read(root, image_size)
        else:
            raise Refused(f"{flag}={name}: {root} is no folder.")
        task = distinct_pairs(dataclasses.replace(task, origin=str(root.resolve())))
    else:
        all_of_them = " or the folder of corpora" * (data_dir is not None)
        raise Refused(f"{flag}={name}: where is it? {flag}={name}:PATH{all_of_them} is needed.")
    tells = "-".join(targets) or (CORPORA[name].role if name in CORPORA else task.tells or task.name)
    name = f"{task.name}-{tells}" if targets else task.name
    if centre != 1:
        task = dataclasses.replace(task, source=centred(task.source, centre))
        name = f"{name}_centre{centre:g}"
    return copies_named(dataclasses.replace(task, name=name, tells=tells))
