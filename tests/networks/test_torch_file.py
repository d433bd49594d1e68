"""Parameters of PyTorch networks as arrays. What needs torch is slow, as .ci/run installs it for the slow tests alone."""

import pickle
import sys

import numpy as np
import pytest

from pcl_tf.errors import Refused
from pcl_tf.networks.torch_file import read_arrays
from tests import golden


class Runs:
    """An object whose unpickling runs code."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_arrays_by_name_need_no_torch(tmp_path, monkeypatch, ending):
    monkeypatch.setitem(sys.modules, "torch", None)
    arrays, path = {"module.a.weight": np.eye(3, dtype=np.float16), "b": np.arange(2.0)}, tmp_path / f"best.{ending}"
    if ending == "npz":
        np.savez(path, **arrays)
    else:
        pytest.importorskip("safetensors.numpy", reason="needs requirements-dev.txt").save_file(arrays, path)
    found = read_arrays(path)
    assert {*found} == {"a.weight", "b"} and all(x.dtype == np.float32 for x in found.values())
    np.testing.assert_array_equal(found["a.weight"], np.eye(3))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(Refused, match=f"best.{ending}: no whole checkpoint"):
        read_arrays(path)


def test_objects_in_an_npz_are_not_made(tmp_path):
    np.savez(tmp_path / "best.npz", a=np.array([Runs(tmp_path / "owned")]))
    with pytest.raises(Refused, match="best.npz: no whole checkpoint"):
        read_arrays(tmp_path / "best.npz")
    assert not (tmp_path / "owned").exists()


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="needs requirements-torch.txt")


def state(torch, prefix=""):
    """The fixture's weights as the released module's state dict."""
    tensors = {f"{prefix}{k}": torch.from_numpy(v) for k, v in golden.official_weights().items()}
    return tensors | {f"{prefix}exp_fc.3.num_batches_tracked": torch.tensor(7)}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["plain", "data parallel", "nested", "old format", "half", "parameters"])
def test_all_ways_of_saving_are_read(tmp_path, torch, kind):
    content, options = state(torch, "module." if kind == "data parallel" else ""), {}
    if kind == "nested":
        content = {"epoch": 3, "lr": 0.1, "optimizer": {"state": {}, "param_groups": [1]}, "state_dict": content}
    if kind == "half":
        content = {k: v.half() for k, v in content.items()}
    if kind == "parameters":
        content = {k: torch.nn.Parameter(v) if v.is_floating_point() else v for k, v in content.items()}
    if kind == "old format":
        options = {"_use_new_zipfile_serialization": False}
    torch.save(content, tmp_path / "best.pth", **options)
    arrays = read_arrays(tmp_path / "best.pth")
    for name, expected in golden.official_weights().items():
        np.testing.assert_allclose(arrays[name], expected, atol=1e-3 if kind == "half" else 0)


@pytest.mark.slow
def test_hidden_code_does_not_run(tmp_path, torch):
    torch.save({"state_dict": state(torch), "extra": Runs(tmp_path / "owned")}, tmp_path / "evil.pth")
    (tmp_path / "bare.pkl").write_bytes(pickle.dumps(Runs(tmp_path / "owned")))
    for name in ("evil.pth", "bare.pkl"):
        with pytest.raises(Refused, match="could run code"):
            read_arrays(tmp_path / name)
    assert not (tmp_path / "owned").exists()


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"", b"no checkpoint at all", b"PK\x03\x04 cut short", b"a face", b"X\0"])
def test_files_that_are_none(tmp_path, torch, content):
    (tmp_path / "best.pth").write_bytes(content)
    with pytest.raises(Refused, match="best.pth"):
        read_arrays(tmp_path / "best.pth")


@pytest.mark.slow
def test_tensors_that_are_no_arrays_are_named(tmp_path, torch):
    torch.save({"encoder.weight": torch.eye(2).to_sparse()}, tmp_path / "best.pth")
    with pytest.raises(Refused, match="best.pth: 'encoder.weight': is no plain array of numbers"):
        read_arrays(tmp_path / "best.pth")
