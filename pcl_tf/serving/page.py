"""Writes a page that answers in a browser, as a folder that any static server serves: the files in ``web/``, the encoder
with its heads as ONNX, onnxruntime-web, MTCNN and a table of known faces."""

import hashlib
import importlib.metadata
import importlib.util
import json
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pcl_tf.choices import OUTPUTS
from pcl_tf.encoders.encoder import load_keras, outputs
from pcl_tf.encoders.head import Head
from pcl_tf.errors import Refused
from pcl_tf.evaluation.kinds import KINDS
from pcl_tf.faces.search import unit
from pcl_tf.store import atomic_path

if TYPE_CHECKING:
    import keras

    from pcl_tf.faces.model import FaceModel
    from pcl_tf.faces.table import Table

PACKAGE = "onnxruntime-web@1.24.3"
# What the page needs of it, and the SHA-256 of each file: one thread of WebAssembly, no graphics processor.
RUNTIME = {
    "ort.wasm.min.mjs": "d5a6d7bc8ee587648fb3742dde8c0094d17cbd3822a68bbec8ddfcd4f2adb88e",
    "ort-wasm-simd-threaded.mjs": "5687566b1bc1c8cf628d76c2ddb16b2a3b81a7997273d4666564880495088e57",
    "ort-wasm-simd-threaded.wasm": "be0e129949062ad50290ef94683fac8be5bb6156f709e030b7a5f1661a2f6c17",
}
_WEB = pathlib.Path(__file__).parent / "web"


def is_page(folder: pathlib.Path) -> bool:
    """Whether a folder is of ``write_page``, which replaces no other."""
    return all((folder / name).is_file() for name in ("model.json", "page.js"))


def write_page(
    folder: pathlib.Path, model: "FaceModel", *, runtime: dict[str, bytes], table: "Table | None" = None
) -> None:
    """Writes the page: whole, or not at all.

    Args:
      folder: of the page; a page that is there is replaced.
      model: ``FaceModel`` whose encoder has a .keras, with heads.
      runtime: of ``fetch_runtime``.
      table: ``Table`` of which the page names the nearest faces by its first feature, or None.

    Raises:
      Refused: the encoder has no .keras, or its feature is another than the table's.
      ImportError: tf2onnx or onnx is not installed.
    """
    from pcl_tf.serving.export import save_onnx

    encoder, size = model.encoder, model.size
    heads = [head for head in encoder.heads if head.names]
    if encoder.keras_file is None:
        raise Refused(f"--model={encoder.name}: has no .keras in it, of which the page's encoder is made.")
    features, known = encoder.embed(np.zeros([1, size, size, 3], np.uint8)), None
    if table:
        key = next(iter(table.features))
        if table.origin.size != size or key not in features or features[key].shape[1] != table.by().shape[1]:
            what = f"{table.by().shape[1]} numbers a face of {table.origin.size} pixels"
            raise Refused(f"--table: its {key} has {what}; {encoder.name} makes others.")
        known = {"feature": key, "names": table.names.tolist()}
    network = with_heads(load_keras(encoder.keras_file), heads, size)
    with atomic_path(folder, replaces=is_page) as aside:
        shutil.copytree(_WEB, aside)
        for name, data in runtime.items():  # not every server calls .mjs JavaScript, without which no browser runs it
            (aside / "onnxruntime" / name.replace(".mjs", ".js")).write_bytes(data)
        save_onnx(network, aside / "encoder.onnx", size)
        detects = importlib.util.find_spec("mtcnn") is not None
        if detects:
            _write_detector(aside / "detector")
        name, licence = pathlib.PurePath(encoder.name).name, ""
        if encoder.margin is not None:  # a box
            for file in ("LICENSE", "README.md"):
                shutil.copy(encoder.keras_file.with_name(file), aside)
            licence = (aside / "LICENSE").read_text().partition("\n")[0]
        if table:
            (aside / "table.bin").write_bytes(unit(table.by()).astype("<f4").tobytes())
        said = [
            {"name": h.name, "kind": h.kind, "names": h.names, "units": h.units}
            | {"measured": f"{h.error} on {h.measured['task']}"}
            for h in heads
        ]
        about = {"name": name, "size": size, "margin": model.margin, "detector": detects, "about": licence}
        (aside / "model.json").write_text(json.dumps({**about, "heads": said, "table": known}) + "\n")


def with_heads(encoder: "keras.Model", heads: Sequence[Head], size: int) -> "keras.Model":
    """An encoder and its heads as one network.

    Args:
      encoder: float32 [N, S, S, 3] in [0, 1] -> features.
      heads: K of them, none of pairs.
      size: S.

    Returns:
      keras.Model of the same input -> {feature: [N, D]} and 'head0', 'head1' ..: probabilities, or numbers in their units.
    """
    import keras

    from pcl_tf.encoders.stacked import vector_of

    image = keras.Input((size, size, 3), name="image")
    found = {key: x for key, x in outputs(encoder(image)).items() if key in OUTPUTS}
    answers = {}
    for i, head in enumerate(heads):
        layer = keras.layers.Dense(len(head.names), KINDS[head.kind].activation, name=f"head{i}")
        answers[layer.name] = layer(vector_of(found, head.feature))
        layer.set_weights([head.weights, head.bias])
    return keras.Model(image, {**found, **answers})


def _write_detector(folder: pathlib.Path) -> None:
    """Writes MTCNN's three networks as ONNX, float32 [N, H, W, 3] in [-1, 1] -> 'box', 'face', and their licence."""
    import keras
    from mtcnn.stages import StageONet, StagePNet, StageRNet

    from pcl_tf.serving.export import save_onnx

    for name, stage, side in (("p", StagePNet, None), ("r", StageRNet, 24), ("o", StageONet, 48)):
        image = keras.Input((side, side, 3), name="image")
        box, *_, face = stage().model(image)
        save_onnx(keras.Model(image, {"box": box, "face": face}), folder / f"{name}net.onnx", side or 24)
    (licence,) = (f for f in importlib.metadata.files("mtcnn") or () if f.name == "LICENSE")
    shutil.copy(licence.locate(), folder)


def fetch_runtime(given: str | None = None) -> dict[str, bytes]:
    """The files of onnxruntime-web, whose hashes are checked.

    Args:
      given: the package as a .tgz, or a node_modules folder that holds it; None fetches it by npm.

    Returns:
      {name: content} of ``RUNTIME``.

    Raises:
      Refused: npm is not installed or fetches nothing, or a file is missing or another one.
    """
    with tempfile.TemporaryDirectory() as place:
        path, flag = pathlib.Path(given or place), f"--onnxruntime={given}" if given else f"--web: {PACKAGE} by npm"
        if not given:
            command = ["npm", "pack", PACKAGE, "--loglevel=error", "--fetch-retries=1", f"--pack-destination={place}"]
            elsewhere = "or give it by --onnxruntime, as a .tgz or a node_modules folder"
            try:
                done = subprocess.run(command, capture_output=True, text=True, cwd=place)
            except FileNotFoundError:
                raise Refused(
                    f"--web: npm, which fetches {PACKAGE}, is not installed; install it, {elsewhere}."
                ) from None
            if done.returncode:
                said = [line for line in done.stderr.splitlines() if line.strip()] or ["it does not say why"]
                raise Refused(
                    f"--web: npm cannot fetch {PACKAGE} ({said[0].strip()}); is there a network? {elsewhere}."
                )
            (path,) = path.glob("*.tgz")
        try:
            found = _members(path)
        except (OSError, KeyError, tarfile.TarError, EOFError) as error:
            why = str(error).partition("\n")[0]  # tarfile has a line a method
            raise Refused(f"{flag}: is no {PACKAGE} ({why}).") from error
    if wrong := [name for name, data in found.items() if hashlib.sha256(data).hexdigest() != RUNTIME[name]]:
        raise Refused(f"{flag}: {wrong[0]} is another file than that of {PACKAGE}, by its hash.")
    return found


def _members(path: pathlib.Path) -> dict[str, bytes]:
    if path.is_dir():
        inside = path / PACKAGE.partition("@")[0] / "dist"
        return {name: (inside / name).read_bytes() for name in RUNTIME}
    with tarfile.open(path) as packed:
        streams: dict[str, Any] = {name: packed.extractfile(f"package/dist/{name}") for name in RUNTIME}
        return {name: stream.read() for name, stream in streams.items()}
