"""The two files tensorflow_model_server is started with."""

import pathlib

from pcl_tf.store import write_atomically

NAME = "pcl"

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
      folder: pathlib.Path, made if it is not there.
      name: clients ask for the model by it.
    """
    write_atomically(folder / "models.config", _MODELS % {"name": name})
    write_atomically(folder / "batching.config", _BATCHING)
