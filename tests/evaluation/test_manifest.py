"""Own data: manifests become tasks, or every bad row is named at once."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from pcl_tf.errors import Refused
from pcl_tf.evaluation.manifest import read_manifest
from pcl_tf.evaluation.task import Task


@pytest.fixture
def folder(tmp_path):
    for i in range(12):
        Image.new("RGB", (8, 8), (10 * i, 0, 0)).save(tmp_path / f"{i}.png")
    return tmp_path


def write(folder, *lines):
    path = folder / "m.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_classification_with_a_split(folder):
    path = write(folder, "path,label,split", "./0.png,b,train", "1.png,a,train", "2.png,b,test")
    task = read_manifest(path, "classification", 16)
    assert task.names == ("a", "b") and list(task.labels) == [1, 0, 1]
    assert [list(p) for p in task.splits[0]] == [[0, 1], [2]] and task.name == "m"


def test_images_in_a_zip_beside_the_manifest(tmp_path):
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as z:
        for name in ("a/0.png", "a/1.png"):
            z.writestr(name, name.encode())
    path = write(tmp_path, "path,yaw,pitch,split", "a/1.png,1.5,-2,train", "a/0.png,3,4,test")
    task = read_manifest(path, "regression", 16)
    assert [data for _, data in task.source.items()] == [b"a/1.png", b"a/0.png"]
    np.testing.assert_allclose(task.labels, [[1.5, -2], [3, 4]])


def test_subjects_make_exclusive_folds(folder):
    rows = [f"{i}.png,{i % 2},{i % 3 % 2},s{i // 2}" for i in range(12)]
    task = read_manifest(write(folder, "path,AU1,AU2,subject", *rows), "multilabel", 16)
    assert len(task.splits) == 5
    for train, test in task.splits:
        assert not set(task.subjects[train]) & set(task.subjects[test])


def test_a_subject_on_both_sides_of_the_split_is_refused(folder):
    path = write(folder, "path,label,split,subject", "0.png,a,train,x", "1.png,b,train,y", "2.png,a,test,x")
    with pytest.raises(Refused, match="1 subjects are in both the training and the test split: x"):
        read_manifest(path, "classification", 16)


def test_an_image_that_is_for_training_and_testing_is_refused(folder):
    path = write(folder, "path,label,split", "0.png,a,train", "1.png,b,train", "0.png,a,test")
    with pytest.raises(Refused, match="line 4: '0.png' stands in line 2 already"):
        read_manifest(path, "classification", 16)
    source = read_manifest(
        write(folder, "path,label", "0.png,a", "1.png,b", "2.png,a", "3.png,b", "4.png,a"), "classification", 8
    ).source
    with pytest.raises(Refused, match="1 images are in the training and the test part"):
        Task("t", "classification", source, 8, ("a",), np.zeros(5, int), ((np.array([0, 1]), np.array([1, 2])),))


def test_pairs(folder):
    path = write(folder, "fold,path1,path2,same", "a,0.png,1.png,1", "b,1.png,2.png,0")
    task = read_manifest(path, "verification", 16)
    assert task.pairs.tolist() == [[0, 1], [1, 2]] and task.source.count == 3 and list(task.folds) == [0, 1]


def test_all_wrong_rows_are_named_at_once(folder):
    path = write(
        folder,
        "path,AU1,AU2,split",
        "0.png,1,0,train",
        "nope.png,1,0,test",
        "1.png,2,0,train",
        "2.png,x,,test",
        "3.png,0,1,dev",
    )
    with pytest.raises(Refused) as error:
        read_manifest(path, "multilabel", 16)
    text = str(error.value)
    assert "4 wrong rows" in text
    for part in (
        "line 3: no image 'nope.png'",
        "line 4: labels are 0 or 1",
        "line 5: AU1 is 'x', AU2 is ''",
        "line 6: split is 'dev'",
    ):
        assert part in text


def test_wrong_pairs_are_named(folder):
    path = write(folder, "fold,path1,path2,same", "1,0.png,0.png,1", "1,1.png,9.jpg,yes", ",1.png,2.png,0")
    with pytest.raises(Refused) as error:
        read_manifest(path, "verification", 16)
    for part in ("paired with itself", "no image '9.jpg'", "same is 'yes'", "line 4: no fold"):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("kind", "lines", "match"),
    [
        ("classification", ["file,label", "0.png,a"], "manifest has path,label"),
        ("regression", ["path", "0.png"], "manifest has path,VALUE"),
        ("classification", ["path,label"], "no rows"),
        ("classification", ["path,label", "0.png,a", "1.png,a"], "fewer than two classes"),
        ("verification", ["fold,path1,path2,same", "1,0.png,1.png,1"], "one fold alone"),
        ("regression", ["path,yaw,split", "0.png,nan,train", "1.png,1,test"], "yaw is 'nan'"),
        ("regression", ["path,yaw,split", "0.png,1e308,train", "1.png,1,test"], "yaw is '1e308', no number within"),
        ("classification", ["path,label", "0.png,a", "1.png,"], "line 3: no label"),
    ],
)
def test_what_is_wrong_is_refused_in_a_line(folder, kind, lines, match):
    with pytest.raises(Refused, match=match):
        read_manifest(write(folder, *lines), kind, 16)


def test_a_manifest_that_is_not_there(tmp_path):
    with pytest.raises(Refused, match="m.csv: cannot be read .No such file"):
        read_manifest(tmp_path / "m.csv", "classification", 16)


def test_further_columns_and_stated_targets(folder):
    path = write(folder, ",Path,yaw,pitch,group,ID", *(f"{i},{i}.png,{i},{-i},g,{9 * i}" for i in range(12)))
    task = read_manifest(path, "regression", 16)
    assert task.names == ("yaw", "pitch") and "1 columns without a name are left out" in task.notes[0]
    assert read_manifest(path, "regression", 16, targets=("pitch",)).labels.tolist() == [[-i] for i in range(12)]
    assert read_manifest(path, "regression", 16, targets=["id"]).labels[2] == 18
    emotions = write(folder, "path,label,emotion", "0.png,1,a", "1.png,1,b", "2.png,1,a", "3.png,1,b", "4.png,1,a")
    assert read_manifest(emotions, "classification", 16, targets=["emotion"]).names == ("a", "b")


def test_blanks_and_ways_of_writing_an_accent_make_no_class(folder):
    path = write(folder, "path, label ", "0.png,a ", "1.png, a", "2.png,\u00e9", " 3.png ,e\u0301", "4.png,a\u00a0")
    assert read_manifest(path, "classification", 16).names == ("a", "\u00e9")


@pytest.mark.parametrize(
    ("kind", "targets", "match"),
    [
        ("regression", ["roll"], "--targets=roll: no such target .* path, yaw, pitch"),
        ("regression", ["path"], "--targets=path"),
        ("regression", ["yaw", "yaw"], "is named twice"),
        ("classification", ["yaw", "pitch"], "classification has one target"),
    ],
)
def test_impossible_targets_are_refused(folder, kind, targets, match):
    with pytest.raises(Refused, match=match):
        read_manifest(write(folder, "path,yaw,pitch", "0.png,1,2"), kind, 16, targets=targets)


def test_rows_of_another_width_are_named(folder):
    with pytest.raises(Refused, match="line 2 and every other: 5 fields, but the header has 3 .decimal numbers"):
        read_manifest(write(folder, "path,yaw,pitch", "0.png,0,5,0,25", "1.png,1,5,1,25"), "regression", 16)
    with pytest.raises(Refused, match="1 wrong rows:\n  line 3: 2 fields, but the header has 3"):
        read_manifest(write(folder, "path,yaw,pitch", "0.png,1,2", "1.png,1", "2.png,1,2"), "regression", 16)


def test_a_class_that_nothing_teaches_is_refused(folder):
    path = write(folder, "path,label,split", "0.png,a,train", "1.png,b,train", "2.png,B,test")
    with pytest.raises(Refused, match="no training image has: B"):
        read_manifest(path, "classification", 16)


def test_a_linked_manifest_finds_the_images_of_either_folder(tmp_path):
    for path in (tmp_path / "real/a.png", tmp_path / "real/b.png"):
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(path)
    (tmp_path / "real/m.csv").write_text("path,label\na.png,x\nb.png,y\n")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/m.csv").symlink_to("../real/m.csv")
    assert read_manifest(tmp_path / "lists/m.csv", "classification", 16).source.count == 2
    for name in "ab":  # images beside the link itself come first
        (tmp_path / f"lists/{name}.png").symlink_to(f"../real/{name}.png")
    assert read_manifest(tmp_path / "lists/m.csv", "classification", 16).source.name == str(tmp_path / "lists")


@pytest.mark.parametrize("again", ["./0.png", "../{}/0.png", "x/../0.png"])
def test_one_image_is_one_however_its_path_is_written(folder, again):
    again = again.format(folder.name)
    path = write(folder, "path,label,split", "0.png,a,train", "1.png,b,train", f"{again},a,test")
    with pytest.raises(Refused, match="line 4: .* stands in line 2 already"):
        read_manifest(path, "classification", 16)
    with pytest.raises(Refused, match="line 2: an image is paired with itself"):
        read_manifest(
            write(folder, "fold,path1,path2,same", f"a,0.png,{again},1", "b,1.png,2.png,0"), "verification", 16
        )


def test_digits_joined_by_a_line_are_no_number(folder):
    path = write(folder, "path,split,yaw", "0.png,train,1_5", "1.png,test,2")
    with pytest.raises(Refused, match="line 2: .*1_5"):
        read_manifest(path, "regression", 16)
