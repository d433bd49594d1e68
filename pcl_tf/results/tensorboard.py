"""Rows of ``result.json`` as scalars and pictures of TensorBoard, in a run for each model."""

import pathlib
from collections.abc import Iterable
from typing import Any

_FILES = (".keras", ".onnx", ".tflite")


def run_name(row: dict[str, Any]) -> str:
    """The TensorBoard run of a row's model: 'vox64-1000-1a2b3c4d', 'hog-1'; other weights are another run.

    So is each fine-tuning of a model, by the digest of its settings: 'vox64-1000-1a2b3c4d-5e6f7a8b'.
    """
    if row["model_digest"].startswith(f"{row['model']}-"):
        return row["model_digest"]
    path = pathlib.PurePath(row["model"])
    own = path.stem if path.suffix in _FILES else path.name  # the name of a folder may hold points
    parts = [path.parent.parent.name, own] if path.parent.name == "export" else [own]
    settings = [row["run"].removesuffix("-probe")[-8:]] if "run" in row else []
    return "-".join([*(p for p in parts if p), row["model_digest"][:8], *settings])


def tag(row: dict[str, Any], rows: Iterable[dict[str, Any]]) -> str:
    """``probe/TASK/FEATURE``, and what differs from the usual: another solver, seed, or size than the task's first.

    Args:
      row: of ``result.json``.
      rows: all of it; the first of a task has its usual size.
    """
    usual = next((r["image_size"] for r in rows if r["task"] == row["task"]), row["image_size"])
    how = [row["solver"]] * (row["solver"] != "lbfgs")
    how += [f"{row['image_size']}px"] * (row["image_size"] != usual) + [f"seed{row['seed']}"] * (row["seed"] != 0)
    return "/".join(["probe", row["task"], row["feature"], *(["-".join(how)] if how else [])])


def write(folder: str | pathlib.Path, row: dict[str, Any], rows: Iterable[dict[str, Any]]) -> None:
    """Scalars ``TAG/METRIC`` (and by class, label, target or group) and pictures ``TAG/NAME`` at the model's step.

    Args:
      folder: of the runs.
      row, rows: as for ``tag``; the pictures of row are files.
    """
    import tensorflow as tf

    writer, name = tf.summary.create_file_writer(str(pathlib.Path(folder) / run_name(row))), tag(row, rows)
    with writer.as_default(row["model_step"]):
        for part, value in _values(row):
            tf.summary.scalar(f"{name}/{part}", value)
        for part, path in row["pictures"].items():
            picture = tf.io.decode_png(pathlib.Path(path).read_bytes(), channels=3)
            tf.summary.image(f"{name}/{part}", picture[None])
    writer.close()


def _values(row: dict[str, Any]) -> Iterable[tuple[str, float]]:
    yield row["metric"], row["value"]
    if row["learnt"]:
        yield f"learnt/{row['metric']}", row["learnt"]["value"]
    for part, value in row["detail"].items():
        yield f"detail/{_word(part)}", value
    for column, of in row["groups"].items():
        for part, found in of["groups"].items():
            yield f"{_word(column)}/{_word(part)}", found["value"]
    if row["roc"]:
        yield "EER", row["roc"]["EER"]
        for limit, rate in row["roc"]["TAR@FAR"].items():
            yield f"TAR_at_FAR_{limit}", rate


def _word(name: str) -> str:
    return name.replace(" ", "_").replace("/", "_")
