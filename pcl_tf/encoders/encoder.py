"""Frozen encoders of every kind that a probe takes: uint8 faces in, named features out."""

import dataclasses
import json
import pathlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pcl_tf.choices import OUTPUTS
from pcl_tf.encoders import handcrafted
from pcl_tf.encoders.head import Head, attached
from pcl_tf.errors import Refused
from pcl_tf.provenance import recipe_hash
from pcl_tf.store import digest, read_json, versions


@dataclasses.dataclass(frozen=True)
class Encoder:
    """A frozen encoder."""

    name: str  # what the user gave
    digest: str  # of its content, names its cached features
    # uint8 [n, S, S, 3] -> {output: [n, D] or feature maps [n, H, W, C]}, or the one output of a strange model
    run: Callable[[np.ndarray], Any]
    step: int = 0  # of pre-training, 0 if it has none
    recipe: dict[str, Any] | None = None  # that it was trained by, or None
    keras_file: pathlib.Path | None = None  # the same encoder as a .keras file, or None
    side: int | None = None  # of the images in pixels, if it takes one size alone; else None
    # of the squares around faces that it was trained on, in longer sides of a face's box; None if it does not say
    margin: float | None = None
    heads: tuple[Head, ...] = ()  # that came with it, of a box, a probe's .keras or a fine-tuning

    @property
    def recipe_hash(self) -> str | None:
        """Sixteen hex digits of the recipe, or None."""
        return None if self.recipe is None else recipe_hash(json.dumps(self.recipe))

    def embed(self, faces: np.ndarray) -> dict[str, np.ndarray]:
        """Features of images: uint8 [n, S, S, 3] -> {feature: float32 [n, D]}; feature maps are flattened, channels first.

        Raises:
          Refused: images of this size cannot be embedded, or the outputs are no vector for each of them.
        """
        side = faces.shape[1]
        if self.side not in (None, side):
            raise Refused(
                f"--model={self.name} takes images of {self.side} pixels alone; set --image_size={self.side}."
            )
        try:
            out = outputs(self.run(faces))
            found = {key: flatten(np.asarray(out[key], np.float32)) for key in OUTPUTS if key in out}
        except Exception as error:  # each kind of model raises its own
            raise Refused(
                f"--model={self.name} cannot embed images of {side} pixels ({_why(error)}); set --image_size?"
            ) from error
        if not found or any(x.ndim != 2 or len(x) != len(faces) for x in found.values()):
            shapes = ", ".join(f"{key} {[*np.shape(x)]}" for key, x in out.items())
            raise Refused(
                f"--model={self.name}: {len(faces)} images became {shapes}; an encoder gives one array of a row each, or"
                f" several called {', '.join(OUTPUTS)}."
            )
        return found


def outputs(out: Any) -> Mapping[str, Any]:
    """Outputs of a model by name: a dict as it is, the one output of others as face_aware, the several of a list by number."""
    if isinstance(out, Mapping):
        return out
    return {f"output {i}": x for i, x in enumerate(out)} if isinstance(out, (list, tuple)) else {"face_aware": out}


def combined(found: Mapping[str, np.ndarray], feature: str, model: str) -> np.ndarray:
    """A feature of what ``Encoder.embed`` returned: [N, D]; 'face+pose' is the sum (Table 7).

    Raises:
      Refused: the model, of this name, has no such feature.
    """
    parts = feature.split("+")
    if missing := [part for part in parts if part not in found]:
        raise Refused(f"--feature={missing[0]}: {model} has {', '.join(found)}.")
    return sum((found[part] for part in parts[1:]), start=found[parts[0]])


def flatten(x: np.ndarray) -> np.ndarray:
    """[N, H, W, C] -> [N, C * H * W], channels first as in the exports; any other shape stays."""
    return np.moveaxis(x, -1, 1).reshape(len(x), -1) if x.ndim == 4 else x


BOXES = pathlib.Path(__file__).parents[1] / "weights"  # encoders that come with the package


def open_encoder(text: str) -> Encoder:
    """Finds and loads an encoder; as ``find_encoder``."""
    return find_encoder(text)()


def find_encoder(text: str, flag: str = "--model") -> Callable[[], Encoder]:
    """Finds an encoder at once; returns the function that loads it.

    Args:
      text: an export; a workdir, for its newest export; a fine-tuning or a probe's .keras, for the encoder in it; any other
        .keras, .onnx or .tflite file; a box, or the name of one in ``BOXES``; 'pixels', 'lbp' or 'hog'.
      flag: by which the text was given, for errors.

    Raises:
      Refused: there is no such encoder; the returned function raises it for one that cannot be loaded.
    """
    if text in handcrafted.EXTRACTORS:
        return lambda: Encoder(text, f"{text}-{handcrafted.VERSION}", handcrafted.EXTRACTORS[text])
    path = pathlib.Path(text)
    if not path.exists() and text in boxes():
        path = BOXES / text
    if (path / "export").is_dir():
        exported = versions(path / "export")
        if not exported:
            raise Refused(f"{flag}={text}: {path / 'export'} holds no version; python -m pcl_tf.export makes one.")
        path = path / "export" / str(exported[-1])
    for inner in ("encoder.keras", "assets/finetuned.keras"):
        path = path / inner if (path / inner).is_file() else path
    formats = {".keras": _keras, ".onnx": _onnx, ".tflite": _tflite}
    opened = _saved_model if (path / "saved_model.pb").is_file() else path.is_file() and formats.get(path.suffix)
    if not opened:
        known = ", ".join([*boxes(), *handcrafted.EXTRACTORS])
        raise Refused(
            f"{flag}={text}: no SavedModel, workdir of pcl_tf.train or .keras, .onnx or .tflite file, nor one of {known}."
        )

    def load() -> Encoder:
        try:
            return opened(text, path)
        except (Refused, ImportError):  # of onnxruntime the command says how it is installed
            raise
        except Exception as error:  # keras, zipfile, h5py, onnxruntime and flatbuffers raise dozens of kinds
            raise Refused(f"--model={path}: cannot be loaded as an encoder ({_why(error)}).") from error

    return load


def boxes() -> list[str]:
    """Names of the encoders that come with the package."""
    return sorted(path.parent.name for path in BOXES.glob("*/encoder.keras"))


def probe_folder(text: str | pathlib.Path) -> pathlib.Path:
    """Where results of a model belong: probe/ in its workdir, or beside a file; in the current folder for baselines."""
    path = pathlib.Path(text)
    if path.is_dir():
        return (path.parent.parent if path.parent.name == "export" else path) / "probe"
    return pathlib.Path("probe") if not path.exists() else path.parent / "probe"


def _why(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _as_float(faces: np.ndarray) -> np.ndarray:
    return faces.astype(np.float32) / np.float32(255.0)


def _side(shape: Any) -> int | None:
    """Side in pixels of the images that an input of this shape takes alone; None if it is left open, or the shape unknown."""
    side = shape[1] if isinstance(shape, (list, tuple)) and len(shape) == 4 else None
    return side if isinstance(side, int) else None


def _saved_model(text: str, path: pathlib.Path) -> Encoder:
    import tensorflow as tf

    module, assets = tf.saved_model.load(str(path)), path / "assets"
    if not hasattr(module, "embed"):
        raise Refused(f"--model={text}: has no endpoint 'embed'; is it an export of pcl_tf?")
    reader = tf.train.load_checkpoint(str(path / "variables" / "variables"))
    # Of the weights and the network: each export of the same ones writes other bytes.
    content: list[object] = [json.dumps((_made(assets)["recipe"] or {}).get("network"), sort_keys=True)]
    for name in sorted(reader.get_variable_to_shape_map()):
        if not name.startswith("_"):  # _all_variables has them again, in an order that is drawn
            value = np.asarray(reader.get_tensor(name))
            content += [f"{name} {value.dtype} {value.shape}", value.tobytes()]
    keras_file = assets / "encoder.keras"
    return Encoder(
        name=text,
        digest=digest(*content),
        run=lambda faces: module.embed(tf.constant(_as_float(faces))),
        keras_file=keras_file if keras_file.is_file() else None,
        **_made(assets),
    )


def _made(folder: pathlib.Path) -> dict[str, Any]:
    """The recipe beside a model, or None, the step of its pre-training, and what a box says of its crops."""
    return {
        "recipe": read_json(folder / "recipe.json") or None,
        "margin": read_json(folder / "box.json").get("margin"),
        "step": read_json(folder / "provenance.json").get("step", 0),
    }


def load_keras(path: str | pathlib.Path) -> Any:
    """The encoder in a .keras file, which may be one from images to answers: a keras.Model that can be trained."""
    import keras

    model = keras.models.load_model(path, compile=False)
    return model if attached(path) is None else next(x for x in model.layers if isinstance(x, keras.Model))


def _keras(text: str, path: pathlib.Path) -> Encoder:
    import tensorflow as tf

    model, head = load_keras(path), attached(path)
    run = tf.function(lambda x: model(x, training=False), reduce_retracing=True)
    side = head.size if head else _side(getattr(model, "input_shape", None))  # a model that is code has none
    beside = [Head.from_bytes(p.read_bytes(), str(p)) for p in sorted(path.parent.glob("heads/*.npz"))]
    made = _made(path.parent)
    return Encoder(
        name=text,
        digest=digest(path.read_bytes()),
        run=lambda faces: run(_as_float(faces)),
        keras_file=path,
        side=side,
        heads=(head,) if head else tuple(beside),
        **made | ({"margin": head.margin} if head else {}),
    )


def _onnx(text: str, path: pathlib.Path) -> Encoder:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (image,), keys = session.get_inputs(), [o.name for o in session.get_outputs()]

    def run(faces: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(keys, session.run(keys, {image.name: _as_float(faces)}), strict=True))

    return Encoder(text, digest(path.read_bytes()), run, side=_side(image.shape))


def _tflite(text: str, path: pathlib.Path) -> Encoder:
    import tensorflow as tf
    from tensorflow.lite.tools import flatbuffer_utils

    flatbuffer_utils.convert_bytearray_to_object(path.read_bytes())  # the interpreter would crash at a file cut short
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the interpreter has a package of its own too, which is not needed
        run = tf.lite.Interpreter(model_path=str(path)).get_signature_runner("embed")
    side = int(run.get_input_details()["images"]["shape"][1])
    return Encoder(text, digest(path.read_bytes()), lambda faces: run(images=_as_float(faces)), side=side)
