"""Writes the SavedModel others load: numbered folders that appear whole."""

import os
import pathlib
import shutil

import keras
import tensorflow as tf

from pcl_tf.data.images import decode_image

KEYS = ("face_aware", "face", "pose")


def save_export(encoder, folder, step, image_size, recipe_json):
    """Exports an encoder as ``folder/<step>``.

    Signatures, both returning float32 'face_aware', 'face', 'pose':
      serving_default(image_bytes: string [N]), decoded and resized to image_size;
      embed(images: float32 [N, H, W, 3] in [0, 1]), of any H and W the encoder takes.

    Args:
      encoder: float32 keras model for image_size or any size.
      folder: parent of the numbered folders.
      step: the version.
      image_size: side in pixels that image files are resized to.
      recipe_json: written to the export's assets, beside ``encoder.keras``, the same encoder for Keras.

    Returns:
      pathlib.Path of the export.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)

    def embed(images):
        out = encoder(images, training=False)
        return {k: tf.cast(out[k], tf.float32, name=k) for k in KEYS}

    def serve(image_bytes):
        faces = tf.map_fn(
            lambda data: decode_image(data, image_size),
            image_bytes,
            fn_output_signature=tf.TensorSpec([image_size, image_size, 3], tf.uint8),
        )
        return embed(tf.cast(faces, tf.float32) / 255.0)

    archive = keras.export.ExportArchive()
    archive.track(encoder)
    archive.add_endpoint("serving_default", serve, [tf.TensorSpec([None], tf.string, "image_bytes")])
    archive.add_endpoint("embed", embed, [tf.TensorSpec(encoder.input_shape, tf.float32, "images")])

    # A name that is no number: TF Serving never picks up a half-written version.
    aside, final = folder / f".{step}.{os.getpid()}.part", folder / str(step)
    try:
        archive.write_out(str(aside), verbose=False)
        (aside / "assets").mkdir(exist_ok=True)
        (aside / "assets" / "recipe.json").write_text(recipe_json)
        encoder.save(aside / "assets" / "encoder.keras")
        if final.exists():
            shutil.rmtree(final)
        os.replace(aside, final)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return final


def save_backbone(encoder, path):
    """Writes the backbone alone as a .keras file that can be fine-tuned, whole or not at all."""
    path = pathlib.Path(path)
    aside = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        encoder.get_layer("backbone").save(aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    return path
