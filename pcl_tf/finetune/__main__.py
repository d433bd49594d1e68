"""Fine-tunes an encoder on labelled faces and exports it, from image files to labels.

  python -m pcl_tf.finetune --model=runs/vox64 --task=classification:faces.csv
  python -m pcl_tf.finetune --model=runs/vox64 --task=classification:faces.csv --labels=0.1 --from_scratch

First the last layer on frozen features, solved as the probe's is, then all layers at a lower rate, until a fifth of the
training images that is held out gets no better. Evaluates as the probe does, into result.json in --out. Exit codes:
0 done; 2 a flag, a model or the data is wrong; 4 the disk is full; 129, 130 and 143 stopped by SIGHUP, Ctrl-C and SIGTERM:
the best weights are kept, and the same command goes on after the last whole epoch.
"""

import dataclasses
import pathlib
import sys
from typing import Any

from absl import flags

from pcl_tf.choices import FEATURES
from pcl_tf.console import begin, detecting, explained, start, task_flags

_MODEL = flags.DEFINE_string("model", "", "heads64, faces64, workdir of pcl_tf.train, an export, or a .keras file.")
_TASK = flags.DEFINE_string("task", "", "NAME or KIND:MANIFEST.csv, as of pcl_tf.probe; KIND is not verification.")
_OPENED = task_flags()
_DETECTED = detecting("Finds the faces of the pictures first (by MTCNN); the largest of each is taken.")
_FEATURE = flags.DEFINE_enum("feature", "face_aware", FEATURES, "What the last layer sees.")
flags.DEFINE_float("labels", 1.0, "Share of the training labels that is used, for instance 0.01.")
_SCRATCH = flags.DEFINE_bool(
    "from_scratch", False, "Draws the encoder's weights anew: the same network, never trained."
)
flags.DEFINE_integer("epochs", 50, "Most epochs of all layers; 0 trains the last layer alone.", 0)
flags.DEFINE_integer("patience", 5, "Epochs without a better held-out loss that end it.", 1)
flags.DEFINE_integer("batch_size", 64, "Images a step.", 1, 4096)
_RATE = flags.DEFINE_float("rate", None, "Learning rate of all layers; by default 1e-4, from scratch 1e-3.")
flags.DEFINE_bool("flip", False, "Mirrors training images at random: where left and right mean nothing.")
flags.DEFINE_integer("folds", 0, "How many of a task's folds are trained and evaluated; 0 is all.", 0)
flags.DEFINE_integer("seed", 0, "Of the share of labels, the order and the drawn weights.", 0, 10**6)
_OUT = flags.DEFINE_string("out", "", "Folder of results and exports; by default finetune/ in the model's workdir.")
_CACHE = flags.DEFINE_string(
    "cache", "", "Folder of features and decoded faces; by default the probe's in the model's workdir, or below --out."
)
_LICENSE = flags.DEFINE_string("license", None, "For the model card: identifier of the weights' licence.")
_TERMS = flags.DEFINE_string("data_terms", None, "For the model card: under which terms the labelled images were used.")
for name in ("labels", "rate"):
    flags.register_validator(name, lambda v: v is None or 0 < v <= 1, "above 0 and at most 1 is needed")


def main(argv: list[str]) -> int:
    begin(argv, "model", "task")
    from pcl_tf.encoders.encoder import find_encoder, probe_folder
    from pcl_tf.evaluation.tasks import open_task
    from pcl_tf.store import check

    how = _DETECTED()
    with explained(_OUT.value or _MODEL.value):
        load, probed = find_encoder(_MODEL.value), probe_folder(_MODEL.value)
        out = pathlib.Path(_OUT.value or probed.parent / "finetune")
        check(out, "--out", folder=True)
        cache = pathlib.Path(_CACHE.value or (out if _OUT.value else probed) / "features")
        check(cache, "--cache" if _CACHE.value else "--out" if _OUT.value else "--model", folder=True)
        task = open_task(_TASK.value, **_OPENED())
        encoder = load()  # imports TensorFlow, so only after the checks
        from pcl_tf.errors import Stopped
        from pcl_tf.faces.tasks import of_faces
        from pcl_tf.finetune import run
        from pcl_tf.finetune.fit import Options
        from pcl_tf.results import table

        values: dict[str, Any] = {field.name: flags.FLAGS[field.name].value for field in dataclasses.fields(Options)}
        # Layers that are drawn learn at the paper's rate; those that are pre-trained move slower.
        values["rate"] = _RATE.value or (1e-3 if _SCRATCH.value else 1e-4)
        options = Options(**values)
        task = of_faces(task, [encoder], **how)
        for note in task.notes:
            print(f"note: {note}", file=sys.stderr)
        about = {"license": _LICENSE.value, "data_terms": _TERMS.value}
        try:
            row, export = run.finetune(encoder, task, options, out=out, cache=cache, about=about)
        except Stopped as stopped:
            number, folder = stopped.args
            print(f"The best weights so far are in {folder}; the same command goes on.", flush=True)
            return 128 + number
        print(f"\n{table.text([row])}\n\n{export}")
        if options.epochs and not row["protocol"]["best_epoch"]:
            print("No epoch was better than the start: the export is the encoder as it came, with its last layer.")
    return 0


if __name__ == "__main__":
    start(main)
