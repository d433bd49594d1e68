"""A fine-tuning from faces to an export: trains each fold on a share of the labels and evaluates, unless that was done before."""

import dataclasses
import json
import pathlib
import shutil
from collections.abc import Mapping, Sequence
from typing import Any, cast

import keras
import numpy as np

from pcl_tf.data.faces import decoded_faces
from pcl_tf.data.images import left_out
from pcl_tf.encoders.encoder import Encoder, load_keras
from pcl_tf.encoders.features import Features, extract
from pcl_tf.errors import Refused
from pcl_tf.evaluation import linear
from pcl_tf.evaluation.evaluate import Result, of_folds, readable
from pcl_tf.evaluation.kinds import KINDS
from pcl_tf.evaluation.task import Task
from pcl_tf.finetune import fit, network
from pcl_tf.finetune.fit import Options
from pcl_tf.results.store import Results, head_of, names, new_row, short
from pcl_tf.serving.card import state, stated, write_classifier_card
from pcl_tf.serving.classifier import save_classifier
from pcl_tf.serving.export import check_version
from pcl_tf.store import alone, digest

FEWEST = 5  # labelled images, of which one is held out
Row = dict[str, Any]  # of ``result.json``


def finetune(
    encoder: Encoder,
    task: Task,
    options: Options,
    *,
    out: pathlib.Path,
    cache: pathlib.Path,
    about: Mapping[str, str | None],
) -> tuple[Row, pathlib.Path]:
    """Fine-tunes an encoder on a task, evaluates and exports it.

    Args:
      encoder, task, options: what is fine-tuned, on what, and how.
      out: folder of ``result.json``, tables, predictions, pictures, logs/, and a folder for each fine-tuning.
      cache: folder of features and decoded faces.
      about: {'data_terms', 'license'} as the user states them of the labelled images and the weights, None where not.

    Returns:
      (row of ``result.json``, path of the export).

    Raises:
      Refused: the encoder has no Keras form, the task no labels, another process is at the same fine-tuning, something else
        stands where the export is written, too few images of a fold are readable, or as of ``extract``.
      Stopped: by a signal; the same call resumes.
    """
    if encoder.keras_file is None:
        raise Refused(
            f"--model={encoder.name}: cannot be fine-tuned; a workdir or export of pcl_tf, or a .keras file, can."
        )
    if not KINDS[task.kind].labelled:
        raise Refused(
            f"--task={task.kind}: pairs have no labels to fine-tune by; a classification of who is on each image does."
        )
    for train, _ in task.splits[: options.folds or None]:
        teaching(task, train, part=options.labels, seed=options.seed)  # refuses too few labels early
    results = Results(out)
    (name,) = names([task], results.rows)
    of = digest(encoder.digest, task.digest, dataclasses.asdict(options))[:8]  # all that changes its numbers
    folder = out / f"{short(name)}-{options.feature}-{options.solver}-{of}"
    export = folder / "export/1"
    check_version(export)
    folder.mkdir(parents=True, exist_ok=True)
    busy = "another process is at this fine-tuning; wait for its end, or give another --seed or --out."
    with alone(folder / ".lock", Refused(f"{folder}: {busy}")):  # two would delete each other's states
        row = done(results.rows, folder.name, task)
        state(folder, **about)
        card = stated(folder)
        if row and (export / "saved_model.pb").is_file():
            print("done already: another --seed, or without this folder, does it again.", flush=True)
            if any(about.values()):  # else the card may have been edited by hand
                write_classifier_card(export, task.kind, task.names, size=task.image_size, row=row, about=card)
        else:
            values = extract(encoder, task.source, task.image_size, cache=cache)
            if note := left_out([*values.unreadable.values()], task.source.count):
                task = dataclasses.replace(task, notes=(*task.notes, f"{name}: {note}"))
            result, model = trained(read(encoder, task, values, cache), options, folder / "states")
            how = {"task": name, "feature": options.feature, "solver": options.solver, "seed": options.seed}
            row = new_row(encoder, task, result, images_encoded=values.encoded, run=folder.name, **how)
            last = linear.Linear(*model.get_layer(network.HEAD).get_weights())
            save_classifier(
                model,
                export.parent,
                head_of(row, task, last, encoder=""),
                recipe_json=json.dumps(encoder.recipe or {}),
                step=encoder.step,
                row=row,
                about=card,
            )
            results.add(row)  # before the files beside it, which may fail
            results.write_files(row, task, result, images=values.names)
        forget(folder)
    return row, export


def done(rows: Sequence[Row], run: str, task: Task) -> Row | None:
    """The row of a run; None unless its files are written and it has all groups of the task."""
    mine = (row for row in rows if row.get("run") == run and "pictures" in row)
    return next((row for row in mine if {*task.groups} <= {*row["groups"]}), None)


def forget(folder: pathlib.Path) -> None:
    """Removes the states of a fine-tuning that is evaluated and exported, with what killed processes left beside them."""
    shutil.rmtree(folder / "states", ignore_errors=True)


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


def read(encoder: Encoder, task: Task, values: Features, cache: pathlib.Path) -> Material:
    """``Material`` of a task whose features were extracted, decoded once in the life of the cache."""
    size, source = task.image_size, task.source
    images = decoded_faces(source, size, cache_dir=cache, max_unreadable_share=1.0, flag="--cache")["faces"]
    place = np.full(task.source.count, -1)
    encoded = np.setdiff1d(np.arange(task.source.count), list(values.unreadable))
    place[encoded] = np.arange(len(images))  # the rows that could not be encoded are those that could not be decoded
    return Material(encoder, task, images, place, values)


def trained(material: Material, options: Options, folder: pathlib.Path) -> tuple[Result, keras.Model]:
    """Fine-tunes on each fold and evaluates; raises as ``finetune``.

    The folder has a state for each fold; a call that was stopped resumes from it.

    Returns:
      (Result, keras.Model of the first fold: images to logits or targets).
    """
    task, good = material.task, material.place >= 0
    folds = readable(task, good, options.folds or None)
    parts, protocols, taught, first = [], [], 0, None
    for number, (train, test) in enumerate(folds):
        if len(folds) > 1:
            print(f"fold {number + 1} of {len(folds)}", flush=True)
        teach, held = teaching(task, train, part=options.labels, seed=options.seed)
        model, losses = _fold(material, options, folder / f"fold{number}", teach=teach, held=held)
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


def _fold(
    material: Material, options: Options, folder: pathlib.Path, *, teach: np.ndarray, held: np.ndarray
) -> tuple[keras.Model, list[float]]:
    task, kind, x = material.task, KINDS[material.task.kind], material.values[options.feature]
    labels = cast(np.ndarray, task.labels)
    low, span = kind.scale(labels[teach])
    if kind.classes(labels) is None:
        labels = ((labels - low) / span).astype(np.float32)

    def build() -> keras.Model:
        trunk, layer = load_keras(cast(pathlib.Path, material.encoder.keras_file)), None
        if not options.from_scratch:
            # The probe's, solved on features of the encoder as it was, so that training starts where linear evaluation
            # ends and no statistic of a BatchNorm changes meanwhile.
            print(f"the last layer on frozen features of {len(teach)} images", flush=True)
            layer, _ = linear.fit(
                task.kind,
                x[teach],
                labels[teach],
                solver="lbfgs",
                seed=options.seed,
                subjects=_people(task, teach),
                classes=len(task.names),
            )
        print(f"all layers on {len(teach)} images, {len(held)} held out", flush=True)
        head = cast("linear.Linear | None", layer)  # L-BFGS solves one
        return network.build(trunk, task, options.feature, head=head, seed=options.seed)

    lesson = fit.Lesson(
        material.images,
        labels[material.place >= 0],  # in the order of the images
        teach=material.place[teach],
        held=material.place[held],
        loss=network.LOSSES[kind.activation](),
    )
    model, losses = fit.train(build, lesson, folder, options)
    network.rescale(model, low, span)
    return model, losses
