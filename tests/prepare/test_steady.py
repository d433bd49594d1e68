"""DISFA's faces, cut out of frames so that the cut follows the face and does not tremble."""

import io
import pathlib

import numpy as np
import pytest
import skimage
from PIL import Image

from pcl_tf.data.sources import Broken, Source
from pcl_tf.errors import Refused
from pcl_tf.evaluation.tasks import open_task
from pcl_tf.prepare import detector, steady
from pcl_tf.prepare.benchmarks import prepare_benchmark
from tests.evaluation import layouts
from tests.prepare.videos import write_video


def test_lines_between_what_is_known():
    found = np.full((21, 3), np.nan)
    found[[0, 10, 20]] = [[0, 50, 30], [20, 50, 30], [40, 50, 30]]
    squares = steady.steady(found)
    assert np.isfinite(squares).all()
    np.testing.assert_allclose(squares[:, 1:], np.tile([50.0, 30.0], (21, 1)))
    assert (np.diff(squares[:, 0]) >= 0).all() and np.diff(squares[:, 0]).max() <= 2 + 1e-9


def test_one_wrong_box_moves_nothing_and_noise_is_halved():
    random = np.random.default_rng(0)
    found = np.tile([100.0, 200.0, 80.0], (101, 1)) + random.normal(0, 3, (101, 3))
    found[50] = 400, 10, 300
    squares = steady.steady(found)
    assert np.abs(squares - [100, 200, 80]).max() < 8
    others = np.arange(101) != 50
    assert squares[others].std() < found[others].std()
    assert np.abs(np.diff(squares, axis=0)).mean() < 0.5 * np.abs(np.diff(found[others], axis=0)).mean()


def frames(where, size=(60, 90)):
    """Gray frames with a bright square of 10 pixels at (row, column)."""
    made = np.full((len(where), *size, 3), 50, np.uint8)
    for frame, (row, column) in zip(made, where, strict=True):
        frame[row - 5 : row + 5, column - 5 : column + 5] = 250
    return made


@pytest.fixture
def bright(monkeypatch):
    """A detector of bright squares, and a list of the pictures it looked at."""
    looked = []

    def largest(image):
        looked.append(image)
        rows, columns = np.nonzero(image[..., 0] > 200)
        if not len(rows):
            return None
        return detector.Face((columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1), None)

    monkeypatch.setattr(detector, "largest", largest)
    return looked


def source(items):
    return Source("test", "0", len(items), lambda: iter(enumerate(items)))


def test_the_cut_follows_each_person(bright):
    """Two people who move in opposite directions; one frame in ten is looked at, the first of each among them."""
    where = [(20 + i, 20 + i) for i in range(21)] + [(40 - i, 70 - i) for i in range(15)]
    made = frames(where)
    faces = steady.Faces(source(list(made)), ["a"] * 21 + ["b"] * 15, margin=2.0)
    assert len(bright) == 3 + 2
    for number, cut in faces.source.items():
        assert cut.shape == (20, 20, 3) and (cut > 200).mean() > 0.12, number  # a quarter where it is met exactly
    with Image.open(io.BytesIO(faces.sheet())) as drawn:
        assert drawn.format == "PNG"


def test_broken_frames_stay_for_who_reads_them(bright):
    made = list(frames([(20, 20)] * 12))
    made[10], made[11] = Broken("the video ends before"), b"no image"
    found = [data for _, data in steady.Faces(source(made), ["a"] * 12, 1.5).source.items()]
    assert isinstance(found[10], Broken) and found[11] == b"no image" and found[9].shape == (15, 15, 3)


def test_a_person_who_is_hardly_ever_found_is_named(bright):
    made = frames([(20, 20)] * 42)
    made[5:41] = 50
    with pytest.raises(Refused, match="SN002: a face is found in 1 of 5 frames"):
        steady.Faces(source(list(made)), ["SN002"] * 41 + ["SN003"], 1.5)


def test_disfa_is_cut_from_whole_frames(tmp_path):
    """Real faces at the side of wide videos, where the central square has half of them."""
    with Image.open(pathlib.Path(skimage.__file__).parent / "data" / "astronaut.png") as image:
        face = np.array(image.convert("RGB").crop((120, 20, 320, 220)).resize((120, 120)))
    wide = np.full((5, 120, 240, 3), 90, np.uint8)
    wide[:, :, 120:] = face
    layouts.disfa_labels(tmp_path)
    for person in layouts.PEOPLE:
        write_video(tmp_path / "Videos" / f"LeftVideo{person}_comp.avi", wide, 20, "mpeg4")
    path, counts = prepare_benchmark("disfa", tmp_path, tmp_path / "data", size=64, any_count=True, margin=1.5)
    assert counts == {"test": 24} and path.parent.name == "64px_mtcnn1.5" and (path / "sheet.png").exists()
    task, whole = open_task(f"disfa:{path}"), open_task("disfa", tmp_path, 64)
    np.testing.assert_array_equal(task.labels, whole.labels)
    cuts = [np.array(Image.open(io.BytesIO(data))) for _, data in task.source.items()]
    assert {cut.shape for cut in cuts} == {(64, 64, 3)}
    left, _, width, _ = detector.largest(cuts[0]).box
    assert 18 < left + width / 2 < 46 and 20 < width < 60  # the face is the picture's middle
    assert max(np.abs(cut.astype(int) - cuts[0]).mean() for cut in cuts[:4]) < 3  # and stays where it is
