"""Fills model cards, encoder_card.md, classifier_card.md and box_card.md, in the form in which hubs read README.md."""

import json
import pathlib
import re
import string
from collections.abc import Sequence
from typing import Any

from pcl_tf.evaluation.kinds import KINDS
from pcl_tf.keys import flatten
from pcl_tf.results.table import HEADER, cells
from pcl_tf.store import read_json, write_atomically
from pcl_tf.tables import markdown

ABOUT = "about.json"  # in the workdir: what its user states about it
UNKNOWN = "not known here"
TAGS = ("tensorflow", "keras", "saved-model", "self-supervised-learning", "contrastive-learning", "faces", "pcl")
METHODS = {
    "pcl": "PCL (pose-disentangled contrastive learning, CVPR 2023)",
    "simclr": "SimCLR (PCL's face contrast alone)",
    "moco": "MoCo (momentum contrast)",
    "fabnet": "FAb-Net's objective (BMVC 2018: one frame of a clip warped to another), on a backbone that is not its own",
    "facecycle": "FaceCycle's first stage (ICCV 2021), on a backbone that is not its own; without a file `method.vgg` also"
    " without VGG-19",
    "tcae": "TCAE's objective (CVPR 2019: pose and action as two flows between frames), on a backbone that is not its own",
}
_OF_NOBODY = ("", "heads64")  # values of network.weights that have seen rendered heads alone
_MAIN = """image_size batch_size total_steps optimizer.learning_rate network.backbone network.width network.head_dim method.name
    method.updates method.orthogonality method.reconstruct method.pose_contrast method.dynamic_weights method.vgg seed""".split()


def state(workdir: str | pathlib.Path, *, license: str | None = None, data_terms: str | None = None) -> None:
    """Stores what the user states about a run, for this card and later ones.

    Args:
      workdir: its folder; for a fine-tuning the folder of its export.
      license, data_terms: of the weights and of the data; None keeps the earlier statement.
    """
    facts = {"license": license, "data_terms": data_terms}
    new = {key: " ".join(text.split()) for key, text in facts.items() if text is not None}
    if new:
        write_atomically(pathlib.Path(workdir) / ABOUT, json.dumps({**stated(workdir), **new}, indent=1) + "\n")


def stated(workdir: str | pathlib.Path) -> dict[str, Any]:
    """What ``state`` stored."""
    return read_json(pathlib.Path(workdir) / ABOUT)


def write_card(export: str | pathlib.Path, workdir: str | pathlib.Path) -> None:
    """Writes README.md into the export of an encoder, from the files in it and in its workdir.

    Args:
      export: folder with ``assets/recipe.json`` and ``assets/provenance.json``.
      workdir: may hold ``about.json`` (what the user states), ``result.json`` (of training) and ``probe/result.json``.
    """
    workdir, about = pathlib.Path(workdir), stated(workdir)
    recipe, made = _origin(export)
    run = read_json(workdir / "result.json")
    run = run if run.get("step") == made.get("step") else {}
    weights = made.get("step"), made.get("recipe_hash")  # results of other weights are not in this card
    rows = read_json(workdir / "probe/result.json").get("results", [])
    rows = [row for row in rows if (row.get("model_step"), row.get("recipe_hash")) == weights]
    source = recipe.get("data.source")
    # Unless it began from weights that others trained, of whom nothing is known here.
    nobody = source == "generated" and not recipe.get("method.vgg") and recipe.get("network.weights", "") in _OF_NOBODY
    trained = f"It was trained without labels for {made.get('step', UNKNOWN)} steps."
    if made.get("step") == 0:
        trained = "Step 0: its weights are untrained, or were taken over from another program by `pcl_tf.convert`."
    fill_card(
        export,
        "encoder",
        front_matter=_front_matter(about, rows, f"pcl-{recipe.get('network.backbone', 'encoder')}"),
        method=METHODS.get(recipe.get("method.name", ""), f"a method that is {UNKNOWN}"),
        trained=trained,
        source=_faces(source, nobody) if source else f"Which faces it was trained on is {UNKNOWN}.",
        count=f"{run['faces']:,}" if run.get("faces") else UNKNOWN,
        terms=_terms(about, "export"),
        people="nobody" if nobody else UNKNOWN,
        recipe=_facts({key: recipe.get(key, UNKNOWN) for key in _MAIN}),
        versions=", ".join(
            f"{key} {made.get(key) or UNKNOWN}" for key in ("pcl_tf", "revision", "tensorflow", "keras")
        ),
        results=_results(rows),
    )


def write_classifier_card(
    export: str | pathlib.Path,
    kind: str,
    names: Sequence[str],
    *,
    size: int,
    row: dict[str, Any],
    about: dict[str, Any],
) -> None:
    """Writes README.md into the export of a fine-tuned network.

    Args:
      export: folder with ``assets/recipe.json`` and ``assets/provenance.json``.
      kind: of ``KINDS``.
      names: of classes, labels or targets.
      size: side of images in pixels.
      row: of ``result.json``.
      about: what the user states: ``stated``.
    """
    recipe, made = _origin(export)
    scratch = row["protocol"].get("from_scratch")
    facts = {key: value for key, value in row["protocol"].items() if not isinstance(value, (list, dict))}
    labels, values = KINDS[kind].outputs
    at = f", step {made.get('step')}" if recipe else ""
    method = METHODS.get(recipe.get("method.name", ""), f"a method that is {UNKNOWN}")
    fill_card(
        export,
        "classifier",
        front_matter=_front_matter(about, [row], f"pcl-{'scratch' if scratch else 'finetuned'}", KINDS[kind].hub[0]),
        kind=kind,
        names=", ".join(map(str, names[:12])) + (" .." if len(names) > 12 else ""),
        began="random weights" if scratch else f"an encoder of {method}{at}",
        count=row["counts"]["train"],
        terms=_terms(about, "finetune"),
        recipe=_facts(facts) if facts else UNKNOWN,
        results=_results([row]),
        known=f"{len(names)} {labels}",
        labels=labels,
        values=values,
        size=size,
        last=labels if KINDS[kind].activation == "linear" else "logits",
    )


def _origin(export: str | pathlib.Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """(flat recipe, provenance) of an export; either may lack keys."""
    assets = pathlib.Path(export) / "assets"
    return flatten(read_json(assets / "recipe.json")), read_json(assets / "provenance.json")


def fill_card(export: str | pathlib.Path, template: str, **values: object) -> None:
    """Writes README.md into a folder: the template 'encoder', 'classifier' or 'box' with its values."""
    text = pathlib.Path(__file__).with_name(f"{template}_card.md").read_text(encoding="utf-8")
    write_atomically(pathlib.Path(export) / "README.md", string.Template(text).substitute(values))


def _front_matter(
    about: dict[str, Any], rows: list[dict[str, Any]], name: str, task: str = "image-feature-extraction"
) -> str:
    """YAML between lines of dashes; every value is written as JSON, which YAML contains.

    Args:
      about: what the user states.
      rows: of ``result.json`` of a probe.
      name: of the model.
      task: what hubs call what the model does.
    """
    license = about.get("license", "")
    values: dict[str, Any] = {"license": "other", "license_name": license} if license else {}
    if re.fullmatch(r"[\w.+-]+", license):
        values = {"license": license.lower()}
    values |= {"library_name": "tensorflow", "pipeline_tag": task, "tags": TAGS}
    if rows:
        values["metrics"] = sorted({KINDS[row["kind"]].hub[1] for row in rows})
        values["model-index"] = [{"name": name, "results": [_indexed(row) for row in rows]}]
    return "\n".join(["---", *(f"{key}: {json.dumps(value)}" for key, value in values.items()), "---"])


def _indexed(row: dict[str, Any]) -> dict[str, Any]:
    task, metric = KINDS[row["kind"]].hub
    return {
        "task": {"type": task},
        "dataset": {"name": row["task"], "type": row.get("task_name") or row["task"]},
        "metrics": [{"type": metric, "value": row["value"], "name": f"{row['metric']} of {row['feature']}"}],
    }


def _facts(values: dict[str, Any]) -> str:
    return markdown(["", ""], [[f"`{key}`", value] for key, value in values.items()])


def _results(rows: list[dict[str, Any]]) -> str:
    if rows:
        return markdown(HEADER[2:], [line[2:] for line in cells(rows)])  # the card is of one model at one step
    return (
        "None was found in the workdir. `python -m pcl_tf.probe` measures the encoder, and `python -m pcl_tf.export` writes"
        " what it found here."
    )


def _faces(source: str, nobody: bool) -> str:
    """A sentence on the faces of a recipe's source, without the path to them."""
    if source == "generated":
        more = ", and nothing was learnt of photographs" if nobody else ""
        return f"Rendered heads (`pcl_tf.heads`): they show nobody{more}."
    named = r"([^/]+/\d+px_[^/]+|[^/]*)(/\d+\.\d+\.\d+)?/*$"  # of pcl_tf.prepare: KIND/SETTINGS/VERSION
    return f"Faces of {', '.join(re.findall(named, part)[0][0] for part in source.split(','))}."


def _terms(about: dict[str, Any], command: str) -> str:
    return about.get("data_terms") or f'{UNKNOWN}; `python -m pcl_tf.{command} --data_terms="..."` states them'
