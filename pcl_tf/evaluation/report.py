"""Probe results for people (a table), programs (JSON) and TensorBoard."""

import pathlib


def percent(metric):
    """Whether a metric is a share that people read in percent."""
    return metric != "MAE"


def table(rows):
    """Text table of result rows (dicts of ``result_row``); of verification also what a layer learnt on pairs makes."""
    lines = [f"{'model':<28}{'task':<26}{'feature':<12}{'metric':<10}{'value':>8}   95 % interval    test"]
    for r in rows:
        scale = 100 if percent(r["metric"]) else 1
        low, high = (scale * v for v in r["interval"])
        count = r["counts"].get("test", r["counts"].get("pairs"))
        named = f"{_short(r['model'], 27):<28}{_short(r['task'], 25):<26}{r['feature']:<12}"
        lines.append(f"{named}{r['metric']:<10}{scale * r['value']:>8.2f}   {low:6.2f} .. {high:<6.2f}{count:>7}")
        if r.get("learnt"):
            value, (low, high) = scale * r["learnt"]["value"], (scale * v for v in r["learnt"]["interval"])
            lines.append(f"{named}{'learnt':<10}{value:>8.2f}   {low:6.2f} .. {high:<6.2f}{count:>7}")
    return "\n".join(lines)


def _short(text, width):
    return text if len(text) <= width else ".." + text[2 - width :]


def result_row(encoder, task, name, feature, verdict, encoded, solver, seed):
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
        **verdict.as_json(),
    }


def run_name(row):
    """The TensorBoard run of a row's model: 'vox64-1000-1a2b3c4d', 'hog-1'; other weights are another run."""
    if row["model_digest"].startswith(f"{row['model']}-"):
        return row["model_digest"]
    path = pathlib.PurePath(row["model"])
    parts = [path.parent.parent.name, path.name] if path.parent.name == "export" else [path.stem]
    return "-".join([*(p for p in parts if p), row["model_digest"][:8]])


def tag(row, rows):
    """``probe/TASK/FEATURE``, and what differs from the usual: another solver, seed, or size than the task's first.

    Args:
      row: of ``result_row``.
      rows: all of ``result.json``; the first of a task has its usual size.
    """
    usual = next((r["image_size"] for r in rows if r["task"] == row["task"]), row["image_size"])
    how = [row["solver"]] * (row["solver"] != "lbfgs")
    how += [f"{row['image_size']}px"] * (row["image_size"] != usual) + [f"seed{row['seed']}"] * (row["seed"] != 0)
    return "/".join(["probe", row["task"], row["feature"], *(["-".join(how)] if how else [])])


def write_scalars(folder, row, rows):
    """Scalars ``TAG/METRIC`` (and by class, label or target) at the model's step, in the run of the model."""
    import tensorflow as tf

    writer, name = tf.summary.create_file_writer(str(pathlib.Path(folder) / run_name(row))), tag(row, rows)
    with writer.as_default(row["model_step"]):
        tf.summary.scalar(f"{name}/{row['metric']}", row["value"])
        if row.get("learnt"):
            tf.summary.scalar(f"{name}/learnt/{row['metric']}", row["learnt"]["value"])
        for part, value in row["detail"].items():
            tf.summary.scalar(f"{name}/detail/{part.replace(' ', '_').replace('/', '_')}", value)
    writer.close()
