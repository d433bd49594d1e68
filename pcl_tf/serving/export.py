"""Writes the SavedModel that others load, in numbered folders that appear whole, with warm-up requests for the server."""

import contextlib
import pathlib
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from pcl_tf.choices import OUTPUTS
from pcl_tf.data.in_graph import decode_face, provided, work
from pcl_tf.errors import Refused
from pcl_tf.provenance import provenance
from pcl_tf.serving.card import write_card
from pcl_tf.store import atomic_path, remove, versions, write_atomically

# Images of a request that are decoded at the same time: a request takes at most this many times the memory that one
# image may be unpacked to (README.md here, "Hostile images").
DECODED_AT_ONCE = 4
# Images that a request may have, and that go through the network together: 10,000 pictures of one pixel, 700 kB, would
# take 17 GB in the paper's network.
MOST_IMAGES, SLICE = 1024, 64
# Pixels, times the scans of a JPEG, that a request may have: some ten seconds of a processor. Each image has a bound of an
# eighth of that, which a file of 16 kB can reach.
MOST_WORK = 2**33

NAME = "pcl"  # clients ask for the model by it
WARMUP = "assets.extra/tf_serving_warmup_requests"  # where the server looks
_WARMED = (1, 8, 32)  # images of the requests in it
TFLITE = {False: "encoder.tflite", True: "encoder-quantized.tflite"}  # names, by whether weights are 8 bits


@contextlib.contextmanager
def constant_weights() -> Iterator[None]:
    """Within, encoders are built whose SavedModel has no trainable weight, so that layers on it leave it frozen.

    For Keras the weights stay trainable: a .keras file of the encoder can be fine-tuned.
    """

    def constant(creator: Callable[..., tf.Variable], **arguments: Any) -> tf.Variable:
        return creator(**{**arguments, "trainable": False})

    with tf.variable_creator_scope(constant):
        yield


def in_slices(
    network: Callable[[tf.Tensor], dict[str, tf.Tensor]], image_size: int
) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """Turns a network of images into one of image files, which are decoded and resized as for training.

    It takes ``SLICE`` files at a time, so that memory does not grow with a request.

    Args:
      network: float32 [N, S, S, 3] in [0, 1] -> {name: [N, ...]}.
      image_size: S.

    Returns:
      string [N] -> {name: [N, ...]}; in a graph, a request of no image, of more than ``MOST_IMAGES`` or of an unreadable
      one fails with INVALID_ARGUMENT.
    """

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def of_files(files: tf.Tensor) -> dict[str, tf.Tensor]:  # one graph, which both calls below share
        faces = tf.map_fn(
            lambda data: decode_face(data, image_size),
            files,
            fn_output_signature=tf.TensorSpec([image_size, image_size, 3], tf.uint8),
            parallel_iterations=DECODED_AT_ONCE,
        )
        return network(tf.cast(faces, tf.float32) / 255.0)

    def served(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        count = tf.size(image_bytes)
        with provided(
            (count > 0, "the request has no image"),
            (count <= MOST_IMAGES, f"the request has more than {MOST_IMAGES} images"),
        ):
            costs = tf.map_fn(work, image_bytes, fn_output_signature=tf.TensorSpec([], tf.int64))
        with provided(
            (tf.reduce_sum(costs) <= MOST_WORK, "the request takes too long to decode: send fewer images in one")
        ):
            image_bytes = tf.identity(image_bytes)

        def slice_at(start: tf.Tensor | int) -> dict[str, tf.Tensor]:
            return of_files(image_bytes[start : start + SLICE])

        def more(start: tf.Tensor, out: dict[str, tf.Tensor]) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
            return start + SLICE, {k: tf.concat([out[k], v], 0) for k, v in slice_at(start).items()}

        first = slice_at(0)
        shapes = (tf.TensorShape([]), {k: tf.TensorShape([None, *v.shape[1:]]) for k, v in first.items()})
        return tf.while_loop(
            lambda start, _: start < count, more, (tf.constant(SLICE), first), shapes, parallel_iterations=1
        )[1]

    return served


def save_export(
    encoder: keras.Model,
    folder: str | pathlib.Path,
    *,
    step: int,
    image_size: int,
    recipe_json: str,
    version: int | None = None,
    keep: int = 3,
) -> pathlib.Path:
    """Exports an encoder as ``folder/<version>``, as tensorflow_model_server expects it.

    Signatures, both returning float32 'face_aware', 'face', 'pose':
      serving_default(image_bytes: string [N]), decoded and resized to image_size;
      embed(images: float32 [N, H, W, 3] in [0, 1]), of any H and W the encoder takes.
    Beside them: ``assets/recipe.json``, ``assets/provenance.json``, ``assets/encoder.keras`` (the same encoder for
    Keras), the server's warm-up requests, and README.md, the model card, filled from what lies in the folder's parent.

    Args:
      encoder: float32 keras model for image_size or any size, built under ``constant_weights``.
      folder: parent of the numbered folders.
      step: of pre-training.
      image_size: side in pixels that image files are resized to.
      recipe_json: the recipe of its training.
      version: number of the folder; None is step. A folder of this number is replaced.
      keep: how many versions stay, those with the highest numbers; 0 is all.

    Returns:
      pathlib.Path of the export.

    Raises:
      Refused: a folder of this number exists and is no export.
    """
    folder, version = pathlib.Path(folder), step if version is None else version
    target = folder / str(version)
    check_version(target)

    def embed(images: tf.Tensor) -> dict[str, tf.Tensor]:
        out = encoder(images, training=False)
        return {k: tf.cast(out[k], tf.float32, name=k) for k in OUTPUTS}

    archive = keras.export.ExportArchive()
    archive.track(encoder)
    files = tf.TensorSpec([None], tf.string, "image_bytes")
    archive.add_endpoint("serving_default", in_slices(embed, image_size), [files])
    archive.add_endpoint("embed", embed, [tf.TensorSpec(encoder.input_shape, tf.float32, "images")])

    with written(archive, target, image_size, recipe_json=recipe_json, step=step) as aside:
        encoder.save(aside / "assets/encoder.keras")
        write_card(aside, folder.parent)
    if keep:
        made_here = [v for v in versions(folder) if replaceable(folder / str(v))]
        for old in set(made_here[:-keep]) - {version}:
            remove(folder / str(old))
    return target


@contextlib.contextmanager
def written(
    archive: keras.export.ExportArchive, target: pathlib.Path, image_size: int, *, recipe_json: str, step: int
) -> Iterator[pathlib.Path]:
    """Writes an archive with its recipe, provenance and warm-up requests, as a folder that appears whole at the end.

    Args:
      archive: with its endpoints.
      target: numbered folder; an export of that name is replaced.
      image_size: side in pixels of the images in the warm-up requests.
      recipe_json, step: the recipe of its training, and how many steps.

    Yields:
      pathlib.Path of the folder until then, to which more can be written.
    """
    with atomic_path(target, replaces=replaceable) as aside:
        archive.write_out(str(aside), verbose=False)
        assets = aside / "assets"
        assets.mkdir(exist_ok=True)
        (assets / "recipe.json").write_text(recipe_json)
        (assets / "provenance.json").write_text(provenance(recipe_json, step))
        _write_warmup(aside, image_size)
        yield aside


def _write_warmup(export: pathlib.Path, image_size: int) -> None:
    """Writes requests that the server replays when it loads a version, so that its first user does not wait."""
    from tensorflow_serving.apis import prediction_log_pb2

    random = tf.random.stateless_uniform([image_size, image_size, 3], (0, 0), 0, 256, tf.int32)
    jpeg = tf.io.encode_jpeg(tf.cast(random, tf.uint8)).numpy()
    (export / WARMUP).parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(export / WARMUP)) as writer:
        for images in _WARMED:
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.name, request.model_spec.signature_name = NAME, "serving_default"
            request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto([jpeg] * images))
            writer.write(log.SerializeToString())


def replaceable(folder: pathlib.Path) -> bool:
    """Whether nothing is lost with a folder that is replaced by an export: it is one itself, or empty."""
    parts = ("saved_model.pb", "assets/recipe.json")
    return all((folder / name).is_file() for name in parts) or (folder.is_dir() and not any(folder.iterdir()))


def check_version(target: pathlib.Path) -> None:
    """Refuses a folder that would be replaced and is no export. Raises Refused."""
    if target.exists() and not replaceable(target):
        raise Refused(f"{target}: is no export; it is left as it is. Move it, or give another --version.")


def save_backbone(encoder: keras.Model, path: str | pathlib.Path) -> pathlib.Path:
    """Writes the backbone alone as a .keras file that can be fine-tuned, whole or not at all."""
    with atomic_path(path) as aside:
        encoder.get_layer("backbone").save(aside)
    return pathlib.Path(path)


def is_hub(folder: pathlib.Path) -> bool:
    """Whether a folder is of ``save_hub``, which replaces no other."""
    return (folder / "model.weights.h5").is_file()


def save_hub(export: pathlib.Path, folder: str | pathlib.Path) -> None:
    """Writes what ``keras.saving.load_model("hf://OWNER/NAME")`` loads of a repository: a .keras unpacked, and the card.

    Args:
      export: of an encoder.
      folder: a folder of this kind is replaced, of any other Refused is raised.
    """
    with atomic_path(folder, replaces=is_hub) as aside:
        with zipfile.ZipFile(export / "assets/encoder.keras") as file:
            file.extractall(aside)
        card = (export / "README.md").read_text(encoding="utf-8")
        card = card.replace('"tensorflow"', '"keras"', 1)  # library_name, by which the hub shows how to load it
        (aside / "README.md").write_text(card, encoding="utf-8")


def save_onnx(encoder: keras.Model, path: str | pathlib.Path, image_size: int) -> pathlib.Path:
    """Writes the encoder as ONNX (needs tf2onnx): 'image' float32 [N, H, W, 3] in [0, 1] -> the three features.

    Args:
      encoder: float32 keras model.
      path: of the file.
      image_size: a side in pixels the encoder takes.

    Returns:
      pathlib.Path of the file.

    Raises:
      ImportError: tf2onnx or onnx is not installed.
    """
    import onnx  # noqa: F401 - keras would name neither package
    import tf2onnx  # noqa: F401

    encoder(tf.zeros([1, image_size, image_size, 3]))  # Keras exports only what was called once
    with atomic_path(path) as aside:
        encoder.export(aside, format="onnx", verbose=False)
    return pathlib.Path(path)


def save_tflite(
    export: str | pathlib.Path, path: str | pathlib.Path, image_size: int, *, quantize: bool = False
) -> pathlib.Path:
    """Converts an export.

    Its one signature is the export's ``embed``: 'images' float32 [N, S, S, 3] in [0, 1] -> 'face_aware', 'face', 'pose'
    float32 [N, D]. N is what the input is resized to; the side is fixed.

    Args:
      export: folder of a SavedModel of ``save_export``.
      path: of the file.
      image_size: S, a side in pixels the encoder takes.
      quantize: whether weights become 8-bit integers (dynamic-range quantisation): a third to a quarter of the size, and
        features whose cosine with the SavedModel's is above 0.99 instead of equal ones.

    Returns:
      pathlib.Path of the file.
    """
    loaded = tf.saved_model.load(str(export))
    fixed = tf.Module()
    fixed.loaded = loaded  # keeps its weights
    images = tf.TensorSpec([None, image_size, image_size, 3], tf.float32, "images")
    fixed.embed = tf.function(lambda images: loaded.embed(images), input_signature=[images])
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(fixed, folder, signatures={"embed": fixed.embed.get_concrete_function()})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["embed"])
        if quantize:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        data = converter.convert()
    write_atomically(path, data)
    return pathlib.Path(path)
