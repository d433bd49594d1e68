"""Probes of whole photographs: the faces in them are found first, or a note says that they are not."""

import csv
import json

import numpy as np
from PIL import Image

from pcl_tf.encoders.head import attached
from pcl_tf.prepare.detector import Face
from tests.helpers import labelled
from tests.helpers.commands import done, refused

SIDE = 40  # of a face


def photograph(r, shade):
    """A scene of noise with a face of one shade in it, and a smaller face of the other shade."""
    image = r.randint(0, 256, (100, 200, 3), np.uint8)
    x, y = r.randint(0, 90), r.randint(0, 50)
    image[y : y + SIDE, x : x + SIDE], image[10:30, 160:180] = shade, 255 - shade
    return image


def detect(image):
    """The faces of ``photograph``, the smaller one first; none where there is no noise."""
    if image.std() < 5:
        return []
    plain = np.lib.stride_tricks.sliding_window_view((np.diff(image[..., 0].astype(int)) == 0)[:, :150], (1, SIDE - 1))
    (y, x), *_ = np.argwhere(plain.all((2, 3)))
    return [Face((160.0, 10.0, 20.0, 20.0), np.zeros((5, 2))), Face((float(x), float(y), SIDE, SIDE), np.zeros((5, 2)))]


def test_a_probe_of_photographs_sees_the_largest_face_of_each_and_predict_sees_the_same(tmp_path, monkeypatch):
    r, rows = np.random.RandomState(0), ["path,age,sex,split"]
    for i in range(40):
        Image.fromarray(photograph(r, (60, 200)[i % 2])).save(tmp_path / f"{i}.png")
        rows.append(f"{i}.png,{i},{'fm'[i % 2]},{('train', 'test')[i >= 20]}")
    Image.new("RGB", (200, 100)).save(tmp_path / "39.png")
    (tmp_path / "m.csv").write_text("\n".join(rows))
    labelled.encoder().save(tmp_path / "e.keras")
    (tmp_path / "box.json").write_text('{"margin": 1.0}')
    asked = ["probe", f"--model={tmp_path}/e.keras", f"--task=classification:{tmp_path}/m.csv", "--targets=sex"]
    asked += ["--image_size=32", "--feature=face", f"--out={tmp_path}/out"]
    assert "--align: has no meaning without --detect" in refused(*asked, "--align")
    said = done(*asked)
    assert (
        "m-sex: 40 of the first 40 pictures do not look like a face cut out. --detect finds the faces." in said.stderr
    )
    monkeypatch.setattr("pcl_tf.prepare.detector.detect", detect)
    said = done(*asked, "--detect")
    assert "1 of 40 images cannot be read and are left out: 39.png (no face is found)" in said.stderr
    _, row = json.loads((tmp_path / "out/result.json").read_text())["results"]
    assert (row["task"], row["value"], row["counts"]["test"]) == ("m-sex-faces", 1.0, 19)
    path = row["probe"]
    assert said.stdout.count(path) == 1 and f"--model={path} --data=PICTURES --out=a.csv --detect" in said.stdout
    assert "[" not in path and (attached(path).name, attached(path).margin) == ("sex", 1.0)
    done("predict", f"--model={path}", f"--data={tmp_path}/m.csv", f"--out={tmp_path}/a.csv", "--detect")
    with open(tmp_path / "a.csv", newline="") as f:
        answers = [line for line in csv.DictReader(f) if line["w"] == str(SIDE)]
    assert [line["sex"] for line in answers] == ["f", "m"] * 19 + ["f"] and {"p_f", "p_m"} <= {*answers[0]}
