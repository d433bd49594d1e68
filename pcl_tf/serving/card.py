"""The model card of an export: what is known of it, and what is not, in the form in which model hubs read README.md."""

import json
import pathlib
import re
from typing import Any, cast

from pcl_tf.errors import Refused
from pcl_tf.recipe import flatten
from pcl_tf.results.table import HEADER, cells
from pcl_tf.store import read_json, write_atomically
from pcl_tf.tables import markdown as table

NAME = "README.md"
ABOUT = "about.json"  # in the workdir: what its user states of it
STATED = ("data_terms", "license")
UNKNOWN = "not known here"
TAGS = ("tensorflow", "keras", "saved-model", "self-supervised-learning", "contrastive-learning", "faces", "pcl")
_SETTINGS, _VERSION = r"\d+px_[\d.e+-]+fps[^/]*", r"\d+\.\d+\.\d+"  # folders of a dataset that pcl_tf.prepare made
# What the metrics of probes are called by hubs, and the kinds of task.
METRICS = {"accuracy": "accuracy", "F1": "f1", "MAE": "mae"}
TASKS = {"classification": "image-classification", "multilabel": "image-classification"}
_MAIN = (
    "image_size",
    "batch_size",
    "total_steps",
    "optimizer.learning_rate",
    "network.backbone",
    "network.width",
    "network.head_dim",
    "method.name",
    "method.updates",
    "method.orthogonality",
    "method.pose_contrast",
    "method.dynamic_weights",
    "seed",
)

LIMITS = """- It was trained without labels: its features are no identities, expressions or poses until something is fitted on them.
- It knows faces as the training images show them: cut out the same way, at about the same size. Profiles, masks, drawings
  and other crops than those are another distribution.
- A result above holds for its own images, and its interval for resampling of those alone: neither says anything of other
  people, cameras or countries.
- Errors by age, gender, skin tone or other groups {groups}."""
RESPONSIBLE = """A face representation can identify people and guess at their state. Use it only on faces you have the right to process,
tell the people concerned, measure error rates per group before any decision depends on it (`python -m pcl_tf.probe
--model=WORKDIR --task=classification:faces.csv --groups=age,gender` tells them), and do not use it for covert
identification."""
LOADING = """In this folder:

```python
import tensorflow as tf

model = tf.saved_model.load(".")
features = model.signatures["serving_default"](image_bytes=tf.constant([open("face.jpg", "rb").read()]))
features["face_aware"], features["face"], features["pose"]
```

`model.embed(images)` takes float32 images [N, H, W, 3] in [0, 1]. `assets/encoder.keras` is the same encoder for
`keras.models.load_model`; TensorFlow Serving takes the folder as a version of a model. `face_aware` is the feature to fit
a classifier on, `face` holds what is left without the pose, `pose` the pose."""


def state(workdir: str | pathlib.Path, **facts: str | None) -> None:
    """Notes down what the user states of a run, for this card and those that follow.

    Args:
      workdir: its folder, of fine-tunings that of all of them.
      **facts: of STATED; None leaves what was stated before.

    Raises:
      Refused: a file of that name is there and none of ours.
    """
    facts = {key: " ".join(text.split()) for key, text in facts.items() if text is not None}
    if facts:
        path = pathlib.Path(workdir) / ABOUT
        if path.exists() and not {*read_json(path)} & {*STATED}:
            raise Refused(f"{path}: is there and states nothing of a model; move it, or take another folder.")
        write_atomically(path, json.dumps({**read_json(path), **facts}, indent=1) + "\n")


def stated(workdir: str | pathlib.Path) -> dict[str, Any]:
    """What ``state`` noted down: a dict."""
    return read_json(pathlib.Path(workdir) / ABOUT)


def write_card(export: str | pathlib.Path, workdir: str | pathlib.Path) -> None:
    """Writes README.md into an export from what lies in it and in its workdir.

    Args:
      export: folder with ``assets/recipe.json`` and ``assets/provenance.json``.
      workdir: may hold ``about.json`` (what the user states), ``result.json`` (of training) and ``probe/result.json``.
    """
    export, workdir = pathlib.Path(export), pathlib.Path(workdir)
    recipe, made = (read_json(export / "assets" / name) for name in ("recipe.json", "provenance.json"))
    run = read_json(workdir / "result.json")
    run = run if run.get("step") == made.get("step") else {}
    rows = [row for row in read_json(workdir / "probe/result.json").get("results", []) if _measures(row, made)]
    write_atomically(export / NAME, _text(flatten(recipe), made, run, rows=rows, about=stated(workdir)))


def _text(
    recipe: dict[str, Any],
    made: dict[str, Any],
    run: dict[str, Any],
    *,
    rows: list[dict[str, Any]],
    about: dict[str, Any],
) -> str:
    name = method(recipe)
    return f"""{front_matter(about, rows, f"pcl-{recipe.get('network.backbone', 'encoder')}", task="image-feature-extraction")}
# Face features: {name}

An encoder of face images for {name}. {_trained(made)}
pcl_tf wrote this card from what lies beside it; what it does not know it says.

## Data

{_data(recipe, run, about)}

## Recipe

{facts({key: recipe.get(key, UNKNOWN) for key in _MAIN})}

`assets/recipe.json` holds every value, `assets/provenance.json` the versions: {_versions(made)}.

## Results

{results(rows)}{_generated(run)}

## Limits

{LIMITS.format(groups="are " + UNKNOWN + " unless a result above names them: measure them on faces like yours")}

## Responsible use

{RESPONSIBLE}

## How to load it

{LOADING}
"""


def _trained(made: dict[str, Any]) -> str:
    step = made.get("step")
    if step == 0:
        return "Step 0: its weights are untrained, or were taken over from another program by `pcl_tf.convert`."
    return f"It was trained without labels for {step or UNKNOWN} steps."


def method(recipe: dict[str, Any]) -> str:
    """What trained an encoder, in words; recipe: flat, may lack keys."""
    if "method.name" not in recipe:
        return f"a method that is {UNKNOWN}"
    if recipe["method.name"] == "moco":
        return "MoCo (momentum contrast)"
    parts: tuple[Any, Any] = (recipe.get("method.reconstruct"), recipe.get("method.pose_contrast", "none") != "none")
    if not any(parts):
        return "SimCLR (PCL's face contrast alone)"
    return "PCL (pose-disentangled contrastive learning, CVPR 2023)" + {
        (True, False): " without pose contrast",
        (False, True): " without reconstruction",
    }.get(parts, "")


def front_matter(about: dict[str, Any], rows: list[dict[str, Any]], name: str, *, task: str) -> str:
    """YAML between lines of dashes; every value is written as JSON, which YAML contains.

    Args:
      about: what the user states.
      rows: of ``result.json`` of a probe.
      name: of the model.
      task: what hubs call what the model does.
    """
    said: Any = about.get("license")
    known = said and re.fullmatch(r"[\w.+-]+", said)
    values = {
        **({"license": said.lower()} if known else {"license": "other", "license_name": said} if said else {}),
        "library_name": "tensorflow",
        "pipeline_tag": task,
        "tags": list(TAGS),
    }
    if rows:
        values["metrics"] = sorted({METRICS.get(row["metric"], row["metric"].lower()) for row in rows})
        values["model-index"] = [{"name": name, "results": [_indexed(row) for row in rows]}]
    return "\n".join(["---", *(f"{key}: {json.dumps(value)}" for key, value in values.items()), "---"])


def _indexed(row: dict[str, Any]) -> dict[str, Any]:
    metric = METRICS.get(row["metric"], row["metric"].lower())
    return {
        "task": {"type": TASKS.get(cast(str, row.get("kind")), "image-feature-extraction")},
        "dataset": {"name": row["task"], "type": row.get("task_name") or row["task"]},
        "metrics": [{"type": metric, "value": row["value"], "name": f"{row['metric']} of {row['feature']}"}],
    }


def facts(values: dict[str, Any]) -> str:
    """Markdown table of {what: value}."""
    return table(["", ""], [[f"`{key}`", value] for key, value in values.items()])


def results(rows: list[dict[str, Any]]) -> str:
    """Rows of a probe's ``result.json`` as a Markdown table, or that there are none."""
    if not rows:
        return (
            "None was found in the workdir. `python -m pcl_tf.probe` measures the encoder, and `python -m pcl_tf.export`"
            " writes what it found here."
        )
    return table(HEADER[2:], [line[2:] for line in cells(rows)])  # the card is of one model at one step


def _generated(run: dict[str, Any]) -> str:
    """The table of generated faces, before and after, of a run on generated faces."""
    features = run.get("generated_faces")
    if not features:
        return ""
    columns = list(next(iter(features["trained"].values())))
    rows = [
        [f"{when} `{key}`", *(f"{found[c]:.3f}" for c in columns)]
        for when in ("untrained", "trained")
        for key, found in features[when].items()
    ]
    said = "Of generated faces that training did not see (identity and expression: share that is right; angles: degrees off):"
    return f"\n\n{said}\n\n{table(['', *columns], rows)}"


def _data(recipe: dict[str, Any], run: dict[str, Any], about: dict[str, Any]) -> str:
    source = recipe.get("data.source")
    nobody = source in ("generated", "synthetic")  # as older recipes call them
    clips = _clips(source or "")
    if nobody:
        what = "Faces that pcl_tf draws: they show nobody, and nothing was learnt of photographs."
    elif clips:
        what = f"Clips of faces of {clips}."
    else:
        names = [_name(part) for part in (source or "").split(",") if part]
        what = f"Face images of {', '.join(names)}." if names else f"Which faces it was trained on is {UNKNOWN}."
    return f"""{what}

- {"Clips" if clips else "Faces"}: {f"{run['faces']:,}" if run.get("faces") else UNKNOWN}
- Terms of the data, as its user states them: {terms(about, "export")}
- People shown, their consent and their make-up by group: {"nobody" if nobody else UNKNOWN}"""


def _clips(source: str) -> str:
    """What pcl_tf.prepare made clips of, as KIND (SETTINGS) or KIND (SETTINGS, VERSION), or ''; source: a path."""
    found = re.search(rf"([^/]+)/({_SETTINGS})(?:/({_VERSION}))?/*$", source)
    return f"{found[1]} ({', '.join(filter(None, found.groups()[1:]))})" if found else ""


def _name(source: str) -> str:
    """What a folder, zip or dataset is called: its last name, with the one before where that is a version alone."""
    path = pathlib.PurePath(source)
    if path.name in ("", ".."):
        return f"a folder whose name is {UNKNOWN}"
    if re.fullmatch(_VERSION, path.name) and path.parent.name not in ("", ".."):
        return f"{path.parent.name} {path.name}"
    return path.name


def terms(about: dict[str, Any], command: str) -> str:
    """Under which terms the data was used, or which command states it. Args: what the user states, name of the command."""
    return about.get("data_terms") or f'{UNKNOWN}; `python -m pcl_tf.{command} --data_terms="..."` states them'


def _versions(made: dict[str, Any]) -> str:
    named = (("pcl_tf", "pcl_tf"), ("commit", "revision"), ("TensorFlow", "tensorflow"), ("Keras", "keras"))
    return ", ".join(f"{said} {made.get(key) or UNKNOWN}" for said, key in named)


def _measures(row: Any, made: dict[str, Any]) -> bool:
    """Whether a row of a probe is of the weights in the export: the same recipe, the same step."""
    if not isinstance(row, dict) or not {"task", "feature", "metric", "value"} <= set(row):
        return False
    return row.get("model_step") == made.get("step") and row.get("recipe_hash") == made.get("recipe_hash")
