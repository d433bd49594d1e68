"""Pictures and probes during training, into TensorBoard and the workdir."""

import pathlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from pcl_tf.data.clips import ClipFaces
from pcl_tf.data.faces import ArrayFaces
from pcl_tf.embed.projector import write_points
from pcl_tf.evaluation.online import OnlineProbe
from pcl_tf.evaluation.task import Task
from pcl_tf.methods.base import Method
from pcl_tf.store import write_atomically
from pcl_tf.training import sheet
from pcl_tf.training.board import description

PROJECTED = 1000  # faces in the Projector
_BYTES = 400_000_000  # of them, where they are large


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


class Watcher:
    """Writes what a person would look at.

    Args:
      model: PCL.
      writer: tf.summary writer.
      faces: ``ArrayFaces`` or ``ClipFaces``; the first eight are drawn.
      folder: of the PNG sheets.
      probed: ``Task`` of the online probes, or None.
    """

    def __init__(
        self,
        model: Method,
        writer: tf.summary.SummaryWriter,
        faces: ArrayFaces | ClipFaces,
        *,
        folder: pathlib.Path,
        probed: Task | None = None,
    ) -> None:
        self.model, self.writer, self.folder = model, writer, folder
        self.trained_on = faces
        self.faces = faces.head(8)
        self.embed = embedder(model, min(200, model.recipe.batch_size))  # what training has memory for
        self.online = OnlineProbe(probed) if probed is not None else None

    def __call__(self, step: int) -> None:
        if self.model.decoder is not None:
            self.draw(step)
        if self.online:
            self.probe(step)

    def draw(self, step: int) -> pathlib.Path:
        """Writes the reconstruction sheet; returns its path."""
        columns = sheet.reconstructions(self.model, self.faces, self.model.method.recon_noise_std)
        picture = sheet.draw(columns, scale=max(1, 96 // columns.shape[2]))
        path = self.folder / "reconstructions.png"
        write_atomically(path, sheet.png(picture))
        with self.writer.as_default(step):
            tf.summary.image("reconstructions", np.asarray(picture)[None], description=description("reconstructions"))
        self.writer.flush()
        return path

    def project(self, folder: str | pathlib.Path) -> None:
        """Writes what TensorBoard's Projector shows: features of the labelled set, or of faces that were trained on.

        Args:
          folder: of the run's TensorBoard files.
        """
        if self.online:
            images, names = self.online.images, self.online.said()
        else:
            side = self.faces.shape[1]
            images = self.trained_on.head(min(PROJECTED, max(len(self.faces), _BYTES // (3 * side * side))))
            names = [f"face {i}" for i in range(len(images))]
        shown = np.linspace(0, len(images) - 1, min(PROJECTED, len(images))).astype(int)
        write_points(folder, self.embed(images[shown]), names=[names[i] for i in shown], faces=images[shown])

    def probe(self, step: int) -> None:
        """k-NN and ridge scores of each feature on the labelled set."""
        assert self.online is not None
        with self.writer.as_default(step):
            for name, value in self.online(self.embed).items():
                tf.summary.scalar(name, value, description=description(name))
        self.writer.flush()
