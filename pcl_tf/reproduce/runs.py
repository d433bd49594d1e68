"""The pre-training runs and probes a table needs: each done once, continued where it stopped."""

import json
import pathlib
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from pcl_tf import recipe as recipes
from pcl_tf.errors import Refused
from pcl_tf.evaluation.evaluate import evaluate
from pcl_tf.evaluation.features import extract
from pcl_tf.evaluation.models import open_encoder
from pcl_tf.evaluation.results import short
from pcl_tf.evaluation.task import Task
from pcl_tf.recipe_method import applying
from pcl_tf.store import read_json, write_atomically


class RunFailed(RuntimeError):
    """A pre-training run ended with an error. Args: what ran, its exit code."""


class Runs:
    """Pre-trains and probes below one folder.

    Args:
      folder: runs, features and results are kept here.
      recipe: NAME or NAME:ARG of the recipe whose further arguments are the variants.
      source: faces to pre-train on, as for ``--data`` of pcl_tf.train.
      steps: {variant: total steps}, equal budgets.
      overrides: 'KEY=VALUE' of the recipe, for the variants whose method knows the key.
      flags: further flags of pcl_tf.train.
      solver: of the probes.
    """

    def __init__(
        self,
        folder: str | pathlib.Path,
        recipe: str,
        *,
        source: str,
        steps: Mapping[str, int],
        overrides: Iterable[str] = (),
        flags: Iterable[str] = (),
        solver: str = "lbfgs",
    ) -> None:
        self.folder, self.recipe, self.source = pathlib.Path(folder), recipe, source
        self.steps, self.overrides, self.flags, self.solver = steps, list(overrides), list(flags), solver

    def workdir(self, variant: str, seed: int) -> pathlib.Path:
        """Folder of a pre-training run."""
        return self.folder / "runs" / f"{variant or 'pcl'}-{seed}"

    def pretrained(self, variant: str, seed: int) -> pathlib.Path:
        """Workdir of a finished run; trained first, or further, where it is not finished.

        Raises:
          Refused: the workdir is of another recipe, other data or another precision than are asked for now.
          RunFailed: pcl_tf.train ended with an error.
        """
        workdir, steps = self.workdir(variant, seed), self.steps[variant]
        argument = "" if variant in ("", "untrained") else (("," if ":" in self.recipe else ":") + variant)
        name = f"{self.recipe}{argument}"
        own = applying(self.overrides, recipes.flatten(recipes.named(name)))  # a key of PCL's means nothing to MoCo
        result = read_json(workdir / "result.json")  # {} of a run that is not finished
        if (workdir / "recipe.json").exists():
            asked = [*own, f"seed={seed}", f"total_steps={steps}", f"data.source={self.source}"]
            self._same(workdir, recipes.resolve(recipes.named(name, overrides=asked)), result)
        if result.get("step") == steps:
            return workdir
        print(f"pre-training {workdir.name}: {steps} steps", flush=True)
        command = [sys.executable, "-m", "pcl_tf.train", f"--recipe={name}", f"--workdir={workdir}"]
        command += [f"--data={self.source}", f"--recipe.seed={seed}", f"--recipe.total_steps={steps}"]
        command += [f"--recipe.data.cache={self.folder / 'cache'}", *(f"--recipe.{text}" for text in own), *self.flags]
        code = _call(command)
        if code:
            raise RunFailed(workdir.name, code)
        return workdir

    def _same(self, workdir: pathlib.Path, asked: ConfigDict, result: Mapping[str, Any]) -> None:
        """Raises Refused where a workdir was trained by other settings than are asked for: its numbers are not theirs."""
        made = recipes.load(workdir / "recipe.json")
        changed = recipes.differences(asked, made)
        if made.data.source != asked.data.source:
            changed.append(f"data.source: {made.data.source} -> {asked.data.source}")
        precisions = [flag.removeprefix("--precision=") for flag in self.flags if flag.startswith("--precision=")]
        before = result.get("precision")
        changed += [f"precision: {before} -> {now}" for now in precisions if before not in (None, now)]
        if changed:
            raise Refused(
                f"{workdir} was pre-trained by other settings:\n  "
                + "\n  ".join(changed)
                + "\nGive another --workdir, or the settings it was made with."
            )

    def result(self, model: str, seed: int, task: Task, *, feature: str) -> dict[str, Any]:
        """What a probe of a row's model finds: {'value', 'interval', 'detail', 'metric', 'counts'}, cached.

        Args:
          model: 'lbp', 'hog', 'pixels', or a variant.
          seed: of pre-training and of the probe.
          task: ``Task``.
          feature: of the encoder; baselines have one.
        """
        trained = model in self.steps
        encoder = open_encoder(str(self.pretrained(model, seed)) if trained else model)
        # The task by all it asks: labels that were mended are another question. v3: what a result holds, and F1's folds.
        key = f"{encoder.digest}-{short(task.name)}-{task.digest}-{feature}-{self.solver}-{seed}-v3"
        path = self.folder / "probes" / f"{key}.json"
        if path.exists():
            return json.loads(path.read_text())
        values = extract(encoder, task.source, task.image_size, cache=self.folder / "features")
        result = evaluate(
            task, values[feature if trained else "face_aware"], bad=values.bad, solver=self.solver, seed=seed
        )
        row = {"model": str(encoder.name), "images_encoded": values.encoded, **result.as_json()}
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


def over_seeds(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Mean, spread and mean interval of one probe over seeds.

    Args:
      results: list of what ``Runs.result`` returns.

    Returns:
      {'values', 'mean', 'std' (of the seeds, None for one), 'interval', 'detail'}.

    Raises:
      Refused: there is none.
    """
    if not results:
        raise Refused("no seeds were given.")
    values, details = np.array([v["value"] for v in results]), [v["detail"] for v in results]
    return {
        "metric": results[0]["metric"],
        "values": values.tolist(),
        "mean": float(values.mean()),
        "std": float(values.std(ddof=1)) if len(values) > 1 else None,
        "interval": np.mean([v["interval"] for v in results], axis=0).tolist(),
        # Of one seed a label may have no F1, where nothing was said of it.
        "detail": {k: float(np.mean([d[k] for d in details if k in d])) for d in details for k in d},
    }


def paired(values: Sequence[float], reference: Sequence[float]) -> tuple[float, float | None] | None:
    """Mean and standard deviation of the differences seed by seed, or None where the seeds do not pair."""
    if len(values) != len(reference):
        return None
    differences = np.array(values) - np.array(reference)
    return float(differences.mean()), (float(differences.std(ddof=1)) if len(differences) > 1 else None)
