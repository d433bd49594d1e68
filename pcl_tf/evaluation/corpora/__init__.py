"""Named tasks in the file layouts their corpora are distributed in, or as datasets of pcl_tf.prepare."""

import pathlib

from pcl_tf.data.sources import DataError
from pcl_tf.evaluation.corpora import actions, expression, generated, pairs, pose, prepared
from pcl_tf.evaluation.manifest import read_manifest
from pcl_tf.evaluation.task import KINDS

# name -> (reader of a folder, side in pixels at which the paper judges)
CORPORA = {
    "fer2013": (expression.fer2013, 100),
    "rafdb": (expression.rafdb, 100),
    "lfw": (pairs.lfw, 128),
    "cplfw": (pairs.cplfw, 128),
    "disfa": (actions.disfa, 256),
    "aflw2000": (pose.aflw2000, 256),
    "bu3dfe": (pose.bu3dfe, 256),
}
MANIFEST_SIZE = 64


def names():
    """Every value of --task."""
    return (*CORPORA, *(f"generated_{k}" for k in generated.MAKERS), *KINDS)


def open_task(text, data_dir="", image_size=0):
    """Opens a task by name.

    Args:
      text: 'NAME' or 'NAME:PATH', NAME of ``names()``; PATH goes before data_dir.
      data_dir: folder of the corpus, or of several in folders of their names; the manifest of own data.
      image_size: side in pixels, 0 for the paper's.

    Returns:
      Task.

    Raises:
      DataError: unknown name, or the first file that is not there.
    """
    name, _, path = text.partition(":")
    if name not in names():
        raise DataError(f"--task={name}: not one of {', '.join(names())}.")
    if name.startswith("generated_"):
        return generated.MAKERS[name.removeprefix("generated_")](image_size or MANIFEST_SIZE)
    place = path or data_dir
    if not place:
        raise DataError(f"--task={name} needs --data_dir, or --task={name}:PATH.")
    if name in KINDS:
        return read_manifest(place, name, image_size or MANIFEST_SIZE)
    root = pathlib.Path(place)
    if not root.is_dir():
        raise DataError(f"--task={name}: {root} is no folder.")
    if not path:
        root = folder_of(name, root)
    if not (folder := prepared.find(root, image_size)):
        return read_corpus(name, root, image_size)
    task = prepared.read(folder, image_size)
    if task.name != name:
        raise DataError(f"--task={name}: {folder} holds {task.name}.")
    return task


def folder_of(name, root):
    """root/NAME where that is a folder, else root: pathlib.Path."""
    return root / name if (root / name).is_dir() else root


def read_corpus(name, root, image_size=0):
    """The task of a corpus as it was handed out, in root: ``open_task`` without a look for what pcl_tf.prepare made."""
    reader, size = CORPORA[name]
    return reader(root, image_size or size)
