"""Every model on every task with every feature: the work of ``pcl_tf.probe``."""

import dataclasses
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pcl_tf.data.images import left_out
from pcl_tf.encoders.encoder import Encoder
from pcl_tf.encoders.features import extract
from pcl_tf.encoders.head import attach
from pcl_tf.encoders.stacked import stacked
from pcl_tf.evaluation.evaluate import Result, difference, evaluate
from pcl_tf.evaluation.kinds import KINDS
from pcl_tf.evaluation.task import Task
from pcl_tf.results import table
from pcl_tf.results.store import Results, file_stem, head_of, names, new_row
from pcl_tf.store import atomic_path


def probe(
    encoders: Sequence[Encoder],
    tasks: Sequence[Task],
    features: Sequence[str],
    *,
    solver: str,
    seed: int,
    out: pathlib.Path,
    cache: pathlib.Path,
) -> list[dict[str, Any]]:
    """Probes every model on every task with every feature, and prints each result; baselines have one feature for all.

    Args:
      solver, seed: of the probes.
      out: folder of results, and of the probes as .keras models where the encoder has such a form.
      cache: folder of features.

    Returns:
      rows as in ``result.json``, where each is added as soon as it is known. Those of all models but the first have the
      difference to the first.

    Raises:
      Refused: an image, a model or a ``result.json`` cannot be used.
    """
    rows, results = [], Results(out)
    first: dict[str, dict[str, Result]] = {}  # of the first model, by task and feature
    reported = names(tasks, results.rows)
    print(table.text([]), flush=True)
    for encoder in encoders:
        for task, name in zip(tasks, reported, strict=True):
            values = extract(encoder, task.source, task.image_size, cache=cache)
            if note := left_out([*values.unreadable.values()], task.source.count):
                task = dataclasses.replace(task, notes=(*task.notes, f"{name}: {note}"))
                print(f"note: {task.notes[-1]}", file=sys.stderr, flush=True)
            for i, feature in enumerate(features if len(values.keys) > 1 else ["face_aware"]):
                result = evaluate(task, values[feature], bad=values.unreadable, solver=solver, seed=seed)
                if (why := result.protocol.get("not_learnt")) and not i:
                    task = dataclasses.replace(task, notes=(*task.notes, f"{name}: {why}."))
                    print(f"note: {task.notes[-1]}", file=sys.stderr, flush=True)
                how = {"task": name, "feature": feature, "solver": solver, "seed": seed}
                row = new_row(encoder, task, result, images_encoded=0 if i else values.encoded, **how)
                if encoder is encoders[0]:
                    first.setdefault(name, {})[feature] = result
                elif other := _same_feature(first[name], feature):
                    row["difference"] = {"to": encoders[0].name, **difference(task, result, other, seed)}
                rows.append(row)
                print(table.text([row], header=False), flush=True)
                results.add(row)  # before the files beside it, which may fail
                layer = (result.learnt or result).layer
                if layer and encoder.keras_file:
                    weights, activation = (layer.weights, layer.bias), KINDS[task.kind].activation
                    model = stacked(encoder, feature, task.image_size, layer=weights, activation=activation)
                    row["probe"] = f"{out / file_stem(row)}.keras"
                    with atomic_path(row["probe"]) as aside:
                        model.save(aside)
                        attach(head_of(row, task, layer, encoder=encoder.digest), aside)
                results.write_files(row, task, result, images=values.names)
    return rows


def _same_feature(first: Mapping[str, Result], feature: str) -> Result | None:
    """What a feature is compared with: the same of the first model, or the only one of a baseline."""
    return next(iter(first.values())) if len(first) == 1 else first.get(feature)
