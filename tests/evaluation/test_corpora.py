"""Every named corpus in its own layout, with real image files, whole and half-unpacked."""

import io
import shutil

import numpy as np
import pytest
from PIL import Image

from pcl_tf.data.images import decode_all
from pcl_tf.errors import Refused
from pcl_tf.evaluation.corpora import CORPORA, actions, generated
from pcl_tf.evaluation.corpora.pose import crop, face_box
from pcl_tf.evaluation.tasks import names, open_task
from pcl_tf.heads.people import TRAINING
from tests.evaluation import layouts
from tests.evaluation.layouts import photo
from tests.prepare.videos import ramp, write_video


def shades(task):
    """The gray value of each image of a task: tells whether labels and images stand in the same order."""
    images = (x if isinstance(x, np.ndarray) else np.asarray(Image.open(io.BytesIO(x))) for _, x in task.source.items())
    return np.array([int(np.median(image)) for image in images])


def opened(name, root):
    """A corpus as it lies in its own layout."""
    layouts.MAKERS[name](root)
    return open_task(name, root)


def test_fer2013_csv(tmp_path):
    task = opened("fer2013", tmp_path)
    assert task.names == ("happy", "sad") and task.image_size == 100 and task.source.count == 6
    assert list(shades(task)) == [0, 10, 20, 30, 60, 70]
    assert [task.names[k] for k in task.labels] == ["happy", "sad"] * 3
    assert [list(p) for p in task.splits[0]] == [[0, 1, 2, 3], [4, 5]]
    (tmp_path / "fer2013.csv").write_text((tmp_path / "fer2013.csv").read_text().replace("70", "0"))
    assert "fer2013: 1 of 2 tested images are copies of training images" in open_task("fer2013", tmp_path).notes[-1]


def test_fer2013_folders_and_a_folder_of_corpora(tmp_path):
    root = tmp_path / "fer2013"
    for split in ("train", "test"):
        for k, label in enumerate(("angry", "happy")):
            photo(root / split / label / "a.png", 50 * k + 10 * (split == "test"))
            (root / split / label / "._a.png").write_bytes(b"left by macOS")
    task = open_task("fer2013", tmp_path)
    assert list(shades(task)) == [0, 50, 10, 60] and list(task.labels) == [0, 1, 0, 1]
    (note,) = task.notes
    assert note.startswith("fer2013: 2 training and 2 test images, and 28,709 and 3,589 are published")
    photo(root / "test" / "Happy" / "b.png", 50)
    with pytest.raises(Refused, match="no training image has: Happy"):
        open_task("fer2013", tmp_path)


def test_rafdb(tmp_path):
    task = opened("rafdb", tmp_path)
    assert [task.names[k] for k in task.labels] == ["sadness", "happiness", "happiness"]
    np.testing.assert_allclose(shades(task), [0, 80, 160], atol=2)
    assert [list(p) for p in task.splits[0]] == [[0, 1], [2]]
    (tmp_path / "basic" / "Image" / "aligned" / "test_0001_aligned.jpg").unlink()
    with pytest.raises(Refused, match="test_0001_aligned.jpg: no such image"):
        open_task("rafdb", tmp_path)


def test_lfw(tmp_path):
    task = opened("lfw", tmp_path)
    np.testing.assert_allclose(shades(task)[task.pairs], [[0, 60], [0, 120], [120, 180], [180, 60]], atol=2)
    assert list(task.same) == [1, 0, 1, 0] and list(task.folds) == [0, 0, 1, 1]
    assert task.source.count == 4  # an image of many pairs is encoded once
    (tmp_path / "pairs.txt").write_text("2\t1\nA_B\t1\t2\nA_B\t1\tC\t1\nA_B\t2\t1\nC\t2\tA_B\t2\n")
    task = open_task("lfw", tmp_path)
    assert list(task.folds) == [0, 0, 1] and "lfw: 1 of 4 pairs stand twice and count once: 3 is 1." in task.notes


def test_cplfw(tmp_path):
    task = opened("cplfw", tmp_path)
    assert list(task.folds) == [i // 2 for i in range(20)] and list(task.same) == [i % 2 for i in range(20)]
    assert task.source.count == 20 and task.image_size == 128


PIXELS = " ".join(["9"] * 48 * 48)
LISTS = {
    "fer2013": "fer2013.csv",
    "rafdb": "basic/EmoLabel/list_patition_label.txt",
    "lfw": "pairs.txt",
    "cplfw": "pairs_CPLFW.txt",
    "disfa": "ActionUnit_Labels/SN003/SN003_au2.txt",
}
DAMAGED = [
    ("fer2013", "\ufeffemotion,pixels,Usage\n9,1 2,Training", "line 2: .*ValueError"),
    ("fer2013", f"emotion,pixels,Usage\n0,{PIXELS},Training\n0,1,Other", "line 3: .*KeyError"),
    ("fer2013", f"emotion,pixels,Usage\n-1,{PIXELS},Training", "line 2: .*label -1 is not of 0 to 6"),
    ("fer2013", f"emotion,pixels,Usage\n7,{PIXELS},Training", "line 2: .*label 7 is not of 0 to 6"),
    ("rafdb", "\ufefftrain_1.jpg 5\r\nval_3.jpg 2", "line 2: .*neither train_ nor test_"),
    ("rafdb", "train_1.jpg 5\ntrain_3.jpg 0", "line 2: .*label 0 is not of 1 to 7"),
    ("rafdb", "train_1.jpg 8", "line 1: .*label 8 is not of 1 to 7"),
    ("lfw", "2 1\nA_B 1 2\nA_B 1 C 1\nC 1 2", "3 pairs, but its first line promises 4"),
    ("lfw", "1 1\nA_B 1\nC 1 2", "line 2: 'A_B 1' is neither"),
    ("lfw", "1 1\nA B 1 C 1\nC 1 2", "line 2: 'A B 1 C 1' is neither"),
    ("lfw", "500\nA_B 1 2", "line 1: '500' is not the number of folds"),
    ("cplfw", "a.jpg 1\nb.jpg", "line 2: 'b.jpg' is not 'photo.jpg 1'"),
    ("cplfw", "a.jpg 1\nb.jpg 1", "2 lines; two for each of at least ten"),
    ("cplfw", "\n".join(["a 1", "b 0"] * 10), "line 1: the two lines of a pair"),
    ("disfa", "1,0\n9", "line 2: '9' is not"),
]


@pytest.mark.parametrize(("name", "text", "said"), DAMAGED)
def test_a_damaged_list_is_named_with_its_line(tmp_path, name, text, said):
    layouts.MAKERS[name](tmp_path)
    (tmp_path / LISTS[name]).write_bytes(text.encode())
    with pytest.raises(Refused, match=f"{LISTS[name]}.*{said}"):
        open_task(name, tmp_path)


@pytest.mark.parametrize("name", ["lfw", "cplfw"])
def test_photographs_beside_their_list_twice_in_a_folder_or_zipped(tmp_path, name):
    wanted = opened(name, tmp_path)
    folder, moved = tmp_path / {"lfw": "lfw-deepfunneled", "cplfw": "aligned images"}[name], tmp_path / "aside"
    folder.rename(moved)
    folder.mkdir()
    moved.rename(folder / folder.name)
    assert open_task(name, tmp_path).pairs.tolist() == wanted.pairs.tolist()
    shutil.make_archive(str(tmp_path / "photos"), "zip", folder)
    shutil.move(folder / folder.name, moved)
    folder.rmdir()
    assert len(list(open_task(name, tmp_path).source.items())) == wanted.source.count
    (tmp_path / "photos.zip").unlink()
    for path in moved.iterdir():
        path.rename(tmp_path / path.name)
    beside = open_task(name, tmp_path)
    assert beside.pairs.tolist() == wanted.pairs.tolist() and beside.same.tolist() == wanted.same.tolist()


def test_the_centre_of_photographs(tmp_path):
    whole = opened("lfw", tmp_path)
    (tmp_path / "lfw-deepfunneled" / "C" / "C_0001.jpg").write_bytes(b"no picture")
    inner = open_task("lfw", tmp_path, centre=0.5)
    assert inner.name == "lfw_centre0.5" and inner.source.fingerprint != whole.source.fingerprint
    images = [data for _, data in inner.source.items()]
    assert isinstance(images.pop(2), Exception) and [image.shape for image in images] == [(6, 6, 3)] * 3


def test_disfa(tmp_path):
    task = opened("disfa", tmp_path)
    assert task.source.count == 24 and task.names[-1] == "AU26"
    expected = [[(frame + j) % 4 >= 2 for j in range(8)] for frame in shades(task) // 20]
    np.testing.assert_array_equal(task.labels, expected)
    assert sorted(p for fold in actions.FOLDS for p in fold) == [*range(1, 14), 16, 17, 18, 21, *range(23, 33)]
    tests = [set(task.subjects[test]) for _, test in task.splits]
    assert tests == [{"SN001", "SN002"}, {"SN006"}, {"SN003", "SN004", "SN005"}]
    path = tmp_path / "ActionUnit_Labels" / "SN003" / "SN003_au2.txt"
    path.rename(tmp_path / "aside")
    with pytest.raises(Refused, match="SN003_au2.txt is missing"):
        open_task("disfa", tmp_path)
    for of in ("ActionUnit_Labels", "Frames"):
        (tmp_path / of / "SN002").rename(tmp_path / of / "SN014")
    for old in (tmp_path / "ActionUnit_Labels" / "SN014").iterdir():
        old.rename(old.with_name(old.name.replace("SN002", "SN014")))
    (tmp_path / "aside").rename(path)
    with pytest.raises(Refused, match="SN014 is none of its 27 people"):
        open_task("disfa", tmp_path)


def test_disfas_frames_without_all_labels_or_a_picture_are_named(tmp_path):
    layouts.disfa(tmp_path)
    (tmp_path / "ActionUnit_Labels" / "@eaDir").mkdir()
    (tmp_path / "Frames" / "SN002" / "00003.png").unlink()
    path = tmp_path / "ActionUnit_Labels" / "SN004" / "SN004_au9.txt"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-2]))
    task = open_task("disfa", tmp_path)
    assert task.source.count == 24 - 3 and task.notes == (
        "disfa: 2 frames lack the label of an action unit and are left out: SN004 3, SN004 4.",
        "disfa: 1 frames are labelled and have no picture and are left out: SN002 3.",
        "disfa: the central square of each frame is evaluated, not the face cut out of it.",
    )


def test_disfa_is_read_from_its_videos(tmp_path):
    """Wide videos of five frames, the last unlabelled; one ends two frames early."""
    layouts.disfa_labels(tmp_path)
    wide = np.zeros((5, 48, 64, 3), np.uint8)
    wide[:, :, 8:56] = ramp(6, 48)[1:] * 5  # the central square, as bright as the frame's number
    for person in layouts.PEOPLE:
        # DISFA comes as AVI; H.264 in MP4 takes the same way through PyAV.
        suffix, codec = ("mp4", "libx264") if person == "SN001" else ("avi", "mpeg4")
        path = tmp_path / "Videos_LeftCamera" / f"LeftVideo{person}_comp.{suffix}"
        write_video(path, wide[: 3 if person == "SN006" else 5], 20, codec)
    task = open_task("disfa", tmp_path, 32)
    decoded = list(decode_all(task.source.items(), 32))
    number = [frame for _ in layouts.PEOPLE for frame in (1, 2, 3, 4)]
    for (_, face, why), frame in zip(decoded[:-1], number[:-1], strict=True):
        assert why is None and round(np.median(face) / 20) == frame
        assert face[2:30, 2:30].min() > 5  # the dark sides of the frame are cut off
    name, face, why = decoded[-1]
    assert name.endswith("LeftVideoSN006_comp.avi#4") and face is None and "the video ends before" in why
    np.testing.assert_array_equal(task.labels, [[(f + j) % 4 >= 2 for j in range(8)] for f in number])
    (tmp_path / "Videos_LeftCamera" / "LeftVideoSN002_comp.avi").unlink()
    with pytest.raises(Refused, match="LeftVideoSN002_comp.avi is missing"):
        open_task("disfa", tmp_path)


def test_aflw2000(tmp_path):
    task = opened("aflw2000", tmp_path)
    assert task.names == ("yaw", "pitch", "roll") and task.source.count == 5
    np.testing.assert_allclose(task.labels[0], [20, 5, -7], atol=1e-4)
    assert [len(p) for p in task.splits[0]] == [4, 1]
    np.testing.assert_allclose(shades(task), [0, 40, 80, 120, 160], atol=2)
    assert task.notes == ("aflw2000: 1 faces turned beyond 99 degrees are left out.",)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:200]), "cannot be read as a MATLAB file"),
        (lambda path: path.write_bytes(b"MATLAB 5.0 MAT-file" + b" " * 200), "cannot be read as a MATLAB file"),
        (lambda path: layouts.pose_file(path, np.nan, 0, 0, "pt2d"), "its angles or landmarks are no numbers"),
    ],
)
def test_a_damaged_file_of_matlab_is_named(tmp_path, damage, said):
    layouts.aflw2000(tmp_path)
    damage(tmp_path / "300W_LP" / "AFW" / "x1.mat")
    with pytest.raises(Refused, match=f"x1.mat:? {said}"):
        open_task("aflw2000", tmp_path)


def test_the_crop_is_square_around_the_landmarks_and_repeats_the_edge():
    left, top, side = face_box(np.array([[10.0, 12], [30, 12], [20, 40]]))
    assert side == round(28 * 1.52) and left < 10 and left + side > 30 and top < 12 and top + side > 40
    image = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)
    out = crop(image, (-2, 1, 6))
    assert out.shape == (6, 6, 3)
    np.testing.assert_array_equal(out[:, 0], out[:, 2])
    np.testing.assert_array_equal(out[:4, 2:], image[1:5])
    np.testing.assert_array_equal(out[5], out[3])


def test_bu3dfe_with_images_deeper_than_their_class_and_loose_ones(tmp_path):
    before = opened("bu3dfe", tmp_path)
    assert before.kind == "classification" and before.image_size == 256 and len(before.names) == 3
    photo(tmp_path / "linked/x.png", 9)
    (tmp_path / "train" / before.names[0] / "deep").symlink_to(tmp_path / "linked")
    photo(tmp_path / "test" / "loose.png", 9)
    photo(tmp_path / "test" / "@eaDir" / "hidden.png", 9)
    task = open_task("bu3dfe", tmp_path)
    assert task.source.count == before.source.count + 1 and task.names == before.names
    assert (task.labels == 0).sum() == (before.labels == 0).sum() + 1
    left_out = f"{tmp_path / 'test'}: 1 images lie in no folder of a class and are left out: loose.png."
    assert task.notes[0] == left_out


@pytest.mark.parametrize("name", CORPORA)
def test_an_empty_folder_names_the_first_file_it_lacks(tmp_path, name):
    with pytest.raises(Refused, match="is missing"):
        open_task(name, tmp_path)


@pytest.mark.parametrize(
    ("args", "options", "match"),
    [
        (["fer2014", "."], {}, "--task=fer2014: not one of fer2013"),
        (["lfw"], {}, "where is it"),
        (["generated_pose"], {"targets": ["yaw"]}, "--targets=yaw: --task=generated_pose is no manifest"),
        (["lfw:/nowhere"], {"flag": "--pose"}, "--pose=lfw: /nowhere is no folder"),
        (["lfw", None], {"flag": "--pose"}, "--pose=lfw: where is it. --pose=lfw:PATH is needed"),
    ],
)
def test_unknown_tasks_and_missing_folders(args, options, match):
    with pytest.raises(Refused, match=match):
        open_task(*args, **options)
    assert {"generated_pose", "classification"} <= set(names())


def test_generated_tasks():
    tasks = {k: make(16, **({"pairs": 40} if k == "verification" else {})) for k, make in generated.MAKERS.items()}
    assert len({t.source.fingerprint for t in tasks.values()}) == 1  # features are shared
    pairs = tasks["verification"]
    who = generated.truth(generated.COUNT)["identity"]
    assert not set(who) & set(TRAINING)  # of a training run
    for k in ("expression", "actions", "pose"):
        ((train, test),) = tasks[k].splits
        assert len(train) == 4 * len(test) and not set(who[train]) & set(who[test])
    one, other = who[pairs.pairs.T]
    np.testing.assert_array_equal(one == other, pairs.same == 1)
    assert (pairs.pairs[:, 0] != pairs.pairs[:, 1]).all()
    for fold in range(generated.FOLDS):
        of = pairs.folds == fold
        assert not {*one[of], *other[of]} & {*one[~of], *other[~of]}
    assert pairs.same.mean() == 0.5 and set(np.unique(tasks["actions"].labels)) == {0.0, 1.0}
