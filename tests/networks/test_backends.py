"""Keras on PyTorch and JAX reads our .keras files and computes the same. Slow: .ci/run installs torch for these tests alone."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from pcl_tf.faces.box import write_half
from pcl_tf.networks.backbones import BACKBONES
from pcl_tf.networks.encoder import encoder

SCRIPT = """
import pathlib, keras, numpy as np
assert keras.backend.backend() == "{}"
for path in pathlib.Path().glob("*.keras"):
    found = keras.models.load_model(path)(np.load("x.npy"))
    np.savez(path.with_suffix(".npz"), **{{k: keras.ops.convert_to_numpy(x) for k, x in found.items()}})
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder of encoders, one of each backbone and one in half precision, and images."""
    folder, r = tmp_path_factory.mktemp("backends"), np.random.RandomState(0)
    np.save(folder / "x.npy", r.uniform(size=(2, 64, 64, 3)).astype(np.float32))
    for kind in BACKBONES:
        model = encoder(64, backbone=kind, width=1 / 8, portable=True)
        model.set_weights([r.uniform(0.5, 1.5, w.shape) if w.ndim == 1 else w for w in model.get_weights()])
        model.save(folder / f"{kind}.keras")
    write_half(folder / "patch_cnn.keras", folder / "half.keras")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_every_backbone_gives_the_same_numbers(models, backend):
    pytest.importorskip(backend, reason="needs requirements-torch.txt, or jax")
    environment = {**os.environ, "KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run([sys.executable, "-c", SCRIPT.format(backend)], cwd=models, env=environment, check=True)
    for path in models.glob("*.keras"):
        expected, found = keras.models.load_model(path)(np.load(models / "x.npy")), np.load(path.with_suffix(".npz"))
        assert {*found} == {*expected} == {"face_aware", "face", "pose"}
        for key, x in expected.items():
            close = 1e-4 * max(1.0, np.abs(x).max())
            np.testing.assert_allclose(found[key], x, rtol=0, atol=close, err_msg=f"{path.name} {key}")
