"""Probe results for people (a table), programs (JSON) and TensorBoard."""

import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pcl_tf.evaluation.groups import LEAST
from pcl_tf.evaluation.metrics import percent

if TYPE_CHECKING:
    from pcl_tf.encoders.encoder import Encoder
    from pcl_tf.evaluation.evaluate import Result
    from pcl_tf.evaluation.task import Task

_FILES = (".keras", ".onnx", ".tflite")
_FEW = 10  # groups named on the screen; result.json names all


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Text table of result rows (dicts of ``result_row``), those of their groups beneath each.

    Of verification also what a layer learnt on pairs makes, of all models but the first how far they are from it. Solvers
    are named where they are several.
    """
    several = len({r["solver"] for r in rows}) > 1
    named = f"{'model':<28}{'task':<26}{'feature':<12}" + several * f"{'solver':<16}"
    lines = [f"{named}{'metric':<10}{'value':>8}   95 % interval    test"]
    for r in rows:
        scale = 100 if percent(r["metric"]) else 1
        count = r["counts"].get("test", r["counts"].get("pairs"))
        named = f"{_short(r['model'], 27):<28}{_short(r['task'], 25):<26}{r['feature']:<12}"
        named += several * f"{r['solver']:<16}"
        less = r.get("difference", {})
        to = _short(less.get("to", ""), 27)
        lines.append(f"{named}{r['metric']:<10}{_numbers(r, scale)}{count:>7}")
        lines += _difference(named, less, scale, to=to)
        if r.get("learnt"):
            lines.append(f"{named}{'learnt':<10}{_numbers(r['learnt'], scale)}{count:>7}")
            lines += _difference(named, less.get("learnt", {}), scale, to=to)
        for column, told in (r.get("groups") or {}).items():
            lines += _of_groups(column, told, r["metric"], scale=scale)
    return "\n".join(lines)


def _numbers(found: dict[str, Any], scale: int) -> str:
    low, high = (scale * v for v in found["interval"])
    return f"{scale * found['value']:>8.2f}   {low:6.2f} .. {high:<6.2f}"


def _difference(named: str, less: dict[str, Any], scale: int, *, to: str) -> list[str]:
    """A line on how far a model is from the first; none of the first."""
    if not less:
        return []
    low, high = (scale * v for v in less["interval"])
    return [f"{named}{'difference':<10}{scale * less['value']:>+8.2f}   {low:+6.2f} .. {high:<+6.2f}  to {to}"]


def _of_groups(column: str, told: dict[str, Any], metric: str, *, scale: int) -> list[str]:
    """Lines of a column of groups: one a group, the largest gap, and what is not scored."""
    space = " " * 28
    lines = [
        f"{space}{_short(f'{column}: {name}', 37):<38}{metric:<10}{_numbers(found, scale)}{found['count']:>7}"
        for name, found in told["groups"].items()
    ]
    if gap := told["gap"]:
        between = " to ".join(gap["between"])
        lines.append(f"{space}{_short(f'{column}: largest gap', 37):<38}{metric:<10}{_numbers(gap, scale)}  {between}")
    if said := unscored(told, metric):
        lines.append(f"{space}{column}: {said}")
    return lines


def unscored(told: dict[str, Any], metric: str) -> str:
    """What a column of groups leaves out, in words: str, '' where it is nothing.

    Args:
      told: of ``groups`` of a row.
      metric: of the row.
    """
    few = [f"{name} ({count})" for name, count in told["too_few"].items()]
    shown = ", ".join(few[:_FEW]) + (f" and {len(few) - _FEW} more" if len(few) > _FEW else "")
    lacking = ", ".join(told["labels_left_out"])
    parts: tuple[Any, ...] = (
        few and f"fewer than {LEAST} rows, or one person, not scored: {shown}",
        len(few) > _FEW and "ranges, as 20-29, make larger groups of numbers",
        told["without"] and f"of no group: {told['without']}",
        lacking and f"{metric} without {lacking}, which not every group shows",
    )
    return "; ".join(part for part in parts if part)


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else ".." + text[2 - width :]


def result_row(
    encoder: "Encoder", task: "Task", *, name: str, feature: str, result: "Result", encoded: int, solver: str, seed: int
) -> dict[str, Any]:
    """What ``result.json`` holds for one model, task and feature; name is what the task is called there."""
    return {
        "model": encoder.name,
        "model_digest": encoder.digest,
        "model_step": encoder.step,
        "recipe_hash": encoder.recipe_hash,
        "task": name,
        "task_name": task.name,
        "task_path": task.origin,
        "kind": task.kind,
        "feature": feature,
        "solver": solver,
        "image_size": task.image_size,
        "seed": seed,
        "images_encoded": encoded,
        "notes": list(task.notes),
        **result.as_json(),
    }


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
      row: of ``result_row``.
      rows: all of ``result.json``; the first of a task has its usual size.
    """
    usual = next((r["image_size"] for r in rows if r["task"] == row["task"]), row["image_size"])
    how = [row["solver"]] * (row["solver"] != "lbfgs")
    how += [f"{row['image_size']}px"] * (row["image_size"] != usual) + [f"seed{row['seed']}"] * (row["seed"] != 0)
    return "/".join(["probe", row["task"], row["feature"], *(["-".join(how)] if how else [])])


def _tagged(text: str) -> str:
    return text.replace(" ", "_").replace("/", "_")


def write_scalars(
    folder: str | pathlib.Path,
    row: dict[str, Any],
    rows: Iterable[dict[str, Any]],
    *,
    pictures: Mapping[str, bytes] | None = None,
) -> None:
    """Scalars ``TAG/METRIC`` (and by class, label, target or group) at the model's step, in the run of the model.

    Args:
      folder: of the runs.
      row, rows: as for ``tag``.
      pictures: {name: PNG, bytes}, shown as ``TAG/NAME``.
    """
    import tensorflow as tf

    writer, name = tf.summary.create_file_writer(str(pathlib.Path(folder) / run_name(row))), tag(row, rows)
    with writer.as_default(row["model_step"]):
        tf.summary.scalar(f"{name}/{row['metric']}", row["value"])
        if row.get("learnt"):
            tf.summary.scalar(f"{name}/learnt/{row['metric']}", row["learnt"]["value"])
        for part, value in row["detail"].items():
            tf.summary.scalar(f"{name}/detail/{_tagged(part)}", value)
        for column, told in (row.get("groups") or {}).items():
            for part, found in told["groups"].items():
                tf.summary.scalar(f"{name}/{_tagged(column)}/{_tagged(part)}", found["value"])
        for called, rate in _operating_points(row.get("roc")):
            tf.summary.scalar(f"{name}/{called}", rate)
        for called, data in (pictures or {}).items():
            tf.summary.image(f"{name}/{called}", tf.io.decode_png(data, channels=3)[None])
    writer.close()


def _operating_points(roc: dict[str, Any] | None) -> list[tuple[str, float]]:
    """(name, value) of each point of ``pcl_tf.evaluation.curves.summary``."""
    return [("EER", roc["EER"]), *((f"TAR_at_FAR_{limit}", v) for limit, v in roc["TAR@FAR"].items())] if roc else []
