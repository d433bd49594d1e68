"""Probe results for people (a table), programs (JSON) and TensorBoard."""


def percent(metric):
    """Whether a metric is a share that people read in percent."""
    return metric != "MAE"


def table(rows):
    """Text table of result rows (dicts of ``result_row``)."""
    lines = [f"{'model':<28}{'task':<26}{'feature':<12}{'metric':<10}{'value':>8}   95 % interval    test"]
    for r in rows:
        scale = 100 if percent(r["metric"]) else 1
        low, high = (scale * v for v in r["interval"])
        count = r["counts"].get("test", r["counts"].get("pairs"))
        lines.append(
            f"{_short(r['model'], 27):<28}{_short(r['task'], 25):<26}{r['feature']:<12}{r['metric']:<10}"
            f"{scale * r['value']:>8.2f}   {low:6.2f} .. {high:<6.2f}{count:>7}"
        )
    return "\n".join(lines)


def _short(text, width):
    return text if len(text) <= width else ".." + text[2 - width :]


def result_row(encoder, task, feature, verdict, encoded):
    """What ``result.json`` holds for one model, task and feature."""
    return {
        "model": encoder.name,
        "model_digest": encoder.digest,
        "model_step": encoder.step,
        "recipe_hash": encoder.recipe_hash,
        "task": task.name,
        "kind": task.kind,
        "feature": feature,
        "image_size": task.image_size,
        "images_encoded": encoded,
        **verdict.as_json(),
    }


def write_scalars(folder, rows):
    """Scalars ``probe/TASK/FEATURE`` (and by class, label or target) at the model's step."""
    import tensorflow as tf

    writer = tf.summary.create_file_writer(str(folder))
    for r in rows:
        tag = f"probe/{r['task']}/{r['feature']}"
        with writer.as_default(r["model_step"]):
            tf.summary.scalar(f"{tag}/{r['metric']}", r["value"])
            for name, value in r["detail"].items():
                tf.summary.scalar(f"{tag}/detail/{name.replace(' ', '_')}", value)
    writer.close()
