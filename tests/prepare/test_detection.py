"""Which faces are found and how they are cut out, and what becomes of pictures without one."""

import pathlib

import numpy as np
import pytest
import skimage
import tensorflow as tf
from PIL import Image

from pcl_tf.data.clips import ClipFaces
from pcl_tf.errors import Refused
from pcl_tf.prepare import detector, work
from pcl_tf.prepare.run import Limits, prepare_clips
from tests.helpers.images import encoded
from tests.prepare.videos import write_video

GRAY = np.full((120, 160, 3), 90, np.uint8)
# Of an upright face, 100 pixels from the eyes' middle to the mouth's.
LANDMARKS = np.array([[-50.0, 0.0], [50.0, 0.0], [0.0, 55.0], [-40.0, 100.0], [40.0, 100.0]])


@pytest.fixture(scope="module")
def photograph():
    """A portrait that scikit-image ships (NASA, public domain): uint8 [512, 512, 3]."""
    with Image.open(pathlib.Path(skimage.__file__).parent / "data" / "astronaut.png") as image:
        return np.array(image.convert("RGB"))


def turned(image, degrees):
    """Turned about its middle, counterclockwise as it is looked at."""
    return np.array(Image.fromarray(image).rotate(degrees, Image.Resampling.BICUBIC, fillcolor=(90, 90, 90)))


def rotation(degrees):
    """Of (x, y) with y downwards, as ``turned``."""
    a = np.radians(degrees)
    return np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])


def test_faces_turned_in_the_plane_are_found_and_stand_level_when_aligned(photograph):
    upright = detector.largest(photograph)
    whole = detector.aligned(photograph, upright)

    def likeness(a, b):
        return np.corrcoef(*(tf.image.resize(x, (32, 32)).numpy().ravel() for x in (a, b)))[0, 1]

    for degrees in (0, 15, 25, 35, 50, -35):
        image = turned(photograph, degrees)
        face = detector.largest(image)
        middle = np.array([256, 256])
        there = (upright.landmarks - middle) @ rotation(degrees).T + middle
        np.testing.assert_allclose(face.landmarks, there, atol=8)  # of a face 107 pixels high
        again = detector.largest(detector.aligned(image, face, margin=3.0))
        (left, right) = again.landmarks[:2]
        assert abs(np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0]))) < 8
        # What is turned into the picture's corners is gray, so that the likeness falls with the angle.
        assert likeness(detector.aligned(image, face), whole) > 0.7
        assert degrees == 0 or likeness(detector.around(image, face.box), whole) < 0.5


def test_the_cut_holds_the_face_and_has_the_margin(photograph):
    face = detector.largest(photograph)
    left, top, width, height = face.box
    assert 170 < left < 200 and 50 < top < 80 and 60 < width < 110 and 80 < height < 130
    for margin in (1.0, 1.5, 2.0):
        assert detector.around(photograph, face.box, margin).shape == (round(margin * max(width, height)),) * 2 + (3,)
    assert detector.square(photograph, margin=100.0).shape == (512, 512, 3)  # no larger than the picture


@pytest.mark.parametrize("shape", [(2048, 2048), (1000, 512)])
def test_the_size_of_the_picture_makes_no_difference(shape, photograph):
    big = np.zeros((*shape, 3), np.uint8)
    scale = min(shape) / 512
    part = np.array(Image.fromarray(photograph).resize((round(512 * scale),) * 2))
    big[: part.shape[0], : part.shape[1]] = part
    found = np.array(detector.largest(big).box) / scale
    np.testing.assert_allclose(found, detector.largest(photograph).box, atol=6)


def test_the_largest_of_several_is_taken(photograph):
    part = photograph[20:220, 120:320]
    small = np.array(Image.fromarray(part).resize((100, 100)))
    both = np.full((200, 330, 3), 90, np.uint8)
    both[:100, :100], both[:, 130:] = small, part
    assert len(detector.detect(both)) == 2
    left, _, width, _ = detector.largest(both).box
    assert left > 130 and width > 60


def test_squares_without_a_margin_and_where_there_is_no_face():
    image = np.arange(6 * 10).reshape(6, 10, 1).repeat(3, 2).astype(np.uint8)
    np.testing.assert_array_equal(detector.square(image, 0.5), image[1:4, 3:6])
    for shape in ((1, 1), (1, 4000), (300, 300)):
        assert detector.square(np.full((*shape, 3), 90, np.uint8), margin=1.5) is None


@pytest.mark.parametrize("degrees, size", [(0, 1.0), (-50, 0.3), (180, 1.0)])
def test_aligned_faces_have_level_eyes_one_size_and_one_place(degrees, size):
    """Known landmarks as bright dots: where they lie in the cut does not depend on how the face lay in the picture."""
    where = np.array([200.0, 180.0]) + size * LANDMARKS @ rotation(degrees).T
    rows, columns = np.mgrid[:400, :400] + 0.5
    spots = [np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8) for x, y in where[[0, 1, 3, 4]]]
    image = (255 * np.max(spots, axis=0))[..., None].repeat(3, 2).astype(np.uint8)
    face = detector.Face((0, 0, 1, 1), where)
    cut = detector.aligned(image, face)[..., 0].astype(float)
    side = len(cut)
    assert side == round(2 * 2.0 * 100 * size)  # FFHQ: four eye distances
    found = []
    for x, y in LANDMARKS[[0, 1, 3, 4]] - [0.0, 10.0]:  # the centre is a tenth of the way from the eyes to the mouth
        place = np.array([y, x]) * size + side / 2
        r, c = np.mgrid[:side, :side] + 0.5
        near = cut * (np.hypot(r - place[0], c - place[1]) < 8)
        found.append(np.array([(near * r).sum(), (near * c).sum()]) / near.sum() - place)
    np.testing.assert_allclose(found, 0, atol=0.6)
    wide = detector.aligned(image, face, margin=3.0)
    assert len(wide) == 2 * side


def test_a_face_seen_from_the_side_is_aligned_by_its_mouth():
    profile = LANDMARKS * [0.02, 1.0]
    profile[1, 1] += 3.0  # noise of a pixel or two would turn the line of such near eyes by anything
    _, half = detector.upright_square(profile)
    assert abs(np.degrees(np.arctan2(half[1], half[0]))) < 3


def test_an_aligned_face_at_the_edge_is_mirrored_not_black():
    image = np.full((60, 60, 3), 200, np.uint8)
    cut = detector.aligned(image, detector.Face((0, 0, 30, 30), LANDMARKS * 0.3 + [10, 5]))
    assert cut.shape == (120, 120, 3) and (cut == 200).all()


def jpeg(image, orientation=1):
    note = Image.Exif()
    note[0x0112] = orientation
    return encoded(Image.fromarray(image), "JPEG", quality=95, exif=note)


@pytest.fixture(scope="module")
def photographs(photograph, tmp_path_factory):
    """Five of a face, the second stored lying on its side, one of nothing, and a file that is no image."""
    root = tmp_path_factory.mktemp("photographs")
    (root / "her").mkdir()
    for i in range(5):
        data = jpeg(np.rot90(photograph), 6) if i == 1 else jpeg(photograph)  # 6: to be shown turned clockwise
        (root / "her" / f"{i}.jpg").write_bytes(data)
    (root / "wall.png").write_bytes(jpeg(GRAY))
    (root / "text.jpg").write_bytes(b"no image")
    return root


def test_no_face_is_counted_apart_from_unreadable_files_and_each_has_its_own_share(photographs, tmp_path, capsys):
    def prepared(*limits):
        settings = work.Settings(size=48, margin=1.5)
        return prepare_clips("images", photographs, tmp_path, settings=settings, limits=Limits(*limits))

    with pytest.raises(Refused, match=r"text.jpg.*(?s:.*)--max_unreadable_share"):
        prepared(0.1)
    with pytest.raises(Refused, match=r"wall.png \(no face(?s:.*)sheet.png(?s:.*)--max_no_face_share") as error:
        prepared(0.2, 0.1)
    kept = str(error.value).split("Look at ")[1].split(";")[0]
    assert pathlib.Path(kept).read_bytes().startswith(b"\x89PNG")  # what was refused can be looked at
    path, counts = prepared(0.2)
    assert (counts["clips"], counts["unreadable"], counts["without a face"]) == (5, 1, 1)
    assert open(f"{path}/no_face.txt").read() == "wall.png\t1 of 1 frames\n"
    assert open(f"{path}/unreadable.txt").read().startswith("text.jpg\t")
    said = capsys.readouterr().err
    assert "1 of 7 files (14.3%) are unreadable" in said and "1 of 7 files (14.3%) show no face" in said
    faces = ClipFaces(path, 48).head(5).astype(int)
    assert np.abs(faces[0] - faces[1:]).mean() < 6  # the same photograph, one stored turned
    drawn = np.array(Image.open(f"{path}/sheet.png"), int)
    assert drawn.shape[1] == 5 * work.THUMBNAIL
    wall = drawn[-work.THUMBNAIL :, : work.THUMBNAIL]  # below the faces: the picture without one
    assert np.abs(wall - 90).max() < 3 and np.abs(drawn[: -work.THUMBNAIL, : work.THUMBNAIL] - 90).mean() > 20


def test_frames_without_a_face_are_counted(photograph, tmp_path):
    small = np.array(Image.fromarray(photograph).resize((128, 128)))
    write_video(tmp_path / "in/her/v.mp4", np.stack([small] * 4 + [np.full_like(small, 90)] * 3), 6)
    path, counts = prepare_clips(
        "videos", tmp_path / "in", tmp_path / "out", settings=work.Settings(size=32, margin=1.5)
    )
    assert counts["frames"] == 4 and counts["frames without a face"] == 3 and counts["without a face"] == 0
    assert open(f"{path}/no_face.txt").read() == "her/v.mp4\t3 of 7 frames\n"
