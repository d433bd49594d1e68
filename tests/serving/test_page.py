"""The page as a folder: what is in it, the numbers of its encoder and heads, and what stops its export in one line."""

import dataclasses
import hashlib
import io
import json
import os
import stat
import sys
import tarfile

import numpy as np
import pytest

from pcl_tf.encoders.encoder import open_encoder
from pcl_tf.encoders.head import Head
from pcl_tf.errors import Refused
from pcl_tf.faces.model import FaceModel
from pcl_tf.faces.table import Origin, Table
from pcl_tf.serving import page
from tests.helpers.commands import refused
from tests.serving.conftest import SIZE

FILES = {name: f"// {name}".encode() for name in page.RUNTIME}


def packed(path, files):
    """A package of npm with these files."""
    with tarfile.open(path, "w:gz") as out:
        for name, data in files.items():
            entry = tarfile.TarInfo(f"package/dist/{name}")
            entry.size = len(data)
            out.addfile(entry, io.BytesIO(data))
    return path


@pytest.fixture
def pinned(monkeypatch):
    """FILES are those that are pinned."""
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()}
    monkeypatch.setattr(page, "RUNTIME", hashes)


def head(kind, names, feature, width):
    drawn = np.random.RandomState(len(names))
    weights, bias = drawn.normal(size=(width, len(names))).astype(np.float32), drawn.normal(size=len(names))
    measured = {"task": "drawn", "metric": "MAE", "value": 3.25, "interval": [3.0, 3.5]}
    return Head(kind, kind, feature, names, ("degrees",) * len(names), SIZE, "", measured, weights, bias)


def test_a_page_holds_the_encoder_with_its_heads_and_the_table(export, tmp_path, monkeypatch):
    pytest.importorskip("tf2onnx", reason="needs requirements-onnx.txt")
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs requirements-onnx.txt")
    monkeypatch.setitem(sys.modules, "mtcnn", None)  # as where pcl_tf[prepare] is not installed
    encoder = open_encoder(str(export))
    faces = np.random.RandomState(0).randint(0, 256, (3, SIZE, SIZE, 3)).astype(np.uint8)
    found = encoder.embed(faces)
    width = found["pose"].shape[1]
    heads = (
        head("classification", ("sad", "happy"), "face+pose", width),
        head("regression", ("yaw", "pitch", "roll"), "pose", width),
        dataclasses.replace(head("verification", (), "face", width), threshold=0.5),
    )
    encoder = dataclasses.replace(encoder, heads=heads)
    for name in ("model.json", "page.js", "old"):  # a page that is there is replaced
        (tmp_path / "page").mkdir(exist_ok=True)
        (tmp_path / "page" / name).touch()
    table = Table(np.array(["a", "b", "c"]), np.arange(3), {"face": found["face"]}, Origin("", SIZE))
    page.write_page(tmp_path / "page", FaceModel(encoder, SIZE, 1.25), runtime=FILES, table=table)
    parts = {p.relative_to(tmp_path / "page").as_posix() for p in (tmp_path / "page").rglob("*") if p.is_file()}
    assert parts == {p.name for p in page._WEB.iterdir() if p.is_file()} | {
        *("model.json", "encoder.onnx", "table.bin", "onnxruntime/LICENSE", "onnxruntime/ort.wasm.min.js"),
        *("onnxruntime/ort-wasm-simd-threaded.js", "onnxruntime/ort-wasm-simd-threaded.wasm"),
    }
    about = json.loads((tmp_path / "page/model.json").read_text())
    assert (about["size"], about["margin"], about["detector"]) == (SIZE, 1.25, False)
    assert [h["names"] for h in about["heads"]] == [["sad", "happy"], ["yaw", "pitch", "roll"]]
    assert about["heads"][1]["measured"] == "MAE 3.25 [3, 3.5] degrees on drawn"
    assert about["table"] == {"feature": "face", "names": ["a", "b", "c"]}
    rows = np.frombuffer((tmp_path / "page/table.bin").read_bytes(), "<f4").reshape(3, -1)
    np.testing.assert_allclose(rows * np.linalg.norm(found["face"], axis=1, keepdims=True), found["face"], atol=1e-5)

    session = onnxruntime.InferenceSession(str(tmp_path / "page/encoder.onnx"), providers=["CPUExecutionProvider"])
    image, outputs = faces.astype(np.float32) / 255, [o.name for o in session.get_outputs()]
    answers = dict(zip(outputs, session.run(outputs, {"image": image}), strict=True))
    logits = heads[0](found["face"] + found["pose"])
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(answers["head0"], shares, atol=1e-4)
    np.testing.assert_allclose(answers["head1"], heads[1](found["pose"]), atol=1e-4)
    np.testing.assert_allclose(answers["face"], found["face"], atol=1e-5)

    other = {"face": np.ones((3, 3))}
    for wrong in (dataclasses.replace(table, features=other), dataclasses.replace(table, origin=Origin("", 48))):
        with pytest.raises(Refused, match="--table: its face has .* numbers a face of"):
            page.write_page(tmp_path / "other", FaceModel(encoder, SIZE), runtime=FILES, table=wrong)
    with pytest.raises(Refused, match="has no .keras"):
        bare = dataclasses.replace(encoder, keras_file=None)
        page.write_page(tmp_path / "other", FaceModel(bare, SIZE), runtime=FILES)
    assert not (tmp_path / "other").exists()


def test_onnxruntime_out_of_a_package_a_folder_and_npm(pinned, tmp_path, monkeypatch):
    package = packed(tmp_path / "o.tgz", {**FILES, "ort.webgpu.mjs": b"not copied"})
    assert page.fetch_runtime(str(package)) == FILES
    installed = tmp_path / "node_modules/onnxruntime-web/dist"
    installed.mkdir(parents=True)
    for name, data in FILES.items():
        (installed / name).write_bytes(data)
    assert page.fetch_runtime(str(tmp_path / "node_modules")) == FILES
    npm(tmp_path / "bin", f'test "$1 $2" = "pack onnxruntime-web@1.24.3" && cp {package} .', monkeypatch)
    assert page.fetch_runtime() == FILES


def npm(folder, script, monkeypatch):
    """Makes npm this script of a shell."""
    folder.mkdir()
    (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "npm").chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_another_onnxruntime_is_refused(pinned, tmp_path, monkeypatch):
    other = packed(tmp_path / "other.tgz", {**FILES, "ort.wasm.min.mjs": b"// of somebody else"})
    (tmp_path / "no.tgz").write_bytes(b"no package")
    for given, why in (
        (other, "ort.wasm.min.mjs is another file than that of onnxruntime-web@1.24.3, by its hash"),
        (packed(tmp_path / "empty.tgz", {}), "is no onnxruntime-web@1.24.3"),
        (tmp_path / "no.tgz", "is no onnxruntime-web@1.24.3"),
        (tmp_path, "is no onnxruntime-web@1.24.3"),
        (tmp_path / "nowhere.tgz", "No such file"),
    ):
        with pytest.raises(Refused, match=why) as error:
            page.fetch_runtime(str(given))
        assert str(error.value).startswith(f"--onnxruntime={given}") and "\n" not in str(error.value)
    npm(tmp_path / "bin", f"cp {other} .", monkeypatch)
    with pytest.raises(Refused, match="another file"):
        page.fetch_runtime()


def test_an_export_of_a_page_that_cannot_be_made_ends_with_a_line(tmp_path, monkeypatch):
    model = "--model=faces64"
    assert "--model is needed" in refused("export", f"--web={tmp_path / 'page'}")
    assert "--table: has no meaning without --web" in refused("export", f"--workdir={tmp_path}", "--table=t.npz")
    for given in (f"--workdir={tmp_path}", "--image_size=32", "--onnx"):
        said = refused("export", model, f"--web={tmp_path / 'page'}", given)
        assert f"{given.partition('=')[0]}: has no meaning with --web" in said
    npm(tmp_path / "bin", "echo 'npm error code ENOTFOUND' >&2; exit 1", monkeypatch)
    said = refused("export", model, f"--web={tmp_path / 'page'}")
    assert "npm cannot fetch onnxruntime-web@1.24.3 (npm error code ENOTFOUND)" in said and "--onnxruntime" in said
    # Before anything is fetched.
    assert "--table=t.npz: no such file" in refused("export", model, f"--web={tmp_path / 'page'}", "--table=t.npz")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "npm, which fetches" in refused("export", model, f"--web={tmp_path / 'page'}")
    assert [p.name for p in tmp_path.iterdir()] == ["bin"]
