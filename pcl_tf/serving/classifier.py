"""A fine-tuned network as others load it: image files in, labels and scores out."""

import json
import pathlib
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from pcl_tf.provenance import provenance
from pcl_tf.serving import card
from pcl_tf.serving.export import check_version, in_slices, replaceable
from pcl_tf.serving.server_files import write_warmup
from pcl_tf.store import atomic_path, write_atomically

SCORES = {"classification": tf.nn.softmax, "multilabel": tf.nn.sigmoid, "regression": tf.identity}
# What TF Serving's clients read of each kind: names in the order of the values.
OUTPUTS = {k: ("classes", "scores") for k in ("classification", "multilabel")} | {"regression": ("targets", "values")}


def save_classifier(
    model: keras.Model,
    folder: str | pathlib.Path,
    kind: str,
    *,
    names: Sequence[str],
    recipe_json: str = "{}",
    step: int = 0,
    row: dict[str, Any] | None = None,
    about: dict[str, Any] | None = None,
    version: int = 1,
) -> pathlib.Path:
    """Exports a network as ``folder/<version>``, as tensorflow_model_server expects it.

    Signatures, all returning 'classes' string [N, K] and 'scores' float32 [N, K] (probabilities of the classes, or of
    each label), of a regression 'targets' and 'values'; K in the order of ``assets/labels.txt``, not sorted by score:
      serving_default(image_bytes: string [N]), image files, decoded and resized as for training;
      predict(images: float32 [N, S, S, 3] in [0, 1]);
      classify(inputs: string [N]), tf.train.Example of one feature ``image_bytes``, as TensorFlow Serving's Classify
        sends them; a regression has none.

    Args:
      model: keras.Model, float32 [N, S, S, 3] -> logits or targets [N, K].
      folder: parent of the numbered folders.
      kind: 'classification', 'multilabel' or 'regression'.
      names: K texts.
      recipe_json: what the encoder was pre-trained by.
      step: of pre-training.
      row: of ``result.json``, for the model card, or None.
      about: what the user states, for the card: ``card.stated``.
      version: number of the folder; an export of this number is replaced.

    Returns:
      pathlib.Path of the export.

    Raises:
      Refused: what is there under this number is no export.
    """
    target = pathlib.Path(folder) / str(version)
    check_version(target)
    size, labels = model.input_shape[1], tf.constant([str(n) for n in names])
    said, values = OUTPUTS[kind]

    def scored(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return {values: SCORES[kind](tf.cast(model(images, training=False), tf.float32))}

    def named(found: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {said: tf.repeat(labels[None], tf.shape(found[values])[0], axis=0), **found}

    of_files = in_slices(scored, size)

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        "serving_default",
        lambda image_bytes: named(of_files(image_bytes)),
        [tf.TensorSpec([None], tf.string, "image_bytes")],
    )
    images = tf.TensorSpec([None, size, size, 3], tf.float32, "images")
    archive.add_endpoint("predict", lambda images: named(scored(images)), [images])
    if kind != "regression":
        archive.add_endpoint(
            "classify",
            lambda inputs: named(of_files(_of_examples(inputs))),
            [tf.TensorSpec([None], tf.string, "inputs")],
        )
    with atomic_path(target, replaces=replaceable) as aside:
        archive.write_out(str(aside), verbose=False)
        if kind != "regression":
            _answer_classify(aside)
        assets = aside / "assets"
        assets.mkdir(exist_ok=True)
        (assets / "labels.txt").write_text("".join(f"{' '.join(str(n).split())}\n" for n in names), encoding="utf-8")
        (assets / "recipe.json").write_text(recipe_json)
        (assets / "provenance.json").write_text(provenance(recipe_json, step))
        model.save(assets / "finetuned.keras")
        write_warmup(aside, size)
        write_classifier_card(aside, kind, names, size=size, row=row, about=about)
    return target


def _of_examples(serialized: tf.Tensor) -> tf.Tensor:
    """Image files [N] out of serialized tf.train.Example [N]."""
    return tf.io.parse_example(serialized, {"image_bytes": tf.io.FixedLenFeature([], tf.string)})["image_bytes"]


def _answer_classify(export: pathlib.Path) -> None:
    """Says in the signature that it answers Classify: TensorFlow 2 writes Predict into all of them."""
    updater = tf.compat.v1.saved_model.signature_def_utils.MethodNameUpdater(str(export))
    updater.replace_method_name(signature_key="classify", method_name="tensorflow/serving/classify")
    updater.save()


def write_classifier_card(
    export: str | pathlib.Path,
    kind: str,
    names: Sequence[str],
    *,
    size: int,
    row: dict[str, Any] | None,
    about: dict[str, Any] | None = None,
) -> None:
    """Writes the model card, README.md of the export. Args: as of ``save_classifier``; size: side of images in pixels."""
    assets = pathlib.Path(export) / "assets"
    recipe, step = (json.loads((assets / name).read_text()) for name in ("recipe.json", "provenance.json"))
    classify = b"tensorflow/serving/classify" in (pathlib.Path(export) / "saved_model.pb").read_bytes()
    text = _card(kind, names, size, row=row, recipe=recipe, step=step["step"], about=about or {}, classify=classify)
    write_atomically(pathlib.Path(export) / card.NAME, text)


def _card(
    kind: str,
    names: Sequence[str],
    size: int,
    *,
    row: dict[str, Any] | None,
    recipe: dict[str, Any],
    step: int,
    about: dict[str, Any],
    classify: bool,
) -> str:
    from pcl_tf.recipe import flatten

    rows = [row] if row else []
    task = "image-classification" if kind in card.TASKS else "image-feature-extraction"
    said, values = OUTPUTS[kind]
    protocol = (row or {}).get("protocol", {})
    scratch = protocol.get("from_scratch")
    at = f", step {step}" if recipe else ""
    began = "random weights" if scratch else f"an encoder of {card.method(flatten(recipe))}{at}"
    facts = {key: value for key, value in protocol.items() if not isinstance(value, (list, dict))}
    return f"""{card.front_matter(about, rows, f"pcl-{'scratch' if scratch else 'finetuned'}", task=task)}
# Face images to {kind}: {", ".join(map(str, names[:12]))}{" .." if len(names) > 12 else ""}

A network of face images, begun from {began}, and fine-tuned by labels. pcl_tf wrote this card; what it does not know it says.

## Data

- Labelled images that taught, those held out among them: {(row or {}).get("counts", {}).get("train", card.UNKNOWN)}
- Terms of the data, as their user states them: {card.terms(about, "finetune")}
- The people shown and their make-up by group: {card.UNKNOWN}

## Recipe

{card.facts(facts) if facts else card.UNKNOWN}

## Results

{card.results(rows)}

The result is the mean over folds where there are several; this network is that of the first.

## Limits

- It answers for every image, faces or not, and knows {len(names)} {said} alone.
- Scores are not calibrated: 0.9 need not be right nine times of ten.
- Errors by age, gender, skin tone or other groups are {card.UNKNOWN} unless a result above names them.

## Responsible use

{card.RESPONSIBLE}

## How to load it

In this folder:

```python
import tensorflow as tf

model = tf.saved_model.load(".")
found = model.signatures["serving_default"](image_bytes=tf.constant([open("face.jpg", "rb").read()]))
found["{said}"], found["{values}"]
```

Images are resized to {size} pixels. `model.predict(images)` takes float32 images [N, {size}, {size}, 3] in [0, 1];
`assets/labels.txt` names the columns, and `assets/finetuned.keras` is the network, up to the last layer's
{"targets" if kind == "regression" else "logits"}, for `keras.models.load_model`.
TensorFlow Serving takes the folder as a version of a model{"; signature `classify` answers its Classify" if classify else ""}.
"""
