"""All that TensorBoard shows of a run, and the table and picture beside it: curves, recipe, reconstructions, probes."""

import csv
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from ml_collections import ConfigDict

from pcl_tf import recipe as recipes
from pcl_tf.data.faces import Faces
from pcl_tf.drawing import png
from pcl_tf.errors import Refused
from pcl_tf.evaluation import generated
from pcl_tf.evaluation.online import OnlineProbe
from pcl_tf.evaluation.task import Task
from pcl_tf.methods.base import Method
from pcl_tf.methods.build import images_per_step
from pcl_tf.store import atomic_path, write_atomically
from pcl_tf.tables import markdown
from pcl_tf.training import sheet
from pcl_tf.training.callbacks import Eta, Every
from pcl_tf.training.checkpoints import Checkpoints
from pcl_tf.training.workdir import Workdir

# By the tag, or by what it begins with and a slash: what it is, and which way is good. Losses and logs of a method are
# described where they are declared.
DESCRIPTIONS = {
    "loss/total": "What is minimised: all losses with their weights. Falls; dynamic weights move it too.",
    "train/gradient_norm": "Norm of all gradients before clipping. Even is good; jumps come before a loss that is not finite.",
    "train/learning_rate": "Of Adam, as it was at the step.",
    "train/images_per_second": "Images of the global batch a second, over the steps since the last point. High is good.",
    "knn": "Share of labelled faces that their ten nearest neighbours name rightly, by a feature. High is good.",
    "ridge": "A linear probe in closed form on the labelled set: accuracy or F1, high is good; of angles their error, low is.",
    "verification": "Share of labelled pairs classified rightly, the threshold from other folds. Above 0.5, high is good.",
    "reconstructions": "What the networks make of faces: the image and its reconstructions, with the mirror's pose too; of"
    " methods of pairs the two frames, the flow between them, and the one warped to the other.",
}


def description(tag: str) -> str | None:
    """The meaning of a tag, or None."""
    return DESCRIPTIONS.get(tag) or DESCRIPTIONS.get(tag.partition("/")[0])


def recipe_table(recipe: ConfigDict) -> str:
    """A recipe as a Markdown table, beside the paper's values where these are others; a key that PCL lacks has none."""
    from recipes import common

    paper = recipes.flatten(common.base())
    values = recipes.flatten(recipe).items()
    rows = [[f"`{key}`", value, "" if paper.get(key, value) == value else paper[key]] for key, value in values]
    return markdown(["key", "value", "the paper's, where it is another"], rows)


class Metrics:
    """The curves of a run as a table: for each step at which numbers are logged ``step``, ``epoch`` from 1 on, and the numbers.

    It is written with each checkpoint, since a run that was killed logs again what comes after the one from which it resumes.

    Args:
      path: of the CSV, in which the field of a number that was not measured is empty.
      step: at which the run begins or resumes; later rows of the file are dropped.
      epoch_steps: steps of an epoch.

    Raises:
      Refused: the file is no table of steps.
    """

    def __init__(self, path: pathlib.Path, step: int, epoch_steps: int) -> None:
        self.path, self.epoch_steps = path, epoch_steps
        self.rows: dict[int, dict[str, str]] = {}
        if not path.exists():
            return
        try:
            with open(path, newline="", encoding="utf-8") as f:
                rows = list(csv.DictReader(f, strict=True))
            if any(None in row for row in rows):
                raise ValueError("more fields than columns")
            self.rows = {int(row["step"]): row for row in rows if int(row["step"]) <= step}
        except (KeyError, TypeError, ValueError, csv.Error) as error:  # a spreadsheet may have written it
            raise Refused(f"{path}: is no longer as a run left it; move it away, and a new one begins.") from error

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Adds numbers to the row of a step."""
        row = self.rows.setdefault(step, {"step": str(step), "epoch": str((step - 1) // self.epoch_steps + 1)})
        row |= {name: f"{value:.7g}" for name, value in values.items()}

    def write(self) -> None:
        """Writes all rows."""
        columns = dict.fromkeys(["step", "epoch", *(name for row in self.rows.values() for name in row)])
        with atomic_path(self.path) as aside, open(aside, "w", newline="", encoding="utf-8") as f:
            out = csv.DictWriter(f, columns, restval="", lineterminator="\n")
            out.writeheader()
            out.writerows(self.rows.values())


class Scalars(keras.callbacks.Callback):
    """Every logged number, averaged over ``every`` steps, and images per second, batch a step: for TensorBoard and ``metrics.csv``.

    Leaves the progress bar, which comes after it in the list of callbacks, the losses and accuracies alone: of the step
    while it runs, their means at the end of an epoch.
    """

    def __init__(self, writer: tf.summary.SummaryWriter, every: int, batch: int, metrics: Metrics) -> None:
        super().__init__()
        self.writer, self.every, self.batch, self.metrics = writer, every, batch, metrics
        self.rows: list[dict[str, float]] = []  # since the last point
        self.epoch: list[dict[str, float]] = []
        self.start: float | None = None
        self.last: dict[str, float] = {}

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs.clear()
        logs.update(_means(self.epoch))

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.start = self.start or time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        assert self.start is not None
        self.rows.append({k: float(v) for k, v in logs.items()})
        rate = len(self.rows) * self.batch / (time.perf_counter() - self.start)
        step = int(self.model.step.numpy())
        if step % self.every == 0:
            self.last = {**_means(self.rows), "images_per_second": rate}
            with self.writer.as_default(step):
                for k, v in self.last.items():
                    text = self.model.descriptions.get(k) or description(_tag(k))
                    tf.summary.scalar(_tag(k), v, description=text)
            self.writer.flush()
            self.metrics.add(step, self.last)
            self.rows, self.start = [], None
        for k in list(logs):
            if not (k.startswith("loss") or k.endswith("_accuracy")):  # the bar has room for these, whatever the method
                del logs[k]
        logs["images/s"] = rate
        self.epoch.append({k: float(v) for k, v in logs.items()})

    def latest(self) -> dict[str, float]:
        """The means last written, or of the steps so far where there were too few to write."""
        return self.last or _means(self.rows)


def _means(rows: list[dict[str, float]]) -> dict[str, float]:
    return {k: sum(row[k] for row in rows) / len(rows) for k in rows[0]} if rows else {}


def _tag(name: str) -> str:
    for prefix in ("loss", "alpha"):
        if name.startswith(prefix):
            return f"{prefix}/{name.removeprefix(prefix).strip('_') or 'total'}"
    return f"train/{name}"


def embedder(model: Method, batch: int = 200) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """uint8 [N, S, S, 3] -> dict of float32 [N, D], whatever the model's precision."""
    traced = {}  # by the size of the faces; a batch may have any number

    def embed(faces: np.ndarray) -> dict[str, np.ndarray]:
        side = faces.shape[1:]
        if side not in traced:
            batches = tf.TensorSpec([None, *side], tf.float32)
            traced[side] = tf.function(lambda x: model(x, training=False), input_signature=[batches])
        run = traced[side]
        parts = [run(tf.cast(faces[i : i + batch], tf.float32) / 255.0) for i in range(0, len(faces), batch)]
        return {k: np.concatenate([tf.cast(p[k], tf.float32).numpy() for p in parts]) for k in parts[0]}

    return embed


class Record:
    """What the machine that writes measures, draws and logs of a run, besides its checkpoints.

    Args:
      model: before anything is restored: its probe on generated faces is the same on every resume.
      workdir: of the run.
      faces: that it trains on; the first eight are drawn.
      probed: of the online probes, or None.
    """

    def __init__(self, model: Method, workdir: Workdir, faces: Faces, probed: Task | None) -> None:
        self.model, self.recipe, self.workdir = model, model.recipe, workdir
        self.trained_on, self.faces = faces, faces.head(8)
        self.shown = self.faces if len(faces.shape) == 3 else faces.fetch(tf.constant(faces.rows(8, 0)(0)))  # or pairs
        self.embed = embedder(model, min(200, model.recipe.batch_size))  # what training has memory for
        self.online = OnlineProbe(probed) if probed is not None else None
        self.untrained = self._of_generated_faces()

    def _of_generated_faces(self) -> dict[str, Any] | None:
        count = self.recipe.watch.generated
        if self.recipe.data.source != "generated" or not count:
            return None
        return generated.measure(embedder(self.model), self.recipe.image_size, count=count)

    def callbacks(self, checkpoints: Checkpoints, step: int) -> list[keras.callbacks.Callback]:
        """Callbacks that log and save a run that begins or resumes at a step."""
        recipe, watch = self.recipe, self.recipe.watch
        self.writer = tf.summary.create_file_writer(str(self.workdir / "logs"))
        with self.writer.as_default(step):
            tf.summary.text("recipe", recipe_table(recipe))
        self.metrics = Metrics(self.workdir / "metrics.csv", step, recipe.epoch_steps)
        self.scalars = Scalars(self.writer, watch.log_every, images_per_step(recipe), self.metrics)
        return [
            self.scalars,
            Every(watch.images_every, self.watch),
            # Last, since a resumed run repeats none of the steps before it.
            Every(recipe.checkpoint.every, lambda _: self.metrics.write()),
            Every(recipe.checkpoint.every, checkpoints.save),
            Eta(recipe.total_steps),
        ]

    def watch(self, step: int) -> None:
        """Draws what the method makes of faces, and probes each feature, where there is a labelled set."""
        self.draw(step)
        if self.online:
            scores = self.online(self.embed)
            with self.writer.as_default(step):
                for name, value in scores.items():
                    tf.summary.scalar(name, value, description=description(name))
            self.writer.flush()
            self.metrics.add(step, scores)

    def draw(self, step: int) -> None:
        """Writes the reconstruction sheet, or the method's pictures; nothing where it has none."""
        scale = max(1, 96 // self.faces.shape[1])
        if self.model.decoder is not None:
            columns = sheet.reconstructions(self.model, self.faces, self.model.method.recon_noise_std)
            picture = sheet.draw(columns, scale)
        elif pictures := self.model.pictures(tf.cast(self.shown, tf.float32) / 255.0):
            picture = sheet.draw_pictures(pictures, scale)
        else:
            return
        write_atomically(self.workdir / "reconstructions.png", png(picture))
        with self.writer.as_default(step):
            tf.summary.image("reconstructions", np.asarray(picture)[None], description=description("reconstructions"))
        self.writer.flush()

    def compare(self, step: int) -> dict[str, Any] | None:
        """Probes of generated faces before and after, as a table on the screen and in TensorBoard; None without them."""
        if not self.untrained:
            return None
        rows: dict[str, Any] = {
            self.recipe.network.weights or "untrained": self.untrained,
            "trained": self._of_generated_faces(),
        }
        print(text := generated.table(rows, self.recipe.watch.generated), flush=True)
        with self.writer.as_default(step):
            tf.summary.text("generated_faces", "\n".join(f"    {line}" for line in text.splitlines()))
        self.writer.flush()
        return rows
