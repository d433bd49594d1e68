"""The encoder for phones and small boards: a .tflite file converted from the SavedModel."""

import pathlib
import tempfile

import tensorflow as tf

from pcl_tf.store import write_atomically

FILES = {False: "encoder.tflite", True: "encoder-quantized.tflite"}  # by whether weights are 8 bits


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
