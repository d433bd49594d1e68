"""Every named corpus in its own layout, with real image files, whole and half-unpacked."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat, savemat

from pcl_tf.data.images import decode_all
from pcl_tf.errors import Refused
from pcl_tf.evaluation.corpora import actions, generated
from pcl_tf.evaluation.corpora.pose import crop, face_box
from pcl_tf.evaluation.tasks import names, open_task
from tests.evaluation import layouts
from tests.evaluation.layouts import photo, pose_file
from tests.prepare.videos import ramp, write_video

R = np.random.RandomState


def shades(task):
    """The gray value of each image of a task: tells whether labels and images stand in the same order."""
    out = []
    for _, data in task.source.items():
        if not isinstance(data, np.ndarray):
            import io

            data = np.asarray(Image.open(io.BytesIO(data)))
        out.append(int(np.median(data)))
    return np.array(out)


def test_fer2013_csv(tmp_path):
    layouts.fer2013(tmp_path)
    task = open_task("fer2013", tmp_path)
    assert task.names == ("happy", "sad") and task.image_size == 100 and task.source.count == 6
    assert list(shades(task)) == [0, 10, 20, 30, 60, 70]
    assert [task.names[k] for k in task.labels] == ["happy", "sad"] * 3
    assert [list(p) for p in task.splits[0]] == [[0, 1, 2, 3], [4, 5]]


def test_fer2013_folders_and_a_folder_of_corpora(tmp_path):
    for split in ("train", "test"):
        for k, label in enumerate(("angry", "happy")):
            photo(tmp_path / "fer2013" / split / label / "a.png", 50 * k + 10 * (split == "test"))
    task = open_task("fer2013", tmp_path)
    assert list(shades(task)) == [0, 50, 10, 60] and list(task.labels) == [0, 1, 0, 1]


@pytest.mark.parametrize("row", ["9,1 2,Training", "0,1 2 3,Training", "0,1,Other"])
def test_a_damaged_fer2013_names_the_line(tmp_path, row):
    (tmp_path / "fer2013.csv").write_text(f"emotion,pixels,Usage\n{row}\n")
    with pytest.raises(Refused, match="line 2"):
        open_task("fer2013", tmp_path)


def test_rafdb(tmp_path):
    layouts.rafdb(tmp_path)
    task = open_task("rafdb", tmp_path)
    assert [task.names[k] for k in task.labels] == ["sadness", "happiness", "happiness"]
    np.testing.assert_allclose(shades(task), [0, 80, 160], atol=2)
    assert [list(p) for p in task.splits[0]] == [[0, 1], [2]]
    (tmp_path / "basic" / "Image" / "aligned" / "test_0001_aligned.jpg").unlink()
    with pytest.raises(Refused, match="test_0001_aligned.jpg is missing"):
        open_task("rafdb", tmp_path)


def test_lfw(tmp_path):
    layouts.lfw(tmp_path)
    task = open_task("lfw", tmp_path)
    shade = shades(task)
    np.testing.assert_allclose(shade[task.pairs], [[0, 60], [0, 120], [120, 180], [180, 60]], atol=2)
    assert list(task.same) == [1, 0, 1, 0] and list(task.folds) == [0, 0, 1, 1]
    assert task.source.count == 4  # an image of many pairs is encoded once
    (tmp_path / "pairs.txt").write_text("\n".join(layouts.LFW[:-1]) + "\n")
    with pytest.raises(Refused, match="3 pairs, but its first line promises 4"):
        open_task("lfw", tmp_path)


def test_cplfw(tmp_path):
    layouts.cplfw(tmp_path)
    task = open_task("cplfw", tmp_path)
    assert list(task.folds) == [i // 2 for i in range(20)] and list(task.same) == [i % 2 for i in range(20)]
    assert task.source.count == 20 and task.image_size == 128
    lines = [layouts.CPLFW[0], "P1_1.jpg 1", *layouts.CPLFW[2:]]
    (tmp_path / "pairs_CPLFW.txt").write_text("\n".join(lines))
    with pytest.raises(Refused, match="line 1"):
        open_task("cplfw", tmp_path)


def test_disfa(tmp_path):
    layouts.disfa(tmp_path)
    task = open_task("disfa", tmp_path)
    assert task.source.count == 24 and task.names[-1] == "AU26" and len(task.splits) == 3
    frame = shades(task) // 20
    expected = [[(f + j) % 4 >= 2 for j in range(8)] for f in frame]
    np.testing.assert_array_equal(task.labels, expected)
    for train, test in task.splits:
        assert not set(task.subjects[train]) & set(task.subjects[test])
    (tmp_path / "ActionUnit_Labels" / "SN004" / "SN004_au9.txt").unlink()
    with pytest.raises(Refused, match="SN004_au9.txt is missing"):
        open_task("disfa", tmp_path)


def test_aflw2000(tmp_path):
    layouts.aflw2000(tmp_path)
    task = open_task("aflw2000", tmp_path)
    assert task.names == ("yaw", "pitch", "roll") and task.source.count == 5
    np.testing.assert_allclose(task.labels[0], [20, 5, -7], atol=1e-4)
    assert [len(p) for p in task.splits[0]] == [4, 1]
    np.testing.assert_allclose(shades(task), [0, 40, 80, 120, 160], atol=2)
    (tmp_path / "300W_LP" / "AFW" / "x1.mat").unlink()
    with pytest.raises(Refused, match="x1.mat is missing"):
        open_task("aflw2000", tmp_path)


def test_aflw2000_taught_on_the_tfds_dataset(tmp_path):
    import tensorflow as tf
    import tensorflow_datasets as tfds

    marks = np.array([[10.0, 12], [30, 12], [20, 40]], np.float32) / 450
    features = {
        "image": tfds.features.Image(shape=(450, 450, 3), encoding_format="jpeg"),
        "landmarks_origin": tfds.features.Tensor(shape=(3, 2), dtype=np.float32),
        "pose_params": tfds.features.Tensor(shape=(7,), dtype=np.float32),
    }
    turned = np.array([[np.deg2rad([5, yaw, -7])] for yaw in (20, 120, 30)], np.float32)[:, 0]  # the second too far
    rows = {
        "image": np.stack([np.full((450, 450, 3), 60 * i, np.uint8) for i in range(3)]),
        "landmarks_origin": np.stack([marks] * 3),
        "pose_params": np.concatenate([turned, np.zeros((3, 4), np.float32)], axis=1),
    }
    tfds.dataset_builders.store_as_tfds_dataset(
        name="the300w_lp",
        version="1.0.0",
        features=tfds.features.FeaturesDict(features),
        split_datasets={"train": tf.data.Dataset.from_tensor_slices(rows)},
        data_dir=tmp_path,
        disable_shuffling=True,
    )
    photo(tmp_path / "AFLW2000" / "x.jpg", 200, size=(60, 50))
    pose_file(tmp_path / "AFLW2000" / "x.jpg", 1, 2, 3, "pt3d_68")
    task = open_task("aflw2000", tmp_path)
    np.testing.assert_allclose(task.labels, [[20, 5, -7], [30, 5, -7], [2, 1, 3]], atol=1e-4)
    np.testing.assert_allclose(shades(task), [0, 120, 200], atol=2)


def test_the_crop_is_square_around_the_landmarks_and_repeats_the_edge():
    left, top, side = face_box(np.array([[10.0, 12], [30, 12], [20, 40]]))
    assert side == round(28 * 1.52) and left < 10 and left + side > 30 and top < 12 and top + side > 40
    image = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)
    out = crop(image, (-2, 1, 6))
    assert out.shape == (6, 6, 3)
    np.testing.assert_array_equal(out[:, 0], out[:, 2])
    np.testing.assert_array_equal(out[:4, 2:], image[1:5])
    np.testing.assert_array_equal(out[5], out[3])


def test_bu3dfe(tmp_path):
    layouts.bu3dfe(tmp_path)
    task = open_task("bu3dfe", tmp_path)
    assert task.kind == "classification" and task.image_size == 256 and len(task.names) == 3


@pytest.mark.parametrize("name", ["fer2013", "rafdb", "lfw", "cplfw", "disfa", "aflw2000", "bu3dfe"])
def test_an_empty_folder_names_the_first_file_it_lacks(tmp_path, name):
    with pytest.raises(Refused, match="is missing"):
        open_task(name, tmp_path)


def test_unknown_tasks_and_missing_folders():
    with pytest.raises(Refused, match="not one of fer2013"):
        open_task("fer2014", ".")
    with pytest.raises(Refused, match="where is it"):
        open_task("lfw")
    with pytest.raises(Refused, match="no folder"):
        open_task("lfw", "/nowhere")
    for size in (-5, 4):
        with pytest.raises(Refused, match=f"--image_size={size}: at least 8"):
            open_task("generated_pose", image_size=size)
    with pytest.raises(Refused, match="--targets=yaw: --task=generated_pose is no manifest"):
        open_task("generated_pose", targets=["yaw"])
    for text, said in (
        ("fer2014", "--pose=fer2014: not one of"),
        ("lfw:/nowhere", "--pose=lfw: /nowhere is no folder"),
    ):
        with pytest.raises(Refused, match=said):
            open_task(text, flag="--pose")
    with pytest.raises(Refused, match="--pose=lfw: where is it. --pose=lfw:PATH is needed"):
        open_task("lfw", None, flag="--pose")
    assert {"generated_pose", "classification"} <= set(names())


def test_generated_tasks():
    count = {"verification": {"count": 40}}
    tasks = {k: make(16, train=300, test=100, **count.get(k, {})) for k, make in generated.MAKERS.items()}
    assert len({t.source.fingerprint for t in tasks.values()}) == 1  # features are shared
    pairs = tasks["verification"]
    who = generated.sample_labels(400, generated.SEED)["identity"]
    np.testing.assert_array_equal(who[pairs.pairs[:, 0]] == who[pairs.pairs[:, 1]], pairs.same == 1)
    assert pairs.same.mean() == 0.5 and set(np.unique(tasks["actions"].labels)) == {0.0, 1.0}


@pytest.mark.parametrize("label", [-1, 7])
def test_fer2013_labels_of_no_class_are_refused(tmp_path, label):
    pixels = " ".join(["9"] * 48 * 48)
    (tmp_path / "fer2013.csv").write_text(
        f"\ufeffemotion,pixels,Usage\n0,{pixels},Training\n{label},{pixels},Training\n"
    )
    with pytest.raises(Refused, match=f"fer2013.csv, line 3: .*label {label} is not of 0 to 6"):
        open_task("fer2013", tmp_path)


def test_rafdb_labels_of_no_class_and_entries_of_no_split(tmp_path):
    layouts.rafdb(tmp_path)
    listed = tmp_path / "basic" / "EmoLabel" / "list_patition_label.txt"
    lines = listed.read_text().splitlines()
    for label in (0, 8, -1):
        listed.write_text("\n".join([*lines, f"train_00003.jpg {label}"]))
        with pytest.raises(Refused, match=f"list_patition_label.txt, line 4: .*label {label} is not of 1 to 7"):
            open_task("rafdb", tmp_path)
    listed.write_bytes("\r\n".join([*lines, "val_00003.jpg 2"]).encode("utf-8-sig"))
    task = open_task("rafdb", tmp_path)
    assert task.source.count == 3 and "1 entries are neither train_ nor test_" in task.notes[0]
    assert "val_00003.jpg (line 4)" in task.notes[0]


def test_fer2013_folders_are_counted_where_asked(tmp_path):
    for split in ("train", "test"):
        for label in ("angry", "happy"):
            photo(tmp_path / split / label / "a.png", 50)
            (tmp_path / split / label / "._a.png").write_bytes(b"left by macOS")
    assert open_task("fer2013", tmp_path).source.count == 4
    with pytest.raises(Refused, match="'train' has 2 images, the published split 28,709 .* --any_count"):
        open_task("fer2013", tmp_path, any_count=False)
    photo(tmp_path / "test" / "Happy" / "b.png", 50)
    with pytest.raises(Refused, match="no training image has: Happy"):
        open_task("fer2013", tmp_path)


def test_lfw_may_lie_beside_its_list_in_a_folder_of_its_name(tmp_path):
    layouts.lfw(tmp_path)
    (tmp_path / "lfw-deepfunneled").rename(tmp_path / "lfw")
    assert open_task("lfw", tmp_path).source.count == 4
    (tmp_path / "all").mkdir()
    for name in ("lfw", "pairs.txt"):
        (tmp_path / name).rename(tmp_path / "all" / name)
    (tmp_path / "all").rename(tmp_path / "lfw")
    assert open_task("lfw", tmp_path).source.count == 4  # in a folder of corpora


@pytest.mark.parametrize(
    ("name", "file", "text", "match"),
    [
        ("lfw", "pairs.txt", "2 1\nA_B 1", "promises 4"),
        ("lfw", "pairs.txt", "1 1\nA_B 1\nC 1 2", "line 2: 'A_B 1' is neither"),
        ("lfw", "pairs.txt", "1 1\nA B 1 C 1\nC 1 2", "line 2: 'A B 1 C 1' is neither"),
        ("lfw", "pairs.txt", "500\nA_B 1 2", "line 1: '500' is not the number of folds"),
        ("cplfw", "pairs_CPLFW.txt", "a.jpg 1\nb.jpg", "line 2: 'b.jpg' is not 'photo.jpg 1'"),
        ("cplfw", "pairs_CPLFW.txt", "a.jpg 1\nb.jpg 1", "2 lines; two for each of at least ten"),
    ],
)
def test_lists_of_pairs_name_the_line(tmp_path, name, file, text, match):
    layouts.MAKERS[name](tmp_path)
    (tmp_path / file).write_text(text)
    with pytest.raises(Refused, match=match):
        open_task(name, tmp_path)


def test_disfa_is_evaluated_in_the_folds_of_the_literature(tmp_path):
    assert sorted(p for fold in actions.FOLDS for p in fold) == [*range(1, 14), 16, 17, 18, 21, *range(23, 33)]
    layouts.disfa(tmp_path)
    tests = [set(open_task("disfa", tmp_path).subjects[test]) for _, test in open_task("disfa", tmp_path).splits]
    assert tests == [{"SN001", "SN002"}, {"SN006"}, {"SN003", "SN004", "SN005"}]
    path = tmp_path / "ActionUnit_Labels" / "SN003" / "SN003_au2.txt"
    whole = path.read_text()
    for line, match in (
        ("9,6", "intensity 6 is not of 0 to 5"),
        ("1,1", "frame 1 has two lines"),
        ("9", "'9' is not"),
    ):
        path.write_text(whole + line)
        with pytest.raises(Refused, match=f"SN003_au2.txt, line 5: {match}"):
            open_task("disfa", tmp_path)
    (tmp_path / "ActionUnit_Labels" / "SN003").rename(tmp_path / "ActionUnit_Labels" / "SN014")
    for au in layouts.AUS:
        folder = tmp_path / "ActionUnit_Labels" / "SN014"
        (folder / f"SN003_au{au}.txt").rename(folder / f"SN014_au{au}.txt")
    path.parent.with_name("SN014").joinpath("SN014_au2.txt").write_text(whole)
    (tmp_path / "Frames" / "SN003").rename(tmp_path / "Frames" / "SN014")
    with pytest.raises(Refused, match="SN014 is none of its 27 people"):
        open_task("disfa", tmp_path)


def test_damaged_mat_files_are_refused(tmp_path):
    layouts.aflw2000(tmp_path)
    before = open_task("aflw2000", tmp_path)
    assert before.notes == ("aflw2000: 1 faces turned beyond 99 degrees are left out.",)
    path = tmp_path / "300W_LP" / "AFW" / "x1.mat"
    known = {k: v for k, v in loadmat(path).items() if not k.startswith("__")}
    whole = path.read_bytes()
    for damaged in (b"", whole[:200], b"MATLAB 5.0 MAT-file" + b" " * 200):
        path.write_bytes(damaged)
        with pytest.raises(Refused, match="x1.mat: cannot be read as a MATLAB file"):
            open_task("aflw2000", tmp_path)
    for wrong in ({"Pose_Para": known["Pose_Para"] * np.nan}, {"pt2d": known["pt2d"] * np.inf}):
        savemat(path, known | wrong)
        with pytest.raises(Refused, match="x1.mat: its angles or landmarks are not numbers"):
            open_task("aflw2000", tmp_path)
    savemat(path, known | {"pt2d": known["pt2d"].T})
    with pytest.raises(Refused, match=r"x1.mat: pt2d is \[3, 2\], not \[2, 68\]"):
        open_task("aflw2000", tmp_path)


def test_the_centre_of_photographs(tmp_path):
    layouts.lfw(tmp_path)
    whole, inner = open_task("lfw", tmp_path), open_task("lfw", tmp_path, centre=0.5)
    assert inner.name == "lfw_centre0.5" and inner.source.fingerprint != whole.source.fingerprint
    assert [data.shape for _, data in inner.source.items()] == [(6, 6, 3)] * 4
    np.testing.assert_allclose(shades(inner), shades(whole), atol=2)
    broken = tmp_path / "lfw-deepfunneled" / "C" / "C_0001.jpg"
    broken.write_bytes(b"no picture")
    assert isinstance(list(open_task("lfw", tmp_path, centre=0.5).source.items())[2][1], Exception)


@pytest.mark.parametrize("name", ["lfw", "cplfw"])
def test_photographs_beside_their_list_twice_in_a_folder_or_zipped(tmp_path, name):
    layouts.MAKERS[name](tmp_path)
    folder = tmp_path / {"lfw": "lfw-deepfunneled", "cplfw": "aligned images"}[name]
    wanted = open_task(name, tmp_path)
    moved = tmp_path / "aside"
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


def test_images_deeper_than_their_class_count_and_loose_ones_are_named(tmp_path):
    layouts.bu3dfe(tmp_path)
    before = open_task("bu3dfe", tmp_path)
    (tmp_path / "linked").mkdir()
    layouts.photo(tmp_path / "linked/x.png", 9)
    label = before.names[0]
    (tmp_path / "train" / label / "deep").symlink_to(tmp_path / "linked")
    layouts.photo(tmp_path / "test" / "loose.png", 9)
    layouts.photo(tmp_path / "test" / "@eaDir" / "hidden.png", 9)
    task = open_task("bu3dfe", tmp_path)
    assert task.source.count == before.source.count + 1 and task.names == before.names
    assert (task.labels == 0).sum() == (before.labels == 0).sum() + 1
    assert task.notes == (f"{tmp_path / 'test'}: 1 images lie in no folder of a class and are left out: loose.png.",)


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


def test_the_registry_needs_no_tensorflow():
    code = "import sys, pcl_tf.evaluation.corpora; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
