"""Frozen encoders of every kind a probe takes: uint8 faces in, named features out."""

import dataclasses
import hashlib
import json
import pathlib
import struct
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from pcl_tf.errors import Refused
from pcl_tf.evaluation import handcrafted
from pcl_tf.provenance import recipe_hash
from pcl_tf.store import versions

FEATURES = ("face_aware", "face", "pose", "face+pose")


@dataclasses.dataclass(frozen=True)
class Encoder:
    """A frozen encoder.

    Attributes:
      name: what the user gave.
      digest: of its content, names its cached features.
      embed: uint8 [n, S, S, 3] -> {feature: float32 [n, D]}.
      step: of pre-training, 0 where there is none.
      recipe: what it was trained by, or None.
      keras_file: the same encoder as a .keras file, or None.
      side: of the images in pixels, where it takes one size alone; else None.
    """

    name: str
    digest: str
    embed: Callable[[np.ndarray], dict[str, np.ndarray]]
    step: int = 0
    recipe: dict[str, Any] | None = None
    keras_file: pathlib.Path | None = None
    side: int | None = None

    @property
    def recipe_hash(self) -> str | None:
        """Sixteen hex digits of the recipe, or None."""
        if self.recipe is None:
            return None
        return recipe_hash(json.dumps(self.recipe))


def open_encoder(text: str) -> Encoder:
    """Opens an export, the newest export of a workdir, a .keras, .onnx or .tflite file, or 'pixels', 'lbp', 'hog'.

    Raises:
      Refused: nothing there, or nothing that can be loaded.
    """
    if text in handcrafted.EXTRACTORS:
        extract = handcrafted.EXTRACTORS[text]
        return Encoder(text, f"{text}-{handcrafted.VERSION}", lambda faces: {"face_aware": extract(faces)})
    path = pathlib.Path(text)
    if (path / "export").is_dir():
        exported = versions(path / "export")
        if not exported:
            raise Refused(f"--model={text}: {path / 'export'} holds no version; python -m pcl_tf.export makes one.")
        path = path / "export" / str(exported[-1])
    if (path / "saved_model.pb").is_file():
        return _saved_model(text, path)
    if path.suffix == ".keras" and path.is_file():
        return _keras(text, path)
    if path.suffix == ".onnx" and path.is_file():
        return _onnx(text, path)
    if path.suffix == ".tflite" and path.is_file():
        return _tflite(text, path)
    known = ", ".join(handcrafted.EXTRACTORS)
    raise Refused(
        f"--model={text}: no SavedModel, workdir of pcl_tf.train or .keras, .onnx or .tflite file, nor one of {known}."
    )


def probe_folder(text: str | pathlib.Path) -> pathlib.Path:
    """Where what is measured of a model is kept: probe/ in the workdir it belongs to, else beside where it stands."""
    path = pathlib.Path(text)
    if path.is_dir():
        return (path.parent.parent if path.parent.name == "export" else path) / "probe"
    return pathlib.Path("probe") if not path.exists() else path.parent / "probe"


def _digest(files: Iterable[pathlib.Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _digest_of_weights(folder: pathlib.Path, recipe: dict[str, Any] | None) -> str:
    """Of an export's weights and network: other bytes are written at each export of the same ones."""
    reader = tf.train.load_checkpoint(str(folder / "variables"))
    digest = hashlib.sha256(json.dumps((recipe or {}).get("network"), sort_keys=True).encode())
    for name in sorted(reader.get_variable_to_shape_map()):
        if not name.startswith("_"):  # _all_variables has them again, in an order that is drawn
            value = np.asarray(reader.get_tensor(name))
            digest.update(f"{name} {value.dtype} {value.shape}".encode() + value.tobytes())
    return digest.hexdigest()[:16]


def _json(path: pathlib.Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text()) if path.is_file() else None
    except ValueError as error:
        raise Refused(f"{path}: is damaged ({error}); python -m pcl_tf.export makes another export.") from error


def _as_float(faces: np.ndarray) -> tf.Tensor:
    return tf.cast(faces, tf.float32) / 255.0


def _saved_model(text: str, path: pathlib.Path) -> Encoder:
    try:
        module = tf.saved_model.load(str(path))
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise Refused(f"--model={text}: {path} cannot be loaded ({str(error).splitlines()[0]}).") from error
    if not hasattr(module, "embed"):
        raise Refused(f"--model={text}: has no endpoint 'embed'; is it an export of pcl_tf?")
    assets = path / "assets"
    recipe, made = (_json(assets / name) for name in ("recipe.json", "provenance.json"))
    keras_file = assets / "encoder.keras"

    def embed(faces: np.ndarray) -> dict[str, np.ndarray]:
        try:
            out = module.embed(_as_float(faces))
        except (ValueError, TypeError) as error:  # a Transformer's export takes images of one size alone
            side = faces.shape[1]
            raise Refused(f"--model={text} takes no images of {side} pixels; set --image_size.") from error
        return {k: v.numpy() for k, v in out.items()}

    return Encoder(
        name=text,
        digest=_digest_of_weights(path / "variables", recipe),
        embed=embed,
        step=made["step"] if made else 0,
        recipe=recipe,
        keras_file=keras_file if keras_file.is_file() else None,
    )


def _side(text: str, shape: Sequence[Any]) -> int | None:
    """Side in pixels of the images that a model takes alone, or None; shape: of its input, sizes left open no int.

    Raises:
      Refused: the input is no batch of square colour images.
    """
    known = [size if isinstance(size, int) else None for size in shape]
    if len(known) != 4 or known[1] != known[2] or known[3] not in (3, None):
        raise Refused(f"--model={text}: takes {[*shape]}, and no square colour images [N, S, S, 3].")
    return known[1]


def _check_side(text: str, side: int | None, faces: np.ndarray) -> None:
    """Raises Refused: the images have another side than the model takes."""
    if side and faces.shape[1] != side:
        raise Refused(f"--model={text} takes images of {side} pixels alone; set --image_size={side}.")


def _keras(text: str, path: pathlib.Path) -> Encoder:
    import keras

    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as error:  # keras, zipfile and h5py raise a dozen kinds
        said = (str(error) or type(error).__name__).splitlines()[0]
        raise Refused(f"--model={text}: cannot be loaded ({said}).") from error
    try:
        shape = model.input_shape
    except (AttributeError, ValueError):  # of a model that is code, and says its input to nobody
        shape = (None, None, None, 3)
    if not isinstance(shape, tuple):  # a list or dict of several
        raise Refused(f"--model={text}: takes {len(shape)} inputs, and not images alone.")
    side = _side(text, shape)
    run = tf.function(lambda x: model(x, training=False), reduce_retracing=True)

    def embed(faces: np.ndarray) -> dict[str, np.ndarray]:
        _check_side(text, side, faces)
        out = run(_as_float(faces))
        out = out if isinstance(out, dict) else {"face_aware": out}
        return {k: flatten(tf.cast(v, tf.float32).numpy()) for k, v in out.items() if k in FEATURES}

    return Encoder(text, _digest([path]), embed, keras_file=path, side=side)


def _onnx(text: str, path: pathlib.Path) -> Encoder:
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a dozen kinds of its own
        raise Refused(f"--model={text}: cannot be loaded ({str(error).splitlines()[0]}).") from error
    keys = [o.name for o in session.get_outputs()]
    if len(session.get_inputs()) != 1 or not set(keys) & set(FEATURES):
        raise Refused(f"--model={text}: no encoder that pcl_tf.export --onnx wrote; its outputs are {', '.join(keys)}.")
    image = session.get_inputs()[0]
    side = _side(text, image.shape)

    def embed(faces: np.ndarray) -> dict[str, np.ndarray]:
        _check_side(text, side, faces)
        found = session.run(keys, {image.name: faces.astype(np.float32) / np.float32(255.0)})
        return {k: np.asarray(x, np.float32) for k, x in zip(keys, found, strict=True) if k in FEATURES}

    return Encoder(text, _digest([path]), embed, side=side)


def _tflite(text: str, path: pathlib.Path) -> Encoder:
    from tensorflow.lite.tools import flatbuffer_utils

    try:
        flatbuffer_utils.convert_bytearray_to_object(
            path.read_bytes()
        )  # the interpreter would crash at a file cut short
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the interpreter has a package of its own too, which is not needed
            run = tf.lite.Interpreter(model_path=str(path)).get_signature_runner("embed")
        side = int(run.get_input_details()["images"]["shape"][1])
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, struct.error) as error:
        why = (str(error).splitlines() or [""])[0]
        raise Refused(f"--model={text}: no encoder that pcl_tf.export --tflite wrote ({why}).") from error

    def embed(faces: np.ndarray) -> dict[str, np.ndarray]:
        _check_side(text, side, faces)
        found = run(images=faces.astype(np.float32) / np.float32(255.0))
        return {k: np.array(x, np.float32) for k, x in found.items() if k in FEATURES}

    return Encoder(text, _digest([path]), embed, side=side)


def flatten(x: np.ndarray) -> np.ndarray:
    """[N, H, W, C] -> [N, C * H * W], channels first as in the exports; [N, D] stays."""
    return x if x.ndim == 2 else np.moveaxis(x, -1, 1).reshape(len(x), -1)
