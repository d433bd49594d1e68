"""An export behind KServe, a server that is not ours: python kserve_model.py --export=DIR --model_name=pcl --http_port=N.

KServe answers TF Serving's REST form (its "V1 protocol"); what is ours here are these lines and the export.
"""

import argparse
import base64

import kserve
import tensorflow as tf
from kserve import model_server


class Export(kserve.Model):
    """The signature serving_default of a SavedModel."""

    def __init__(self, name, folder):
        super().__init__(name)
        self.folder = folder
        self.load()

    def load(self):
        self.model = tf.saved_model.load(self.folder)  # kept, for the signature holds its variables weakly
        self.serve = self.model.signatures["serving_default"]
        self.ready = True
        return self.ready

    def predict(self, payload, headers=None, response_headers=None):
        images = [base64.b64decode(row["b64"]) for row in payload["instances"]]
        try:
            out = {key: value.numpy().tolist() for key, value in self.serve(image_bytes=tf.constant(images)).items()}
        except tf.errors.InvalidArgumentError as error:
            raise kserve.errors.InvalidInput(error.message) from error
        return {"predictions": [{key: rows[i] for key, rows in out.items()} for i in range(len(images))]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(parents=[model_server.parser], conflict_handler="resolve")
    parser.add_argument("--export", required=True)
    arguments = parser.parse_args()
    kserve.ModelServer().start([Export(arguments.model_name, arguments.export)])
