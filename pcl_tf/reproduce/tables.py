"""A table filled: our numbers by task, the paper's beside them, as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pcl_tf import tables as texts
from pcl_tf.evaluation.kinds import scale_and_unit
from pcl_tf.evaluation.task import Task
from pcl_tf.evaluation.verification import WHITENED
from pcl_tf.reproduce.paper import Table
from pcl_tf.reproduce.runs import Runs
from pcl_tf.results.store import names as reported

REFERENCE = "simclr"  # differences are taken to this row, seed by seed


def fill(table: Table, tasks: Mapping[str, list[Task]], runs: Runs, *, seeds: list[int]) -> list[dict[str, Any]]:
    """Runs what a table needs on the tasks of each role, by each seed.

    Returns:
      list of {'label', 'model', 'paper', 'ours': {task name: over_seeds + 'difference'}}; of verification by raw cosine
      and, which is not the layer of the paper's Table 2, after PCA and whitening.
    """
    wanted = [task for role in table.roles for task in tasks[role]]
    named = list(zip(wanted, reported(wanted), strict=True))
    rows: list[dict[str, Any]] = []
    for row in table.rows:
        ours = {}
        some = seeds if row.model in runs.steps and row.model != "untrained" else seeds[:1]
        for task, name in named:
            if row.model is None:  # only quoted
                break
            each = [runs.result(row.model, seed, task, feature=row.feature) for seed in some]
            if all(v.get("learnt") for v in each):
                ours[f"{name}, raw cosine"] = over_seeds(each)
                ours[f"{name}, {WHITENED}"] = over_seeds([{**v["learnt"], "metric": v["metric"]} for v in each])
            else:
                ours[name] = over_seeds(each)
        rows.append({"label": row.label, "model": row.model, "paper": row.paper, "ours": ours})
    reference: dict[str, Any] = next((r["ours"] for r in rows if r["model"] == REFERENCE), {})
    for filled in rows:
        trained = filled["model"] in runs.steps and filled["model"] != REFERENCE
        for name, found in filled["ours"].items():
            pairs = trained and name in reference
            found["difference"] = paired(found["values"], reference[name]["values"]) if pairs else None
    return rows


def markdown(number: int, table: Table, rows: list[dict[str, Any]]) -> str:
    """The table as Markdown: mean, spread over seeds, [95 % interval], difference to SimCLR; the paper's last."""
    names, columns = (list(dict.fromkeys(name for row in rows for name in row[key])) for key in ("ours", "paper"))
    lines = []
    for row in rows:
        quoted = " (quoted)" if row["model"] is None else ""
        ours = [_cell(row["ours"][n]) if n in row["ours"] else "" for n in names]
        lines.append([row["label"] + quoted, *ours, *(str(row["paper"].get(c, "")) for c in columns)])
    header = ["", *names, *(f"paper: {c}" for c in columns)]
    return f"**Table {number}.** {table.title}\n\n{texts.markdown(header, lines)}\n"


def _cell(found: dict[str, Any]) -> str:
    scale, _ = scale_and_unit(found["metric"])
    low, high = (scale * v for v in found["interval"])
    spread = "" if found["std"] is None else f" ± {scale * found['std']:.2f}"
    text = f"{scale * found['mean']:.2f}{spread} [{low:.1f}, {high:.1f}]"
    if found["difference"]:
        mean, std = found["difference"]
        text += f" ({scale * mean:+.2f}" + ("" if std is None else f" ± {scale * std:.2f}") + ")"
    return text


def over_seeds(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Mean, spread and mean interval of what ``Runs.result`` returned for each seed.

    Returns:
      {'metric', 'values', 'mean', 'std' (of the seeds, None for one), 'interval', 'detail'}.
    """
    values, details = np.array([v["value"] for v in results]), [v["detail"] for v in results]
    return {
        "metric": results[0]["metric"],
        "values": values.tolist(),
        **dict(zip(("mean", "std"), _mean_and_spread(values), strict=True)),
        "interval": np.mean([v["interval"] for v in results], axis=0).tolist(),
        # Of one seed a label may have no F1, because no image has it or is taken for it.
        "detail": {k: float(np.mean([d[k] for d in details if k in d])) for d in details for k in d},
    }


def paired(values: Sequence[float], reference: Sequence[float]) -> tuple[float, float | None] | None:
    """Mean and standard deviation of the differences seed by seed, or None where the seeds do not pair."""
    if len(values) != len(reference):
        return None
    return _mean_and_spread(np.array(values) - np.array(reference))


def _mean_and_spread(values: np.ndarray) -> tuple[float, float | None]:
    return float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else None
