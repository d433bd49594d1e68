"""Own data: manifests become tasks, or every bad row is named at once."""

import numpy as np
import pytest
from PIL import Image

from pcl_tf.data.listed import arrays
from pcl_tf.errors import Refused
from pcl_tf.evaluation import tasks
from pcl_tf.evaluation.lists import read_lines, read_table
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


def test_a_split_that_has_an_image_on_both_sides_is_refused():
    source = arrays("faces", np.zeros((5, 8, 8, 3), np.uint8))
    with pytest.raises(Refused, match="1 images are in the training and the test part"):
        Task("t", "classification", source, 8, ("a",), np.zeros(5, int), ((np.array([0, 1]), np.array([1, 2])),))


def test_pairs(folder):
    rows = ("a,0.png,1.png,1,f", "b,1.png,2.png,0,m", "b,0.png,2.png,0,")
    task = read_manifest(write(folder, "fold,path1,path2,same,gender", *rows), "verification", 8, groups=["gender"])
    assert task.pairs.tolist() == [[0, 1], [1, 2], [0, 2]] and task.source.count == 3
    assert list(task.folds) == [0, 1, 1] and task.groups["gender"].tolist() == ["f", "m", ""]


def test_pairs_without_folds_get_some_that_share_no_picture(folder):
    (folder / "copy.png").write_bytes((folder / "1.png").read_bytes())
    rows = [f"{i}.png,{i + 1}.png,{i // 2 % 2}" for i in range(0, 12, 2)] + ["copy.png,3.png,0"]
    task = read_manifest(write(folder, "path1,path2,same", *rows), "verification", 16)
    assert sorted(set(task.folds)) == [0, 1, 2, 3, 4] and task.folds[0] == task.folds[1] == task.folds[6]


def test_all_wrong_rows_are_named_at_once(folder):
    rows = ("0.png,1,0,train", "nope.png,1,0,test", "1.png,2,0,train", "2.png,x,,test", "3.png,0,1,dev")
    with pytest.raises(Refused) as error:
        read_manifest(write(folder, "path,AU1,AU2,split", *rows), "multilabel", 16)
    wrong = ("no image 'nope.png'", "labels are 0 or 1", "AU1 is 'x', AU2 is ''", "split is 'dev'")
    for part in ("4 wrong rows", *(f"line {line}: {text}" for line, text in enumerate(wrong, 3))):
        assert part in str(error.value)


def test_wrong_pairs_are_named(folder):
    twice = ("1,3.png,4.png,1", "2,4.png,./3.png,0", "2,3.png,4.png,1")
    rows = ("1,0.png,0.png,1", "1,1.png,9.jpg,yes", ",1.png,2.png,0", *twice)
    path = write(folder, "fold,path1,path2,same", *rows)
    with pytest.raises(Refused) as error:
        read_manifest(path, "verification", 16)
    stands = [f"line {line}: the pair stands in line 5 already" for line in (6, 7)]
    for part in ("paired with itself", "no image '9.jpg'", "same is 'yes'", "line 4: no fold", *stands):
        assert part in str(error.value)


WRONG = [  # kind and targets; manifest; what is said
    ("classification", "file,label\n0.png,a", "manifest has path,label"),
    ("regression", "path\n0.png", "manifest has path,VALUE"),
    ("verification", "fold,path1,same\n1,0.png,1", "manifest has path1,path2,same"),
    ("classification", "path,label", "no rows"),
    ("classification", "path,label\n0.png,a\n1.png,a", "fewer than two classes"),
    ("classification", "path,label\n0.png,a\n1.png,", "line 3: no label"),
    ("classification", "path,label,split\n0.png,a,train\n1.png,b,train\n2.png,B,test", "no training image has: B"),
    ("regression", "path,yaw,split\n0.png,nan,train\n1.png,1,test", "yaw is 'nan'"),
    ("regression", "path,yaw,split\n0.png,1e308,train\n1.png,1,test", "yaw is '1e308', no number within"),
    ("regression", "path,split,yaw\n0.png,train,1_5\n1.png,test,2", "line 2: .*1_5"),
    ("regression", "path,a,b\n0.png,0,5,0,2\n1.png,1,5,1,2", "line 2 and every other: 5 fields, .* 3 .decimal numbers"),
    ("regression", "path,a,b\n0.png,1,2\n1.png,1\n2.png,1,2", "1 wrong rows:\n  line 3: 2 fields, .* header has 3"),
    ("regression roll", "path,yaw,pitch\n0.png,1,2", "--targets=roll: no such column of .* path, yaw, pitch"),
    ("regression path", "path,yaw,pitch\n0.png,1,2", "--targets=path"),
    ("classification yaw pitch", "path,yaw,pitch\n0.png,1,2", "classification has one target"),
]


@pytest.mark.parametrize(("kind", "text", "said"), WRONG)
def test_what_is_wrong_is_refused(folder, kind, text, said):
    kind, *targets = kind.split()
    with pytest.raises(Refused, match=said):
        read_manifest(write(folder, text), kind, 16, targets=targets)


def test_further_columns_and_stated_targets(folder):
    path = write(folder, ",Path,yaw,pitch,group,ID", *(f"{i},{i}.png,{i},{-i},g,{9 * i}" for i in range(12)))
    task = read_manifest(path, "regression", 16)
    assert task.names == ("yaw", "pitch") and not task.notes
    assert read_manifest(path, "regression", 16, targets=("pitch",)).labels.tolist() == [[-i] for i in range(12)]
    assert read_manifest(path, "regression", 16, targets=["id"]).labels[2] == 18
    emotions = write(folder, "path,label,emotion", "0.png,1,a", "1.png,1,b", "2.png,1,a", "3.png,1,b", "4.png,1,a")
    assert read_manifest(emotions, "classification", 16, targets=["emotion"]).names == ("a", "b")


def test_one_value_is_one_class_and_one_person_whichever_program_wrote_it(folder):
    path = write(folder, "path, label ", "0.png,a ", "1.png, a", "2.png,\u00e9", " 3.png ,e\u0301", "4.png,a\u00a0")
    assert read_manifest(path, "classification", 16).names == ("a", "\u00e9")
    rows = ("0.png,1,7,train,3", "1.png,0.0,8.00,train,3.0", "2.png,1.0,9,test,4.5", "3.png,0,-1.0,test,")
    task = read_manifest(write(folder, "path,label,subject,split,group", *rows), "classification", 16)
    assert task.names == ("0", "1") and task.subjects.tolist() == ["7", "8", "9", "-1"]
    assert task.groups["group"].tolist() == ["3", "3", "4.5", ""]
    path.write_text(path.read_text().replace("2.png,1.0,9", "2.png,1.0,8"))
    with pytest.raises(Refused, match="1 subjects are in both the training and the test split: 8"):
        read_manifest(path, "classification", 16)


@pytest.mark.parametrize("again", ["0.png", "./0.png", "../{}/0.png", "x/../0.png"])
def test_one_image_is_one_however_its_path_is_written(folder, again):
    again = again.format(folder.name)
    path = write(folder, "path,label,split", "0.png,a,train", "1.png,b,train", f"{again},a,test")
    with pytest.raises(Refused, match="line 4: .* stands in line 2 already"):
        read_manifest(path, "classification", 16)
    path = write(folder, "fold,path1,path2,same", f"a,0.png,{again},1", "b,1.png,2.png,0")
    with pytest.raises(Refused, match="line 2: an image is paired with itself"):
        read_manifest(path, "verification", 16)


@pytest.fixture
def grouped(folder):
    rows = [f"{i}.png,{i},{'fm'[i % 2]},{'' if i == 3 else 20 + i},g{i % 3}" for i in range(12)]
    return write(folder, "path,yaw,gender,age,Group", *rows)


def test_columns_of_groups_are_no_targets(grouped):
    task = read_manifest(grouped, "regression", 8, groups=["gender", "age", "GROUP"])
    assert task.names == ("yaw",) and list(task.groups) == ["group", "gender", "age"]
    assert task.groups["gender"].tolist() == ["f", "m"] * 6 and task.groups["age"][3] == ""
    other, plain = (read_manifest(grouped, "regression", 8, targets=["yaw"], groups=g) for g in (["gender"], []))
    assert list(plain.groups) == ["group"] and other.digest == plain.digest


@pytest.mark.parametrize("name", ["hair", "path", ""])
def test_a_column_that_is_not_there_is_named(grouped, name):
    with pytest.raises(Refused, match=f"--groups={name}: no such column of groups .* path, yaw, gender, age, group"):
        read_manifest(grouped, "regression", 8, targets=["yaw"], groups=[name])
    with pytest.raises(Refused, match="--groups=age: --task=generated_pose is no manifest"):
        tasks.open_task("generated_pose", groups=["age"])


@pytest.mark.parametrize(("encoding", "end"), [("utf-8", "\n"), ("utf-8-sig", "\r\n"), ("utf-8", "\r")])
def test_a_mark_and_line_ends_change_nothing(tmp_path, encoding, end):
    path = tmp_path / "list.txt"
    path.write_bytes(end.join(["Zo\u00eb\t1", "", "  B 2  "]).encode(encoding))
    assert read_lines(path) == [(1, "Zo\u00eb\t1"), (3, "B 2")]


@pytest.mark.parametrize(
    ("data", "match"),
    [
        ("a\nZo\u00eb 1\n".encode("latin-1"), "line 2: not UTF-8; save it as UTF-8"),
        ("\ufeffa\nZo\u00eb 1\nZo\u00eb".encode()[:-1], "line 3: not UTF-8"),
        ("a\nb".encode("utf-16"), "line 1: not UTF-8"),
        (b" \r\n\t\n", "is empty"),
        (b",,\n", "is empty"),
        (b"path,yaw,yaw \na.png,1,2\n", "two columns are called 'yaw'"),
        (b'path,label\n"a.png,x\nb.png,y\n', "cannot be read as a CSV"),
    ],
)
def test_an_unreadable_list_is_refused_in_one_line(tmp_path, data, match):
    (tmp_path / "list.txt").write_bytes(data)
    with pytest.raises(Refused, match=match) as error:
        read_table(tmp_path / "list.txt")
    assert "\n" not in str(error.value) and "list.txt" in str(error.value)


def table(folder, text, **kwargs):
    (folder / "t.csv").write_text(text)
    return read_table(folder / "t.csv", **kwargs)


def test_blanks_unnamed_columns_and_rows_of_another_width(tmp_path):
    text = ',Path , label,Unnamed: 2\n0, a.png,x ,7\n\n1,b.png\n , ,,\n2,"c,d.png",y,8\n'
    found = table(tmp_path, text, reserved=("path",))
    assert found.header == ("path", "label") and found.ragged == {4: "2 fields, but the header has 4"}
    assert found.rows == [(2, {"path": "a.png", "label": "x"}), (6, {"path": "c,d.png", "label": "y"})]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_columns_may_be_separated_as_excel_does(tmp_path, separator):
    found = table(tmp_path, "path;a,b;c\n1,5.png;x;0,5\n".replace(";", separator))
    assert found.header == ("path", "a,b", "c") and found.rows == [(2, {"path": "1,5.png", "a,b": "x", "c": "0,5"})]
