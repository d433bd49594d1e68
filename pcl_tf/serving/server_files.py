"""What tensorflow_model_server reads beside the SavedModel: two files it is started with, and warm-up requests."""

import pathlib

import tensorflow as tf

from pcl_tf.store import write_atomically

NAME = "pcl"
BATCHES = (1, 8, 32)
WARMUP = "assets.extra/tf_serving_warmup_requests"  # where the server looks

# base_path is the folder's name inside the container that README.md here starts.
_MODELS = """model_config_list {
  config {
    name: "%(name)s"
    base_path: "/models/%(name)s"
    model_platform: "tensorflow"
    model_version_policy { latest { num_versions: 1 } }
  }
}
"""

# A merged batch fails as a whole when one image in it cannot be decoded; the client then asks again one by one.
_BATCHING = """max_batch_size { value: 32 }
batch_timeout_micros { value: 2000 }
max_enqueued_batches { value: 64 }
"""


def write_server_files(folder: pathlib.Path, name: str = NAME) -> None:
    """Writes ``models.config`` and ``batching.config`` (text protos) into a folder.

    Args:
      folder: pathlib.Path, made if it does not exist.
      name: clients ask for the model by it.
    """
    write_atomically(folder / "models.config", _MODELS % {"name": name})
    write_atomically(folder / "batching.config", _BATCHING)


def write_warmup(version: str | pathlib.Path, image_size: int, model: str = NAME) -> pathlib.Path:
    """Writes requests that the server replays when it loads a version, so that the first user does not wait for them.

    Args:
      version: folder of the SavedModel.
      image_size: side in pixels of the JPEGs in them.
      model: name the server knows the model by.

    Returns:
      path of the TFRecord file of PredictionLog records for ``serving_default``.
    """
    from tensorflow_serving.apis import prediction_log_pb2

    random = tf.random.stateless_uniform([image_size, image_size, 3], (0, 0), 0, 256, tf.int32)
    jpeg = tf.io.encode_jpeg(tf.cast(random, tf.uint8)).numpy()
    path = pathlib.Path(version) / WARMUP
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
