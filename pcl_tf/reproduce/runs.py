"""The pre-training runs and probes of a table: one whose file exists is done, a run that was stopped resumes."""

import dataclasses
import json
import pathlib
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pcl_tf import recipe as recipes
from pcl_tf.encoders.encoder import open_encoder
from pcl_tf.encoders.features import extract
from pcl_tf.errors import Refused, Stopped
from pcl_tf.evaluation.evaluate import evaluate
from pcl_tf.evaluation.task import Task
from pcl_tf.methods.build import encoder_passes
from pcl_tf.store import digest, read_json, write_atomically


def equal_steps(recipe: str, variants: Iterable[str], overrides: Sequence[str], *, steps: int = 0) -> dict[str, int]:
    """{variant: steps} that give every variant as many encoder passes as full PCL, of 'untrained' 0.

    Variants are arguments of the recipe; '' is full PCL and among them, its steps are these, or the recipe's.
    """
    named = {v: recipes.named(recipe, v) for v in variants}
    resolved = {v: recipes.resolve(recipes.override(c, recipes.applying(overrides, c))) for v, c in named.items()}
    passes = (steps or resolved[""].total_steps) * encoder_passes(resolved[""])
    return {v: passes // encoder_passes(c) for v, c in resolved.items()} | {"untrained": 0}


@dataclasses.dataclass(frozen=True)
class Runs:
    """Pre-trains and probes below one folder."""

    folder: pathlib.Path  # runs, features and results are in it
    recipe: str  # NAME or NAME:ARG of the recipe whose further arguments are the variants
    source: str  # faces to pre-train on, as for ``--data`` of pcl_tf.train
    steps: Mapping[str, int]  # {variant: total steps}, of ``equal_steps``
    overrides: Sequence[str] = ()  # 'KEY=VALUE' of the recipe, for the variants whose method knows the key
    precision: str = "float32"  # of pre-training
    solver: str = "lbfgs"  # of the probes

    def workdir(self, variant: str, seed: int) -> pathlib.Path:
        """Folder of a pre-training run."""
        return self.folder / "runs" / f"{variant or 'pcl'}-{seed}"

    def pretrained(self, variant: str, seed: int) -> pathlib.Path:
        """Workdir of a finished run; trained first, or further, where it is not finished.

        Raises:
          Refused: the workdir has another recipe, other data or another precision.
          Stopped: pcl_tf.train ended with an error.
        """
        workdir, steps = self.workdir(variant, seed), self.steps[variant]
        argument = variant.removeprefix("untrained")
        keys = recipes.applying(self.overrides, recipes.named(self.recipe, argument))
        keys += [f"seed={seed}", f"total_steps={steps}"]
        result = read_json(workdir / "result.json")  # {} of a run that is not finished
        if (workdir / "recipe.json").exists():
            asked = recipes.resolve(recipes.named(self.recipe, argument, [*keys, f"data.source={self.source}"]))
            made, precision = recipes.load(workdir / "recipe.json"), result.get("precision", self.precision)
            both = (("data.source", made.data.source, self.source), ("precision", precision, self.precision))
            if changed := recipes.differences(asked, made) + [f"{k}: {a} -> {b}" for k, a, b in both if a != b]:
                raise Refused(
                    "\n  ".join([f"{workdir} was pre-trained with other settings:", *changed])
                    + "\nGive another --workdir, or those settings."
                )
        if result.get("step") == steps:
            return workdir
        print(f"pre-training {workdir.name}: {steps} steps", flush=True)
        name = f"{self.recipe}{',' if ':' in self.recipe else ':'}{argument}" if argument else self.recipe
        command = [sys.executable, "-m", "pcl_tf.train", f"--recipe={name}", f"--workdir={workdir}"]
        command += [f"--data={self.source}", f"--recipe.data.cache={self.folder / 'cache'}"]
        command += [f"--precision={self.precision}", *(f"--recipe.{text}" for text in keys)]
        if code := _call(command):
            raise Stopped(f"pre-training {workdir.name} ended with exit code {code}; see what it printed.")
        return workdir

    def result(self, model: str, seed: int, task: Task, *, feature: str) -> dict[str, Any]:
        """The probe of a row's model, {'value', 'interval', 'detail', 'metric', ..}; read if an earlier call wrote it.

        The model is 'lbp', 'hog', 'pixels', of which each has one feature, or a variant; seed: of pre-training and probe.
        """
        trained = model in self.steps
        encoder = open_encoder(str(self.pretrained(model, seed)) if trained else model)
        # The task by all of it: labels that were mended are another question.
        name = digest(encoder.digest, task.name, task.digest, feature, self.solver, seed)
        path = self.folder / "probes" / f"{name}.json"
        if row := read_json(path):
            return row
        features = extract(encoder, task.source, task.image_size, cache=self.folder / "features")
        chosen = features[feature if trained else "face_aware"]
        result = evaluate(task, chosen, bad=features.unreadable, solver=self.solver, seed=seed)
        row = {"model": str(encoder.name), "images_encoded": features.encoded, **result.as_json()}
        write_atomically(path, json.dumps(row, indent=1))
        return row


def _call(command: list[str]) -> int:
    """Runs a command to its end; a signal that stops us stops it first, and waits until it has saved."""
    child = subprocess.Popen(command)
    try:
        return child.wait()
    except BaseException:
        child.send_signal(signal.SIGTERM)
        child.wait()
        raise
