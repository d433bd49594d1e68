"""Histograms on request."""

import types

import keras
import numpy as np
import tensorflow as tf

from pcl_tf.training.board import Record


def test_histograms_are_of_every_trained_weight_and_feature(tmp_path):
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, name="dense"), keras.layers.BatchNormalization()], name="small"
    )
    watcher = types.SimpleNamespace(
        model=model,
        writer=tf.summary.create_file_writer(str(tmp_path)),
        embed=lambda faces: {"face": faces.reshape(len(faces), -1) / 255.0},
        faces=np.arange(96, dtype=np.uint8).reshape(2, 4, 4, 3),
    )
    Record.histograms(watcher, 7)
    found = {}
    for path in tmp_path.iterdir():
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            found |= {v.tag: (event.step, tf.make_ndarray(v.tensor)) for v in event.summary.value}
    assert set(found) == {f"weights/{v.path}" for v in model.trainable_variables} | {"features/face"}
    step, bins = found["features/face"]
    assert step == 7 and bins[:, 2].sum() == 96 and bins[-1, 1] <= 95 / 255 + 1e-6
    assert found["weights/small/dense/kernel"][1][:, 2].sum() == 12
