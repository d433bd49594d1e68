"""Requests that TF Serving replays when it loads a version, so that the first user does not wait for its warm-up."""

import pathlib

import tensorflow as tf

BATCHES = (1, 8, 32)
PATH = "assets.extra/tf_serving_warmup_requests"  # where the server looks


def write_warmup(version: str | pathlib.Path, image_size: int, model: str = "pcl") -> pathlib.Path:
    """Writes PredictionLog records for ``serving_default`` into a version's folder.

    Args:
      version: folder of the SavedModel.
      image_size: side in pixels of the JPEGs in them.
      model: name the server knows the model by.

    Returns:
      pathlib.Path of the TFRecord file.
    """
    from tensorflow_serving.apis import prediction_log_pb2

    random = tf.random.stateless_uniform([image_size, image_size, 3], (0, 0), 0, 256, tf.int32)
    jpeg = tf.io.encode_jpeg(tf.cast(random, tf.uint8)).numpy()
    path = pathlib.Path(version) / PATH
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for batch in BATCHES:
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.name = model
            request.model_spec.signature_name = "serving_default"
            request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto([jpeg] * batch))
            writer.write(log.SerializeToString())
    return path
