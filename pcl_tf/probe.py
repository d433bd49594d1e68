"""Measures frozen encoders the way section 4 of the paper does.

  python -m pcl_tf.probe --model=runs/vox64 --task=generated_expression,generated_pose --feature=face_aware,face
  python -m pcl_tf.probe --model=runs/vox64/export/1000 --task=fer2013 --data=corpora --solver=adam
  python -m pcl_tf.probe --model=hog --task=classification:faces.csv --image_size=100

Every image is encoded once per model and kept in --cache. Exit codes: 0 done; 2 a flag, a model or the data is wrong;
4 the disk is full; 130 and 143 stopped by Ctrl-C and SIGTERM: what was encoded is kept, and the same command goes on.
"""

import dataclasses
import pathlib
import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from absl import flags

from pcl_tf.choices import FEATURES, ROLES
from pcl_tf.console import begin, explained, refuse, side_in_pixels, start
from pcl_tf.evaluation.corpora import CORPORA
from pcl_tf.evaluation.task import KINDS, Task

if TYPE_CHECKING:
    from pcl_tf.encoders.encoder import Encoder

_MODEL = flags.DEFINE_list(
    "model", None, "SavedModel, workdir of pcl_tf.train, .keras file, or pixels, lbp, hog; commas join several."
)
_TASK = flags.DEFINE_list(
    "task",
    None,
    f"NAME or NAME:PATH; commas join several. Corpora: {', '.join(CORPORA)}. Own data by a CSV manifest: {', '.join(KINDS)}."
    f" Without data: {', '.join(f'generated_{role}' for role in ROLES)}.",
)
_DATA = flags.DEFINE_string("data", "", "Folder of the corpus, or of several in folders named as the tasks.")
flags.DEFINE_alias("data_dir", "data")
_FEATURE = flags.DEFINE_list("feature", ["face_aware"], "face_aware, face, pose, face+pose; commas join several.")
_SOLVER = flags.DEFINE_enum(
    "solver",
    "lbfgs",
    ("lbfgs", "adam", "knn"),
    "lbfgs: to convergence, L2 chosen on a fifth of the training images."
    " adam: the paper's 300 epochs, last epoch reported. knn: the 20 nearest training images by cosine.",
)
_SIZE = flags.DEFINE_integer(
    "image_size",
    0,
    "Side in pixels; 0 is the paper's for corpora, 64 for generated faces and manifests.",
    lower_bound=0,
)
side_in_pixels("image_size")
_TARGETS = flags.DEFINE_list(
    "targets", [], "Columns of a manifest to predict; by default label, or all but path, split, subject, group, fold .."
)
_GROUPS = flags.DEFINE_list(
    "groups", [], "Columns of a manifest, such as age,gender, by which errors are told too, beside its column group."
)
_CENTRE = flags.DEFINE_float(
    "centre", 1.0, "Side of the central square, of the photograph's shorter side.", lower_bound=0.05, upper_bound=1.0
)
_ANY_COUNT = flags.DEFINE_bool("any_count", False, "Takes the images that are there, though the corpus has others.")
_SEED = flags.DEFINE_integer("seed", 0, "Of the probe and of the bootstrap.", 0, 10**6)
_OUT = flags.DEFINE_string(
    "out",
    "",
    "Folder of results, tables, predictions, pictures, probes, logs; by default probe/ in the model's workdir.",
)
_CACHE = flags.DEFINE_string("cache", "", "Folder of the features; by default features/ in --out.")
_SAVE = flags.DEFINE_bool("save_probes", True, "Writes each trained probe as a .keras model from image to label.")


def run(
    encoders: "Sequence[Encoder]",
    tasks: Sequence[Task],
    features: Sequence[str],
    *,
    solver: str,
    seed: int,
    out: pathlib.Path,
    cache: pathlib.Path,
    save: bool,
) -> list[dict[str, Any]]:
    """Probes every model on every task with every feature.

    Args:
      encoders: list of ``pcl_tf.encoders.encoder.Encoder``.
      tasks: list of ``Task``.
      features: names; of baselines, which have one, it is used for all.
      solver, seed: of the probes.
      out: folder of results.
      cache: folder of features.
      save: whether the probes are saved as .keras models.

    Returns:
      list of dicts, as in ``result.json``, where each is added as soon as it is known. Those of all models but the first
      say how far they are from the first.

    Raises:
      Refused: an image, a model or a result of before cannot be used.
    """
    from pcl_tf.data.images import left_out
    from pcl_tf.encoders.features import extract
    from pcl_tf.encoders.stacked import stacked
    from pcl_tf.evaluation import report
    from pcl_tf.evaluation.differences import First
    from pcl_tf.evaluation.evaluate import evaluate
    from pcl_tf.evaluation.keeping import keep
    from pcl_tf.evaluation.linear import LABELS
    from pcl_tf.evaluation.names import all_names, naming
    from pcl_tf.evaluation.results import Results, file_stem
    from pcl_tf.store import atomic_path

    rows, results, first = [], Results(out), First(encoders[0].name, seed)
    names = results.name(tasks)
    print(report.table([]), flush=True)
    for encoder in encoders:
        for task, name in zip(tasks, names, strict=True):
            source, images = naming(task.source)
            values = extract(encoder, source, task.image_size, cache=cache)
            images = all_names(source, images, values.folder)
            if note := left_out([*values.unreadable.values()], task.source.count):
                task = dataclasses.replace(task, notes=(*task.notes, f"{name}: {note}"))
                print(f"note: {task.notes[-1]}", file=sys.stderr, flush=True)
            for i, feature in enumerate(features if len(values.keys) > 1 else ["face_aware"]):
                x = values[feature]
                result = evaluate(task, x, bad=values.unreadable, solver=solver, seed=seed)
                encoded = 0 if i else values.encoded
                row = report.result_row(
                    encoder, task, name=name, feature=feature, result=result, encoded=encoded, solver=solver, seed=seed
                )
                row.update(first.compared(task, name, feature, result=result, own=encoder is encoders[0]))
                rows.append(row)
                print(*report.table([row]).splitlines()[1:], sep="\n", flush=True)
                results.add(row)  # whatever becomes of the files beside it
                if save and result.layer and encoder.keras_file:
                    layer = result.layer.weights, result.layer.bias
                    model = stacked(encoder, feature, task.image_size, layer=layer, activation=LABELS[task.kind])
                    row["probe"] = f"{out / file_stem(row)}.keras"
                    with atomic_path(row["probe"]) as aside:
                        model.save(aside)
                assert result.scored is not None
                keep(results, row, task, scored=result.scored, images=images)
    return rows


def main(argv: list[str]) -> None:
    begin(argv, "model", "task")
    from pcl_tf.encoders.encoder import open_encoder, probe_folder
    from pcl_tf.evaluation.tasks import open_task
    from pcl_tf.store import check

    unknown = [f for f in _FEATURE.value if f not in FEATURES]
    if unknown:
        refuse(f"--feature={unknown[0]}: not one of {', '.join(FEATURES)}.")
    assert _MODEL.value is not None and _TASK.value is not None
    out = pathlib.Path(_OUT.value or probe_folder(_MODEL.value[0]))
    cache = pathlib.Path(_CACHE.value or out / "features")
    with explained(out):
        check(out, "--out", folder=True)
        check(cache, "--cache", folder=True)
        encoders = [open_encoder(text) for text in _MODEL.value]
        options: dict[str, Any] = {"targets": _TARGETS.value, "groups": _GROUPS.value}
        options |= {"centre": _CENTRE.value, "any_count": _ANY_COUNT.value}
        tasks = [open_task(text, _DATA.value, _SIZE.value, **options) for text in _TASK.value]
        if _SOLVER.value == "knn" and (pairs := next((t.name for t in tasks if t.kind == "verification"), None)):
            refuse(
                f"--solver=knn: {pairs} compares pairs by cosine, nobody's label is taken of neighbours; leave it out."
            )
        for note in dict.fromkeys(note for task in tasks for note in task.notes):
            print(f"note: {note}", file=sys.stderr)
        run(
            encoders,
            tasks,
            _FEATURE.value,
            solver=_SOLVER.value,
            seed=_SEED.value,
            out=out,
            cache=cache,
            save=_SAVE.value,
        )
    print(
        f"\n{out / 'result.json'} holds everything, tables.md shows it; tensorboard --logdir={shlex.quote(str(out / 'logs'))} shows it."
    )


if __name__ == "__main__":
    start(main)
