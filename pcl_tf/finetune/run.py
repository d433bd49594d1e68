"""A fine-tuning from faces to a result, fold by fold."""

import dataclasses
import hashlib
import json
import pathlib
import shutil
from collections.abc import Callable
from typing import cast

import keras
import numpy as np

from pcl_tf.data.faces import decoded_faces
from pcl_tf.evaluation import linear
from pcl_tf.evaluation.evaluate import Result, of_folds, readable
from pcl_tf.evaluation.features import Features
from pcl_tf.evaluation.models import Encoder
from pcl_tf.evaluation.results import short
from pcl_tf.evaluation.task import Task
from pcl_tf.finetune import fit, network, rows
from pcl_tf.finetune.kept import Kept


@dataclasses.dataclass(frozen=True)
class Options:
    """How a network is fine-tuned.

    Attributes:
      feature: of the encoder, on which the last layer stands.
      labels: share of the training labels that is used, above 0 and at most 1.
      from_scratch: whether the encoder's weights are drawn anew.
      epochs: at most.
      patience: epochs without a better held-out loss after which training stops.
      batch_size: images.
      rate: of Adam, for all layers.
      flip: whether training images are mirrored at random.
      folds: how many of the task's folds are evaluated; 0 is all.
      seed: of the labels that are chosen, the order, and weights that are drawn.
    """

    feature: str = "face_aware"
    labels: float = 1.0
    from_scratch: bool = False
    epochs: int = 50
    patience: int = 5
    batch_size: int = 64
    rate: float = 1e-4
    flip: bool = False
    folds: int = 0
    seed: int = 0

    @property
    def way(self) -> str:
        """What ``result.json`` calls it: 'finetune', 'scratch-0.1' .."""
        return way("scratch" if self.from_scratch else "finetune", self.labels)


def way(name: str, labels: float) -> str:
    """A way to teach and its share of the labels as one word."""
    return name if labels == 1 else f"{name}-{labels:g}"


@dataclasses.dataclass(frozen=True)
class Faces:
    """The images of a task, decoded and encoded.

    Attributes:
      images: uint8 [M, S, S, 3] of those that can be read.
      place: int [N], where in images a row of the task stands; -1 where it cannot be read.
      values: ``Features`` of all rows.
    """

    images: np.ndarray
    place: np.ndarray
    values: Features

    @property
    def good(self) -> np.ndarray:
        """bool [N], of which rows the image can be read."""
        return self.place >= 0


def read(task: Task, values: Features, cache: str | pathlib.Path) -> Faces:
    """``Faces`` of a task whose features were extracted, decoded once in the life of the cache."""
    images = decoded_faces(task.source, task.image_size, cache_dir=cache, max_unreadable_share=1.0, flag="--cache")
    place = np.full(task.source.count, -1)
    encoded = np.setdiff1d(np.arange(task.source.count), list(values.bad))
    place[encoded] = np.arange(len(images))  # the rows that could not be encoded are those that could not be decoded
    return Faces(images, place, values)


def teaching(task: Task, train: np.ndarray, options: Options) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a fold -> (rows that teach, rows held out) under its share of the labels."""
    return rows.split(
        task,
        rows.share(task.kind, cast(np.ndarray, task.labels), train, part=options.labels, seed=options.seed),
        options.seed,
    )


def finetune(
    encoder: Encoder,
    task: Task,
    faces: Faces,
    *,
    options: Options,
    folder: str | pathlib.Path,
    say: Callable[[str], None] = print,
) -> tuple[Result, keras.Model]:
    """Fine-tunes on each fold and evaluates.

    Args:
      encoder: ``Encoder`` with a Keras form.
      task: ``Task`` with labels.
      faces: ``Faces`` of it.
      options: ``Options``.
      folder: keeps a state for each fold; a call that was stopped goes on from it.
      say: prints a line.

    Returns:
      (Result, keras.Model of the first fold: images to logits or targets).

    Raises:
      Stopped: by a signal; the same call goes on.
      Refused: too few images of a fold can be read.
    """
    folds = readable(task, faces.good, options.folds or None)
    parts, protocols, taught, first = [], [], 0, None
    for number, (train, test) in enumerate(folds):
        if len(folds) > 1:
            say(f"fold {number + 1} of {len(folds)}")
        teach, held = teaching(task, train, options)
        kept = Kept(pathlib.Path(folder) / f"fold{number}")
        model = _fold(encoder, task, faces, options=options, teach=teach, held=held, kept=kept, say=say)
        parts.append((test, network.scores(model, faces.images, faces.place[test])))
        taught += len(teach) + len(held)
        protocols.append(
            {
                "taught": len(teach),
                "held_out": len(held),
                "epochs": kept.epoch,
                "best_epoch": kept.best_epoch,
                "held_out_loss": kept.best,
            }
        )
        first = first or model
    protocol = {**dataclasses.asdict(options), **protocols[0]}
    if len(protocols) > 1:
        protocol["each_fold"] = protocols
    bad = int((~faces.good).sum())
    return of_folds(task, parts, protocol, trained=taught, unreadable=bad, seed=options.seed), first


def _fold(
    encoder: Encoder,
    task: Task,
    faces: Faces,
    *,
    options: Options,
    teach: np.ndarray,
    held: np.ndarray,
    kept: Kept,
    say: Callable[[str], None],
) -> keras.Model:
    labels, low, span = cast(np.ndarray, task.labels), 0.0, 1.0
    if task.kind == "regression":
        low, span = labels[teach].mean(0), np.maximum(labels[teach].std(0), 1e-6)
        labels = ((labels - low) / span).astype(np.float32)
    by_image = labels[faces.good]  # in the order of the images
    head = None
    if not options.from_scratch and not kept.began:
        say(f"the last layer on frozen features of {len(teach)} images")
        head = _head(task, faces.values[options.feature], labels, teach=teach, seed=options.seed)
    seed = options.seed if options.from_scratch else None
    model = network.build(network.load(encoder), task, options.feature, head=head, seed=seed)
    say(f"all layers on {len(teach)} images, {len(held)} held out")
    loss = network.LOSSES[task.kind]()
    fit.train(
        model,
        kept,
        loss,
        faces=faces.images,
        labels=by_image,
        teach=faces.place[teach],
        held=faces.place[held],
        options=options,
        say=say,
    )
    network.rescale(model, low, span)
    return model


def _head(
    task: Task, x: np.ndarray, labels: np.ndarray, *, teach: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The last layer before the others move: the probe's, solved on features of the encoder as it was, so that it starts
    where linear evaluation ends and no statistic of a BatchNorm changes meanwhile."""
    subjects = None if task.subjects is None else task.subjects[teach]
    layer, _ = linear.fit(
        task.kind, x[teach], labels[teach], solver="lbfgs", seed=seed, subjects=subjects, classes=len(task.names)
    )
    assert isinstance(layer, linear.Linear)  # L-BFGS solves one
    return layer.weights, layer.bias


def place(out: str | pathlib.Path, encoder: Encoder, task: Task, *, name: str, options: Options) -> pathlib.Path:
    """Folder of a fine-tuning in out: another one for everything that changes its numbers."""
    said = json.dumps([encoder.digest, task.digest, dataclasses.asdict(options)])
    digest = hashlib.sha256(said.encode()).hexdigest()[:8]
    return pathlib.Path(out) / f"{short(name)}-{options.feature}-{options.way}-{digest}"


def forget(folder: str | pathlib.Path) -> None:
    """Takes away the states of a fine-tuning that is evaluated and exported."""
    for path in pathlib.Path(folder).glob("fold*"):
        shutil.rmtree(path)
