"""Fills the model cards of exports, encoder_card.md and classifier_card.md, in the form in which hubs read README.md."""

import json
import pathlib
import re
import string
from collections.abc import Sequence
from typing import Any

from pcl_tf.errors import Refused
from pcl_tf.evaluation.kinds import KINDS
from pcl_tf.recipe import flatten
from pcl_tf.results.table import HEADER, cells
from pcl_tf.store import read_json, write_atomically
from pcl_tf.tables import markdown

NAME = "README.md"
ABOUT = "about.json"  # in the workdir: what its user states of it
UNKNOWN = "not known here"
TAGS = ("tensorflow", "keras", "saved-model", "self-supervised-learning", "contrastive-learning", "faces", "pcl")
_MAIN = """image_size batch_size total_steps optimizer.learning_rate network.backbone network.width network.head_dim method.name
    method.updates method.orthogonality method.pose_contrast method.dynamic_weights seed""".split()
_PREPARED = r"[^/]+/\d+px_[^/]+(?:/\d+\.\d+\.\d+)?"  # what pcl_tf.prepare writes: KIND/SETTINGS/VERSION


def state(workdir: str | pathlib.Path, *, license: str | None = None, data_terms: str | None = None) -> None:
    """Notes down what the user states of a run, for this card and later ones.

    Args:
      workdir: its folder, of a fine-tuning that of its export.
      license, data_terms: of the weights and of the data; None leaves what was stated before.

    Raises:
      Refused: a file of that name exists and states nothing of a model.
    """
    facts = {"license": license, "data_terms": data_terms}
    if any(text is not None for text in facts.values()):
        path = pathlib.Path(workdir) / ABOUT
        if path.exists() and not {*stated(workdir)} & {*facts}:
            raise Refused(f"{path}: states nothing of a model; move it, or take another folder.")
        new = {key: " ".join(text.split()) for key, text in facts.items() if text is not None}
        write_atomically(path, json.dumps({**stated(workdir), **new}, indent=1) + "\n")


def stated(workdir: str | pathlib.Path) -> dict[str, Any]:
    """What ``state`` noted down."""
    return read_json(pathlib.Path(workdir) / ABOUT)


def write_card(export: str | pathlib.Path, workdir: str | pathlib.Path) -> None:
    """Writes README.md into the export of an encoder from what lies in it and in its workdir.

    Args:
      export: folder with ``assets/recipe.json`` and ``assets/provenance.json``.
      workdir: may hold ``about.json`` (what the user states), ``result.json`` (of training) and ``probe/result.json``.
    """
    export, workdir = pathlib.Path(export), pathlib.Path(workdir)
    recipe, made = flatten(read_json(export / "assets/recipe.json")), read_json(export / "assets/provenance.json")
    run, about = read_json(workdir / "result.json"), stated(workdir)
    run = run if run.get("step") == made.get("step") else {}
    weights = made.get("step"), made.get("recipe_hash")  # a result of other weights is none of this export
    rows = read_json(workdir / "probe/result.json").get("results", [])
    rows = [row for row in rows if (row.get("model_step"), row.get("recipe_hash")) == weights]
    source = recipe.get("data.source") or ""
    nobody, clips = source == "generated", re.search(rf"{_PREPARED}/*$", source)
    faces = f"{'Clips of faces' if clips else 'Face images'} of {_names(source)}."
    if nobody:
        faces = "Faces that pcl_tf draws: they show nobody, and nothing was learnt of photographs."
    trained = f"It was trained without labels for {made.get('step', UNKNOWN)} steps."
    if made.get("step") == 0:
        trained = "Step 0: its weights are untrained, or were taken over from another program by `pcl_tf.convert`."
    named = (("pcl_tf", "pcl_tf"), ("commit", "revision"), ("TensorFlow", "tensorflow"), ("Keras", "keras"))
    _write(
        export,
        "encoder",
        front_matter=_front_matter(about, rows, f"pcl-{recipe.get('network.backbone', 'encoder')}"),
        method=method(recipe),
        trained=trained,
        source=faces if source else f"Which faces it was trained on is {UNKNOWN}.",
        unit="Clips" if clips else "Faces",
        count=f"{run['faces']:,}" if run.get("faces") else UNKNOWN,
        terms=_terms(about, "export"),
        people="nobody" if nobody else UNKNOWN,
        recipe=_facts({key: recipe.get(key, UNKNOWN) for key in _MAIN}),
        versions=", ".join(f"{name} {made.get(key) or UNKNOWN}" for name, key in named),
        results=_results(rows) + _generated(run),
    )


def write_classifier_card(
    export: str | pathlib.Path,
    kind: str,
    names: Sequence[str],
    *,
    size: int,
    row: dict[str, Any] | None,
    about: dict[str, Any] | None = None,
) -> None:
    """Writes README.md into the export of a fine-tuned network.

    Args:
      export: folder with ``assets/recipe.json`` and ``assets/provenance.json``.
      kind: of ``KINDS``.
      names: of classes, labels or targets.
      size: side of images in pixels.
      row: of ``result.json``, or None.
      about: what the user states: ``stated``.
    """
    assets, row, about = pathlib.Path(export) / "assets", row or {}, about or {}
    recipe, made = flatten(read_json(assets / "recipe.json")), read_json(assets / "provenance.json")
    protocol = row.get("protocol", {})
    scratch = protocol.get("from_scratch")
    facts = {key: value for key, value in protocol.items() if not isinstance(value, (list, dict))}
    rows = [row] if row else []
    labels, values = KINDS[kind].outputs
    at = f", step {made.get('step')}" if recipe else ""
    _write(
        export,
        "classifier",
        front_matter=_front_matter(about, rows, f"pcl-{'scratch' if scratch else 'finetuned'}", KINDS[kind].hub[0]),
        kind=kind,
        names=", ".join(map(str, names[:12])) + (" .." if len(names) > 12 else ""),
        began="random weights" if scratch else f"an encoder of {method(recipe)}{at}",
        count=row.get("counts", {}).get("train", UNKNOWN),
        terms=_terms(about, "finetune"),
        recipe=_facts(facts) if facts else UNKNOWN,
        results=_results(rows),
        known=f"{len(names)} {labels}",
        labels=labels,
        values=values,
        size=size,
        last="logits" if KINDS[kind].classify else labels,
        classify="; signature `classify` answers its Classify" if KINDS[kind].classify else "",
    )


def _write(export: str | pathlib.Path, template: str, **values: object) -> None:
    text = pathlib.Path(__file__).with_name(f"{template}_card.md").read_text(encoding="utf-8")
    write_atomically(pathlib.Path(export) / NAME, string.Template(text).substitute(values))


def method(recipe: dict[str, Any]) -> str:
    """What trained an encoder, in words; recipe: flat, may lack keys."""
    if "method.name" not in recipe:
        return f"a method that is {UNKNOWN}"
    if recipe["method.name"] == "moco":
        return "MoCo (momentum contrast)"
    parts = (bool(recipe.get("method.reconstruct")), recipe.get("method.pose_contrast", "none") != "none")
    if not any(parts):
        return "SimCLR (PCL's face contrast alone)"
    without = {(True, False): " without pose contrast", (False, True): " without reconstruction"}
    return "PCL (pose-disentangled contrastive learning, CVPR 2023)" + without.get(parts, "")


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


def _generated(run: dict[str, Any]) -> str:
    """The table of generated faces, before and after, of a run that watched them."""
    features = run.get("generated_faces")
    if not features:
        return ""
    columns = list(next(iter(features["trained"].values())))
    rows = [
        [f"{when} `{key}`", *(f"{found[c]:.3f}" for c in columns)]
        for when in ("untrained", "trained")
        for key, found in features[when].items()
    ]
    what = "Of generated faces that training did not see (identity and expression: share that is right; angles: degrees off):"
    return f"\n\n{what}\n\n{markdown(['', *columns], rows)}"


def _names(source: str) -> str:
    """What the faces are called, without the path to them: source of a recipe."""
    found = [re.findall(rf"({_PREPARED}|[^/]*)/*$", part)[0] for part in source.split(",")]
    return ", ".join(name if name.strip(".") else f"a folder whose name is {UNKNOWN}" for name in found)


def _terms(about: dict[str, Any], command: str) -> str:
    return about.get("data_terms") or f'{UNKNOWN}; `python -m pcl_tf.{command} --data_terms="..."` states them'
