"""Measures frozen encoders the way section 4 of the paper does.

  python -m pcl_tf.probe --model=runs/vox64 --task=generated_expression,generated_pose --feature=face_aware,face
  python -m pcl_tf.probe --model=runs/vox64/export/1000 --task=fer2013 --data=corpora --solver=adam
  python -m pcl_tf.probe --model=hog --task=classification:faces.csv --image_size=100

Every image is encoded once per model and kept in --cache. Exit codes: 0 done; 2 a flag, a model or the data is wrong;
4 the disk is full; 130 and 143 stopped by Ctrl-C and SIGTERM: what was encoded is kept, and the same command goes on.
"""

import pathlib
import shlex
import sys

from absl import flags

from pcl_tf.choices import FEATURES, ROLES, SOLVERS
from pcl_tf.console import begin, detecting, explained, refuse, start, task_flags
from pcl_tf.evaluation.corpora import CORPORA
from pcl_tf.evaluation.kinds import KINDS

_MODEL = flags.DEFINE_string(
    "model",
    "",
    "heads64, faces64, SavedModel, workdir of pcl_tf.train, .keras file, or pixels, lbp, hog; commas join several.",
)
_TASK = flags.DEFINE_string(
    "task",
    "",
    f"NAME or NAME:PATH; commas join several. Without data: {', '.join(f'generated_{role}' for role in ROLES)}. Own data by"
    f" a CSV manifest: {', '.join(KINDS)}. Corpora, with their files below --data or its folder of the corpus' name: "
    + "; ".join(f"{name}: {corpus.layout}" for name, corpus in CORPORA.items()),
)
_OPENED = task_flags()
_DETECTED = detecting("Finds the faces of the pictures first (by MTCNN); the largest of each is taken.")
_FEATURE = flags.DEFINE_list("feature", ["face_aware"], f"{', '.join(FEATURES)}; commas join several.")
_SOLVER = flags.DEFINE_enum(
    "solver",
    "lbfgs",
    SOLVERS,
    "lbfgs: to convergence, L2 chosen on a fifth of the training images."
    " adam: the paper's 300 epochs, last epoch reported. knn: the 20 nearest training images by cosine.",
)
_CENTRE = flags.DEFINE_float("centre", 1.0, "Side of the central square, of the photograph's shorter side.", 0.05, 1.0)
_SEED = flags.DEFINE_integer("seed", 0, "Of the probe and of the bootstrap.", 0, 10**6)
_OUT = flags.DEFINE_string(
    "out",
    "",
    "Folder of results, tables, predictions, pictures, probes, logs; by default probe/ in the model's workdir.",
)
_CACHE = flags.DEFINE_string("cache", "", "Folder of the features; by default features/ in --out.")


def main(argv: list[str]) -> None:
    begin(argv, "model", "task")
    from pcl_tf.encoders.encoder import find_encoder, probe_folder
    from pcl_tf.evaluation.tasks import open_task
    from pcl_tf.store import check, several

    how = _DETECTED()
    if unknown := [f for f in _FEATURE.value if f not in FEATURES]:
        refuse(f"--feature={unknown[0]}: not one of {', '.join(FEATURES)}.")
    models, named = several(_MODEL.value), several(_TASK.value)
    out = pathlib.Path(_OUT.value or probe_folder(models[0]))
    cache = pathlib.Path(_CACHE.value or out / "features")
    with explained(out):
        check(out, "--out", folder=True)
        check(cache, "--cache", folder=True)
        found = [find_encoder(text) for text in models]
        tasks = [open_task(text, centre=_CENTRE.value, **_OPENED()) for text in named]
        encoders = [load() for load in found]  # imports TensorFlow, so only after the checks
        from pcl_tf.faces.tasks import of_faces
        from pcl_tf.results.probing import probe

        tasks = [of_faces(task, encoders, **how) for task in tasks]
        for note in dict.fromkeys(note for task in tasks for note in task.notes):
            print(f"note: {note}", file=sys.stderr)
        rows = probe(encoders, tasks, _FEATURE.value, out=out, cache=cache, solver=_SOLVER.value, seed=_SEED.value)
    print(
        f"\n{out / 'result.json'} holds everything, tables.md shows it; tensorboard --logdir={shlex.quote(str(out / 'logs'))} shows it."
    )
    if made := [row["probe"] for row in rows if row.get("probe") and KINDS[row["kind"]].labelled]:
        finding = "".join(f" --{name}" for name, on in how.items() if on)
        print(
            f"On new pictures: python -m pcl_tf.predict --model={shlex.quote(made[0])} --data=PICTURES --out=a.csv{finding}"
        )


if __name__ == "__main__":
    start(main)
