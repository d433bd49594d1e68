"""A fine-tuning from faces to a result, fold by fold, on a share of the labels."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import cast

import keras
import numpy as np

from pcl_tf.data.faces import decoded_faces
from pcl_tf.encoders.encoder import Encoder
from pcl_tf.encoders.features import Features
from pcl_tf.errors import Refused
from pcl_tf.evaluation import linear
from pcl_tf.evaluation.evaluate import Result, evaluate, of_folds, readable
from pcl_tf.evaluation.kinds import KINDS
from pcl_tf.evaluation.task import Task
from pcl_tf.finetune import fit, network
from pcl_tf.finetune.fit import Options

FEWEST = 5  # labelled images, of which one is held out


def share(task: Task, rows: np.ndarray, *, part: float, seed: int = 0) -> np.ndarray:
    """A share, above 0 and at most 1, of labelled rows, int [n], in which labels are as frequent as in all: int [m], rising.

    Rows are sorted by their labels (in no order among equals) and taken at even steps, so that each class, each
    combination of labels and each range of the first target gives its part. Every class gives at least one row:
    scikit-learn's stratified splits refuse classes of one row, and know neither combinations nor ranges.
    """
    rows, labels = np.asarray(rows), cast(np.ndarray, task.labels)
    if part >= 1:
        return rows
    r = np.random.RandomState(seed)
    rows = r.permutation(rows)
    columns = labels[rows].reshape(len(rows), -1)
    rows = rows[np.lexsort(columns.T[::-1])]  # stable: equals stay in the order drawn
    wanted = max(1, round(part * len(rows)))
    places = np.floor((np.arange(wanted) + r.uniform()) * len(rows) / wanted).astype(int)
    taken = rows[places]
    if (classes := KINDS[task.kind].classes(labels[rows])) is not None:
        absent = np.setdiff1d(classes, labels[taken])
        taken = np.concatenate([taken, [rows[classes == k][0] for k in absent]])
    return np.sort(taken).astype(int)


def teaching(task: Task, rows: np.ndarray, *, part: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(rows that teach, rows held out) of a share of training rows: a fifth is held out, as by the probe.

    That is whole subjects from five known subjects on, and of no class all rows.

    Raises:
      Refused: too few.
    """
    rows = share(task, rows, part=part, seed=seed)
    if len(rows) < FEWEST:
        raise Refused(f"{task.name}: {len(rows)} labelled images are left to teach; at least {FEWEST} are needed.")
    classes = KINDS[task.kind].classes(cast(np.ndarray, task.labels)[rows])
    out = linear.held_out(len(rows), subjects=_people(task, rows), seed=seed, classes=classes)
    return rows[~out], rows[out]


def _people(task: Task, rows: np.ndarray) -> np.ndarray | None:
    return None if task.subjects is None else task.subjects[rows]


@dataclasses.dataclass(frozen=True)
class Material:
    """An encoder, a task, and the task's images, decoded and encoded."""

    encoder: Encoder  # with a Keras form
    task: Task  # with labels
    images: np.ndarray  # uint8 [M, S, S, 3], the readable ones
    place: np.ndarray  # int [N], row of images of each row of the task; -1 of unreadable ones
    values: Features  # of all rows


def read(encoder: Encoder, task: Task, values: Features, cache: str | pathlib.Path) -> Material:
    """``Material`` of a task whose features were extracted, decoded once in the life of the cache."""
    size, source = task.image_size, task.source
    images = decoded_faces(source, size, cache_dir=cache, max_unreadable_share=1.0, flag="--cache")["faces"]
    place = np.full(task.source.count, -1)
    encoded = np.setdiff1d(np.arange(task.source.count), list(values.unreadable))
    place[encoded] = np.arange(len(images))  # the rows that could not be encoded are those that could not be decoded
    return Material(encoder, task, images, place, values)


def finetune(
    material: Material, options: Options, folder: str | pathlib.Path, *, say: Callable[[str], None] = print
) -> tuple[Result, keras.Model]:
    """Fine-tunes on each fold and evaluates.

    The folder has a state for each fold; a call that was stopped resumes from it. say: prints a line.

    Returns:
      (Result, keras.Model of the first fold: images to logits or targets).

    Raises:
      Stopped: by a signal; the same call resumes.
      Refused: too few images of a fold are readable.
    """
    task, good = material.task, material.place >= 0
    folds = readable(task, good, options.folds or None)
    parts, protocols, taught, first = [], [], 0, None
    for number, (train, test) in enumerate(folds):
        if len(folds) > 1:
            say(f"fold {number + 1} of {len(folds)}")
        teach, held = teaching(task, train, part=options.labels, seed=options.seed)
        model, losses = _fold(material, options, pathlib.Path(folder, f"fold{number}"), teach=teach, held=held, say=say)
        parts.append((test, network.scores(model, material.images, material.place[test])))
        taught += len(teach) + len(held)
        best = fit.best(losses)
        counts = {"taught": len(teach), "held_out": len(held), "epochs": len(losses) - 1}
        protocols.append(counts | {"best_epoch": best, "held_out_loss": losses[best]})
        first = first or model
    protocol = {**dataclasses.asdict(options), **protocols[0]}
    if len(protocols) > 1:
        protocol["each_fold"] = protocols
    counts = {"train": taught, "unreadable": int((~good).sum())}
    return of_folds(task, parts, protocol, counts=counts, seed=options.seed), first


def probe(material: Material, options: Options) -> Result:
    """Evaluates the linear probe on a share of the labels."""
    task, values = material.task, material.values
    folds = readable(task, material.place >= 0, options.folds or None)
    splits = [(share(task, train, part=options.labels, seed=options.seed), test) for train, test in folds]
    few = dataclasses.replace(task, splits=tuple(splits))
    x = np.asarray(values[options.feature])
    return evaluate(few, x, bad=values.unreadable, solver="lbfgs", seed=options.seed)


def _fold(
    material: Material,
    options: Options,
    state: pathlib.Path,
    *,
    teach: np.ndarray,
    held: np.ndarray,
    say: Callable[[str], None],
) -> tuple[keras.Model, list[float]]:
    task, kind = material.task, KINDS[material.task.kind]
    labels = cast(np.ndarray, task.labels)
    low, span = kind.scale(labels[teach])
    if kind.classes(labels) is None:
        labels = ((labels - low) / span).astype(np.float32)

    def build() -> keras.Model:
        trunk, layer = network.load(material.encoder), None
        if not options.from_scratch:
            # The probe's, solved on features of the encoder as it was, so that training starts where linear evaluation
            # ends and no statistic of a BatchNorm changes meanwhile.
            say(f"the last layer on frozen features of {len(teach)} images")
            layer, _ = linear.fit(
                task.kind,
                material.values[options.feature][teach],
                labels[teach],
                solver="lbfgs",
                seed=options.seed,
                subjects=_people(task, teach),
                classes=len(task.names),
            )
        say(f"all layers on {len(teach)} images, {len(held)} held out")
        head = cast("linear.Linear | None", layer)  # L-BFGS solves one
        return network.build(trunk, task, options.feature, head=head, seed=options.seed)

    lesson = fit.Lesson(
        material.images,
        labels[material.place >= 0],  # in the order of the images
        teach=material.place[teach],
        held=material.place[held],
        loss=network.LOSSES[kind.activation](),
    )
    model, losses = fit.train(build, lesson, state, options, say=say)
    network.rescale(model, low, span)
    return model, losses
