"""Shards by Beam hold the rows of one machine; what is there is not done again."""

import pathlib

import numpy as np
import pyarrow.parquet
import pytest
from PIL import Image

from pcl_tf.errors import Refused
from pcl_tf.faces import shards
from pcl_tf.faces.model import load
from pcl_tf.faces.shards import Work
from tests.helpers.commands import done
from tests.prepare.videos import ramp, write_video

BEAM = ["runner=DirectRunner"]


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "b").mkdir(parents=True)
    for i, name in enumerate(("a.png", "b/c.png", "b/d.png")):
        Image.new("RGB", (40, 30), (20 + 60 * i,) * 3).save(folder / name)
    (folder / "b/e.png").write_bytes(b"no picture")
    write_video(folder / "v.mp4", ramp(4), rate=10)
    return folder


def rows(folder):
    return [row for path in sorted(folder.glob("part-*")) for row in pyarrow.parquet.read_table(path).to_pylist()]


def test_shards_are_in_the_order_of_one_machine(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "LENGTH", 3)
    work = Work(str(photos), str(tmp_path / "out"), ("pixels",), features=())
    parts = shards._shards(work)
    assert [*parts.values()] == [("a.png", "b/c.png", "b/d.png"), ("b/e.png",), ("v.mp4",)]
    for part in parts.items():
        shards.write(work, *part)
    expected = load("pixels").embed(photos)
    found = rows(tmp_path / "out")
    assert [row["name"] for row in found] == expected.names.tolist() and len(found) == 7
    np.testing.assert_array_equal([row["face_aware"] for row in found], expected.by())
    assert "face_aware" in pyarrow.parquet.read_schema(tmp_path / "out/part-00001-of-00003.parquet").names  # has no row
    listed = (tmp_path / "out/_part-00001-of-00003.unreadable.txt").read_text()
    assert listed == "".join(f"{name}\t{why}\n" for name, why in expected.unreadable.items())
    with pytest.raises(Refused, match="pixels has face_aware"):
        shards.write(Work(str(photos), str(tmp_path / "out"), ("pixels",), features=("pose",)), "", ())


@pytest.mark.slow
@pytest.mark.parametrize("command", ["embed", "predict"])
def test_beam_does_the_same_as_one_machine_and_nothing_twice(command, photos, tmp_path, monkeypatch):
    pytest.importorskip("apache_beam", reason="needs requirements-beam.txt")
    monkeypatch.setattr(shards, "LENGTH", 3)
    out, flags = tmp_path / "out", ["--model=faces64", f"--data={photos}"]
    assert "in 3 files" in done(command, *flags, f"--out={out}", f"--beam_pipeline_options={BEAM[0]}").stdout
    done(command, *flags, f"--out={tmp_path / 'one.parquet'}")
    found, expected = rows(out), pyarrow.parquet.read_table(tmp_path / "one.parquet").to_pylist()
    assert len(found) == len(expected) and all(a.keys() == b.keys() for a, b in zip(found, expected, strict=True))
    for a, b in zip(found, expected, strict=True):
        for key, value in b.items():
            assert a[key] == (pytest.approx(value, abs=1e-4) if isinstance(value, (float, list)) else value), key

    (first, *_, last) = sorted(out.glob("part-*"))
    before, _ = first.stat().st_mtime_ns, last.unlink()
    out = out.rename(tmp_path / "moved")
    first = out / first.name
    done(command, *flags, f"--out={out}", f"--beam_pipeline_options={BEAM[0]}")
    assert first.stat().st_mtime_ns == before and rows(out) == found
    refused = done(command, *flags, f"--out={out}", "--fps=5", f"--beam_pipeline_options={BEAM[0]}", code=2)
    assert "holds files of other pictures, models or flags" in refused.stderr
    for wrong in (pathlib.Path("none"), photos / "a.png"):
        ended = done(
            command, *flags[:1], f"--data={wrong}", f"--out={out}", f"--beam_pipeline_options={BEAM[0]}", code=2
        )
        assert "a folder is needed" in ended.stderr
    (tmp_path / "none").mkdir()
    (tmp_path / "none/a.png").write_bytes(b"no picture")
    none = [f"--data={tmp_path / 'none'}", f"--out={tmp_path / 'of_none'}", f"--beam_pipeline_options={BEAM[0]}"]
    assert "nothing in it is readable" in done(command, *flags[:1], *none, code=2).stderr
