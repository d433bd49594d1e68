"""pcl_tf.predict: rows, files, curves and a copy of a video that has them written over it."""

import csv
import json

import av
import numpy as np
import pyarrow.parquet
import pytest
from PIL import Image

from pcl_tf.encoders.encoder import open_encoder
from pcl_tf.encoders.head import Head, attach
from pcl_tf.encoders.stacked import stacked
from pcl_tf.faces.cut import Cut
from pcl_tf.faces.pictures import Picture
from pcl_tf.predict.pictures import Curves, drawn, overlay
from pcl_tf.prepare.detector import Face
from pcl_tf.tables import writer
from tests.helpers import labelled
from tests.helpers.commands import done, refused
from tests.prepare.videos import ramp, write_video

COLUMNS = {"file": str, "frame": int, "time": float, "face_found": bool, "x": float, "expression": str, "p_sad": float}
ROWS = [
    dict(zip(COLUMNS, ("=a.mp4", 3, 0.125, True, -2.5, "-sad", 1 / 3), strict=True)),
    dict(zip(COLUMNS, ("é,b.png", None, None, False, None, None, None), strict=True)),
]


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_every_format_holds_the_rows(suffix, tmp_path):
    path = tmp_path / f"a.{suffix}"
    with writer(path, COLUMNS) as write:
        for row in ROWS:
            write(row)
        assert not path.exists()
    if suffix == "parquet":
        assert pyarrow.parquet.read_table(path).to_pylist() == ROWS
    elif suffix == "jsonl":
        assert [json.loads(line) for line in path.read_text().splitlines()] == ROWS
    else:
        with open(path, newline="", encoding="utf-8") as f:
            first, second = csv.DictReader(f)
        numbers_stay_numbers = ["'=a.mp4", "3", "0.125", "True", "-2.5", "'-sad", "0.3333333"]
        assert [*first.values()] == numbers_stay_numbers
        assert [*second.values()] == ["é,b.png", "", "", "False", "", "", ""]
    with pytest.raises(ZeroDivisionError), writer(path, COLUMNS) as write:
        write(ROWS[0])
        raise ZeroDivisionError
    assert path.stat().st_size > 50  # what was there


def _cuts(count, side=48):
    """Frames with a face that turns, but for every fourth, which has none."""
    for i in range(count):
        yaw = 60.0 * np.sin(i / 9)
        found = i % 4 != 3
        image = np.full((side + 1, side, 3), 90, np.uint8)  # an odd height
        faces = {(16, 1.5): np.full((int(found), 16, 16, 3), 90, np.uint8)}
        about = {"face_found": found, "x": 12.0, "y": 12.0, "w": 24.0, "h": 24.0}
        said = {"yaw": yaw, "pitch": 0.0, "roll": 0.0, "expression": "sad", "p_sad": 0.75}
        row = {**about, **said} if found else {**dict.fromkeys([*about, *said]), "face_found": False}
        yield Cut(Picture("v", image, i, i / 10 + (i > 5)), ((12.0, 12.0, 24.0, 24.0),) * found, faces), [row]


def test_curves_are_drawn_and_only_a_few_faces_are_held(tmp_path):
    curves = Curves([("pose", {name: name for name in ("yaw", "pitch", "roll")}), ("expression", {"p_sad": "sad"})])
    for one, rows in _cuts(200):
        curves.add(one, rows)
    assert 12 <= len(curves._faces) <= 24 and np.isnan(curves._values["yaw"][3]) and len(curves._time) == 200
    curves.draw(tmp_path / "c.png")
    assert np.asarray(Image.open(tmp_path / "c.png").convert("L")).std() > 5


def test_an_overlay_keeps_the_times_of_the_frames(tmp_path):
    with overlay(tmp_path / "o.mp4") as out:
        for one, rows in _cuts(9):
            out.add(one, rows)
        out.add(Cut(Picture("v", b""), (), {}, "cut short"), [])
    with av.open(tmp_path / "o.mp4") as f:
        frames = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in f.decode(video=0)]
    np.testing.assert_allclose([time for time, _ in frames], [i / 10 + (i > 5) for i in range(9)], atol=1e-3)
    assert frames[0][1].shape == (48, 48, 3)
    assert frames[3][1].std() < 3 < frames[4][1].std()  # the fourth has no face


def test_the_axis_out_of_the_face_points_where_the_nose_does():
    def blue(**angles):
        row = {"face_found": True, "x": 10.0, "y": 10.0, "w": 80.0, "h": 80.0, "yaw": 0.0, "pitch": 0.0, "roll": 0.0}
        image = drawn(np.zeros((100, 100, 3), np.uint8), [row | angles]).astype(int)
        y, x = np.nonzero((image[..., 2] > 200) & (image[..., 0] < 50))
        return x.mean() - 50, y.mean() - 50

    assert blue(yaw=60.0)[0] > 10 and blue(yaw=-60.0)[0] < -10
    assert blue(pitch=60.0)[1] < -10 and blue(yaw=60.0, roll=90.0)[1] > 10


def test_the_command_answers_for_a_video(tmp_path, monkeypatch):
    labelled.encoder().save(tmp_path / "e.keras")
    encoder = open_encoder(str(tmp_path / "e.keras"))
    width = encoder.embed(np.zeros((1, 32, 32, 3), np.uint8))["face"].shape[1]
    weights = np.random.RandomState(0).normal(size=(width, 3)).astype(np.float32)
    names = ("yaw", "pitch", "roll")
    head = Head("pose", "regression", "face", names, ("degrees",) * 3, 32, "", {}, weights, np.zeros(3))
    stacked(encoder, "face", 32, layer=(weights, head.bias), activation="linear").save(tmp_path / "pose.keras")
    attach(head, tmp_path / "pose.keras")
    write_video(tmp_path / "v.mp4", ramp(12, side=64), rate=10)

    def detect(image):
        return [] if image.mean() > 30 else [Face((20.0, 20.0, 16.0, 16.0), np.zeros((5, 2)))]

    monkeypatch.setattr("pcl_tf.prepare.detector.detect", detect)
    asked = ["predict", f"--model={tmp_path}/pose.keras", f"--data={tmp_path}/v.mp4"]
    assert "--out=x.txt: the name must end in .csv, .parquet, .jsonl" in refused(*asked, "--out=x.txt")
    assert "--align: has no meaning without --detect" in refused(*asked, "--out=x.csv", "--align")
    others = [f"--plot={tmp_path}/c.png", f"--overlay={tmp_path}/o.mp4", "--detect", "--fps=5"]
    said = done(*asked, f"--out={tmp_path}/a.csv", *others)
    assert "6 rows, 2 pictures without a face" in said.stdout and "100%" in said.stderr and "frame" in said.stderr
    with open(tmp_path / "a.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    got = [(r["frame"], r["time"], r["face_found"]) for r in rows[3:5]]
    assert got == [("6", "0.6", "True"), ("8", "0.8", "False")]
    assert (tmp_path / "c.png").stat().st_size > 1000
    with av.open(tmp_path / "o.mp4") as f:
        assert [round(frame.time, 2) for frame in f.decode(video=0)] == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    (tmp_path / "wide").mkdir()
    Image.new("RGB", (400, 100)).save(tmp_path / "wide/a.png")
    (tmp_path / "wide/b.png").write_bytes(b"no picture")
    asked[2] = f"--data={tmp_path}/wide"
    assert "--overlay: is of one video" in refused(*asked, "--out=x.csv", "--overlay=o.mp4")
    said = done(*asked, f"--out={tmp_path}/a.jsonl").stdout
    assert "1 pictures do not look like a face cut out" in said and "1 pictures are unreadable" in said
    assert (tmp_path / "a.jsonl.unreadable.txt").read_text().startswith("b.png\t")
    asked[2] = f"--data={tmp_path}/wide/b.png"
    said = done(*asked, f"--out={tmp_path}/b.csv", code=2).stderr.splitlines()[-1]  # before it the bar
    assert "wide/b.png: nothing in it is readable. The first unreadable: b.png: no JPEG" in said
    assert not (tmp_path / "b.csv").exists()
