"""Rows of ``result.json`` as scalars and pictures of TensorBoard, in a run for each model."""

import pathlib
from collections.abc import Iterable
from typing import Any

_FILES = (".keras", ".onnx", ".tflite")


def run_name(row: dict[str, Any]) -> str:
    """The TensorBoard run of a row's model: 'vox64-1000-1a2b3c4d'; other weights are another run.

    So is each fine-tuning of a model, by the digest of its settings: 'vox64-1000-1a2b3c4d-5e6f7a8b'.
    """
    path = pathlib.PurePath(row["model"])
    own = path.stem if path.suffix in _FILES else path.name  # the name of a folder may hold points
    workdir = path.parent.parent.name if path.parent.name == "export" else ""
    settings = row.get("run", "")[-8:]
    return "-".join(filter(None, [workdir, own, row["model_digest"][:8], settings]))


def write(folder: str | pathlib.Path, row: dict[str, Any]) -> None:
    """Scalars ``TAG/METRIC`` (and by class, label, target or group) and pictures ``TAG/NAME`` at the model's step.

    TAG is ``probe/TASK/FEATURE/SOLVER-SIZEpx-seedN``; the row's pictures are files.
    """
    import tensorflow as tf

    name = f"probe/{row['task']}/{row['feature']}/{row['solver']}-{row['image_size']}px-seed{row['seed']}"
    writer = tf.summary.create_file_writer(str(pathlib.Path(folder) / run_name(row)))
    with writer.as_default(row["model_step"]):
        for part, value in _values(row):
            tf.summary.scalar(f"{name}/{part.replace(' ', '_')}", value)
        for part, path in row["pictures"].items():
            picture = tf.io.decode_png(pathlib.Path(path).read_bytes(), channels=3)
            tf.summary.image(f"{name}/{part}", picture[None])
    writer.close()


def _values(row: dict[str, Any]) -> Iterable[tuple[str, float]]:
    yield row["metric"], row["value"]
    if row["learnt"]:
        yield f"learnt/{row['metric']}", row["learnt"]["value"]
    for part, value in row["detail"].items():
        yield f"detail/{part.replace('/', '_')}", value
    for column, of in row["groups"].items():
        for part, found in of["groups"].items():
            yield f"{column.replace('/', '_')}/{part.replace('/', '_')}", found["value"]
    if row["roc"]:
        yield "EER", row["roc"]["EER"]
        for limit, rate in row["roc"]["TAR@FAR"].items():
            yield f"TAR_at_FAR_{limit}", rate
