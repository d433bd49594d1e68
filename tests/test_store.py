"""Files are whole or not there, and a full disk is recognised."""

import errno
import os
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf

from pcl_tf.console import at_home
from pcl_tf.errors import Refused
from pcl_tf.rows import Rows, filled
from pcl_tf.store import alone, atomic_path, check, disk_is_full, several, write_atomically
from tests.helpers.commands import refused


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "result.json"
    write_atomically(path, "old")

    monkeypatch.setattr("os.fsync", mock.Mock(side_effect=OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(OSError) as caught:
        write_atomically(path, "new")
    assert disk_is_full(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"] and path.read_text() == "old"


def test_tensorflow_says_it_in_words():
    assert disk_is_full(tf.errors.ResourceExhaustedError(None, None, "ckpt-8_temp; No space left on device"))
    assert not disk_is_full(tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"))
    assert not disk_is_full(OSError(errno.ENOENT, "no such file"))
    for number in (errno.EDQUOT, errno.EFBIG):  # a quota; the largest file that is allowed
        assert disk_is_full(OSError(number, ""))
        assert disk_is_full(tf.errors.UnknownError(None, None, os.strerror(number)))


def _version(path, text):
    path.mkdir()
    (path / "weights").write_text(text)


def test_a_folder_is_replaced_whole_and_keeps_its_mode(tmp_path, monkeypatch):
    """Whoever is killed at any rename leaves the old version or the new one."""
    _version(tmp_path / "7", "old")
    (tmp_path / "7").chmod(0o700)
    monkeypatch.setattr("os.replace", lambda *_: pytest.fail("between two renames nothing has the name"))
    with atomic_path(tmp_path / "7", replaces=lambda folder: folder.name == "7") as aside:
        _version(aside, "new")
        assert (tmp_path / "7/weights").read_text() == "old"
        assert not any(p.name.isdigit() for p in tmp_path.iterdir() if p.name != "7")  # nothing a server would take up
    assert (tmp_path / "7/weights").read_text() == "new" and len(list(tmp_path.iterdir())) == 1
    assert (tmp_path / "7").stat().st_mode & 0o777 == 0o700


def test_a_file_that_is_replaced_keeps_its_mode(tmp_path):
    write_atomically(tmp_path / "faces.npz", "vectors of faces")
    (tmp_path / "faces.npz").chmod(0o600)
    write_atomically(tmp_path / "faces.npz", "more")
    assert (tmp_path / "faces.npz").stat().st_mode & 0o777 == 0o600


def test_what_has_its_name_outlasts_a_power_cut(tmp_path, power_cut):
    with atomic_path(tmp_path / "model.keras") as aside:
        aside.write_text("weights")
    write_atomically(tmp_path / "state.json", "state")
    with atomic_path(tmp_path / "7") as aside:
        _version(aside, "in a folder")
        _version(aside / "assets", "below it")
    power_cut(tmp_path)
    texts = {str(p.relative_to(tmp_path)): p.read_text() for p in tmp_path.rglob("*") if p.is_file()}
    files = {"model.keras": "weights", "state.json": "state"}
    assert texts == {**files, "7/weights": "in a folder", "7/assets/weights": "below it"}


def test_one_process_at_a_time(tmp_path, capsys):
    lock = tmp_path / "lock"
    with alone(lock, ""), pytest.raises(ValueError, match="in use"), alone(lock, ValueError("in use")):
        pass
    with ThreadPoolExecutor() as pool, alone(lock, ""):

        def second():
            with alone(lock, "waiting"):
                return ended.is_set()

        ended, waiting = threading.Event(), pool.submit(second)
        while "waiting" not in capsys.readouterr().err:
            time.sleep(0.01)
        ended.set()
    assert waiting.result()
    with alone(lock, ValueError("in use")):  # it is free
        pass


@pytest.mark.parametrize("at_once", [True, False])
def test_a_folder_that_cannot_be_replaced_stays(tmp_path, monkeypatch, at_once):
    _version(tmp_path / "7", "old")
    rename = os.replace

    def refuse(source, target):
        if target == tmp_path / "7" and "old." not in str(source):
            raise OSError(errno.EIO, "Input/output error")
        rename(source, target)

    monkeypatch.setattr("os.replace", refuse)
    if not at_once:
        monkeypatch.setattr("ctypes.CDLL", lambda _: object())  # a system without renameat2
    with pytest.raises(OSError), atomic_path(tmp_path / "7", replaces=lambda folder: True) as aside:
        _version(aside, "new")
        if at_once:
            raise OSError(errno.ENOSPC, "No space left on device")
    assert (tmp_path / "7/weights").read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_what_a_killed_process_left_aside_goes_and_what_another_writes_stays(tmp_path):
    (tmp_path / ".part.killed").mkdir()
    (tmp_path / ".part.killed/result.json").write_text("half")
    for name in ("empty", "new"):  # a killed process's, and one that its process is about to hold
        (tmp_path / f".part.{name}").mkdir()
    os.utime(tmp_path / ".part.empty", (0, 0))
    with atomic_path(tmp_path / "model.keras") as theirs:
        theirs.write_text("half of")
        write_atomically(tmp_path / "result.json", "whole")
        assert not (tmp_path / ".part.killed").exists() and theirs.read_text() == "half of"
    assert sorted(p.name for p in tmp_path.iterdir()) == [".part.new", "model.keras", "result.json"]


def test_two_containers_write_one_file_one_after_the_other(tmp_path, monkeypatch):
    """The first process of each has the number 1."""
    monkeypatch.setattr("os.getpid", lambda: 1)
    with atomic_path(tmp_path / "faces.npz") as first, open(first, "w") as half:
        half.write("0" * 100)
        write_atomically(tmp_path / "faces.npz", "1" * 200)
        half.write("0" * 100)
    assert (tmp_path / "faces.npz").read_text() == "0" * 200 and len(list(tmp_path.iterdir())) == 1


def test_where_no_lock_is_known_files_are_written_and_nothing_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("fcntl.flock", mock.Mock(side_effect=OSError(errno.ENOSYS, "Function not implemented")))
    with atomic_path(tmp_path / "model.keras") as theirs:
        theirs.write_text("half of")
        write_atomically(tmp_path / "result.json", "whole")
        assert theirs.read_text() == "half of" and (tmp_path / "result.json").read_text() == "whole"
    monkeypatch.setattr("filelock.FileLock.acquire", mock.Mock(side_effect=NotImplementedError))
    with alone(tmp_path / "lock", ""), alone(tmp_path / "lock", ValueError("in use")):
        pass


def test_a_version_that_a_kill_left_without_its_name_has_it_again(tmp_path):
    """A system that cannot exchange two folders needs two renames."""
    for name, weights in (("old.7", "old"), ("7", "new")):
        (tmp_path / ".part.killed" / name).mkdir(parents=True)
        (tmp_path / ".part.killed" / name / "weights").write_text(weights)
    write_atomically(tmp_path / "result.json", "{}")
    assert (tmp_path / "7/weights").read_text() == "old" and not (tmp_path / ".part.killed").exists()


def _rows(n):
    return {"a": np.arange(n * 2.0, dtype="f4").reshape(n, 2) + n, "b": np.full((n, 3, 3), n, np.uint8)}


def test_rows_go_on_where_they_stopped(tmp_path, power_cut):
    rows = Rows(tmp_path)
    rows.append(_rows(5), unreadable=[])
    rows.append(_rows(2), unreadable=["x.jpg"])
    power_cut(tmp_path)
    with open(tmp_path / "a", "ab") as f:
        f.write(b"of an append that was killed")
    again = Rows(tmp_path)
    assert (again.rows, again.whole, again.notes, sorted(again)) == (7, False, {"unreadable": ["x.jpg"]}, ["a", "b"])
    again.append(_rows(1))
    again.finish()
    for name in "ab":
        wanted = np.concatenate([_rows(n)[name] for n in (5, 2, 1)])
        assert np.array_equal(Rows(tmp_path)[name], wanted) and Rows(tmp_path)[name].dtype == wanted.dtype
    assert Rows(tmp_path).whole


@pytest.mark.parametrize(
    "damage", ["", "{}", "[1]", '{"rows": 5, "arrays": {"a": ["<f4", [2]]}, "notes": {}}', "short"]
)
def test_damaged_rows_begin_again(tmp_path, damage):
    rows = Rows(tmp_path)
    rows.append(_rows(5))
    rows.finish()
    if damage == "short":
        os.truncate(tmp_path / "b", 44)
    else:
        (tmp_path / "state.json").write_text(damage)
    assert (Rows(tmp_path).rows, Rows(tmp_path).whole, list(Rows(tmp_path))) == (0, False, [])


def test_rows_are_filled_once(tmp_path, monkeypatch):
    calls = []

    def fill(rows):
        calls.append(rows.rows)
        if not rows.rows:
            rows.append(_rows(3))
            raise KeyboardInterrupt
        rows.append(_rows(1))

    with pytest.raises(KeyboardInterrupt):
        filled(tmp_path / "new", fill, "faces")
    assert filled(tmp_path / "new", fill, "faces").rows == 4
    monkeypatch.setattr("pcl_tf.rows.alone", None)  # where nothing can be written there is no lock
    assert filled(tmp_path / "new", fill, "faces").rows == 4 and calls == [0, 3]


def test_a_folder_is_replaced_by_nothing_that_may_not(tmp_path):
    _version(tmp_path / "7", "my only copy")
    with pytest.raises(Refused, match="7: is a folder"), atomic_path(tmp_path / "7") as aside:
        _version(aside, "new")
    with pytest.raises(Refused, match="7: is a folder"):
        write_atomically(tmp_path / "7", b"picture")
    assert (tmp_path / "7/weights").read_text() == "my only copy" and len(list(tmp_path.iterdir())) == 1


def test_what_a_link_points_to_is_written(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "result.json").symlink_to("disk/result.json")
    for text in ("new", "newer"):  # first it points to nothing
        write_atomically(tmp_path / "result.json", text)
        assert (tmp_path / "disk/result.json").read_text() == text and (tmp_path / "result.json").is_symlink()


NO_FILES = {
    "": "is no name",
    ".": "is a folder",
    "folder.png": "is a folder",
    "new.png/": "is a folder",
    "faces.zip": "must end in .png",
    "faces.zip/a/b.png": "cannot be written to",
    "pipe.png": "is a device or a pipe",
    "/dev/null": "must end in .png",
    "x" * 250: "must end in .png",
    "a\0b.png": "is no name",
    "protected.png": "is write-protected",
}


def test_names_under_which_no_file_can_be_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "faces.zip").write_text("my only copy")
    (tmp_path / "protected.png").touch(0o444)
    for name, why in NO_FILES.items():
        with pytest.raises(Refused, match=f"--out=.*{why}"):
            check(name, suffix=".png")
    (tmp_path / "old.png").write_text("old")
    for name in ("old.png", "new/folder/out.png", str(tmp_path / "absolute.png"), "x" * 200 + ".PNG"):
        check(name, suffix=".png")
    assert {p.name for p in tmp_path.iterdir()} == {"faces.zip", "folder.png", "old.png", "pipe.png", "protected.png"}


@pytest.mark.parametrize(
    ("argument", "wanted"),
    [
        ("--data=~/faces", "--data=/home/me/faces"),
        ("--data=~/a,~/b,tfds:x", "--data=/home/me/a,/home/me/b,tfds:x"),
        ("--task=classification:~/m.csv", "--task=classification:/home/me/m.csv"),
        ("--set=data.source=~", "--set=data.source=/home/me"),
        ("~/faces.zip", "/home/me/faces.zip"),
        *[
            (same, same)
            for same in ("--data=a~/b", "--data=b.jpg~", "--header=authorization:~token", "--data=~none_such/b")
        ],
    ],
)
def test_tildes_of_paths(monkeypatch, argument, wanted):
    monkeypatch.setenv("HOME", "/home/me")
    assert at_home(argument) == wanted


@pytest.mark.parametrize("check", [check, lambda path: check(path, folder=True)])
@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), FileNotFoundError(2, "No such file")])
def test_places_in_which_nothing_can_be_made(tmp_path, monkeypatch, check, error):
    # as /proc does, and a disk that only reads
    monkeypatch.setattr("pcl_tf.store.tempfile.TemporaryFile", mock.Mock(side_effect=error))
    said = rf"--out={tmp_path}/new/it.png: {tmp_path} cannot be written to \({error.strerror}"
    with pytest.raises(Refused, match=said):
        check(tmp_path / "new/it.png")


@pytest.mark.parametrize("inputs", [["faces"], ["faces/a.png"], ["generated", "nope", "linked"], ["."]])
def test_a_picture_that_is_read_is_not_written_over(tmp_path, monkeypatch, inputs):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces/a.png").write_text("my only copy")
    (tmp_path / "linked").symlink_to("faces")
    with pytest.raises(Refused, match="--out=faces/a.png: is one of the images that are read"):
        check("faces/a.png", inputs=inputs)
    check("faces/b.png", inputs=inputs)
    check("faces/a.png", inputs=["", "faces.zip", "generated"])


@pytest.mark.parametrize("name", ["", "file.txt", "file.txt/below", "a\0b"])
def test_names_that_cannot_be_a_folder(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.txt").write_text("text")
    with pytest.raises(Refused, match="--cache="):
        check(name, "--cache", folder=True)
    check("new/folder/", "--cache", folder=True)
    check(".", "--cache", folder=True)
    assert [p.name for p in tmp_path.iterdir()] == ["file.txt"]


def test_what_lies_beside_an_output_is_written_over_only_with_it(tmp_path):
    check(tmp_path / "out.png", beside=[tmp_path / "out_swap.png"])
    (tmp_path / "out_swap.png").write_text("mine")
    with pytest.raises(Refused, match="--out=.*out_swap.png exists and would be written over"):
        check(tmp_path / "out.png", beside=[tmp_path / "out_swap.png"])
    (tmp_path / "out.png").write_text("of an earlier call, as the other then is")
    check(tmp_path / "out.png", beside=[tmp_path / "out_swap.png"])


@pytest.mark.parametrize(
    "command, theirs",
    [
        (["reconstruct", "--workdir={}", "--out={}/r.png"], "r_swap.png"),
        (["probe", "--model=pixels", "--task=generated_pose", "--image_size=16", "--out={}"], "tables.md"),
        (["embed", "--model=pixels", "--data=generated", "--out={}/e.npz", "--projector={}"], "names.tsv"),
        (["train", "--recipe=vox64:smoke", "--recipe.total_steps=0", "--workdir={}"], "result.json"),
    ],
)
def test_no_command_writes_over_what_is_not_its_own(command, theirs, tmp_path):
    (tmp_path / theirs).write_text("mine")
    said = refused(*(word.format(tmp_path) for word in command))
    assert theirs in said and "Traceback" not in said
    assert [p.name for p in tmp_path.iterdir()] == [theirs] and (tmp_path / theirs).read_text() == "mine"


@pytest.mark.parametrize(
    "flag, source, ours",
    [
        ("--box", "--workdir={}", "box.json"),
        ("--hub", "--workdir={}", "model.weights.h5"),
        ("--web", "--model=faces64", "model.json page.js"),
    ],
)
def test_an_export_replaces_a_folder_of_its_own_kind_alone_and_looks_before_any_work(
    flag, source, ours, tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", str(tmp_path))  # no npm, which the page needs; nor has the workdir a whole recipe
    (tmp_path / "recipe.json").write_text("{}")
    (tmp_path / "mine").mkdir()
    asked = "export", source.format(tmp_path), f"{flag}={tmp_path / 'mine'}"
    assert f"{flag}={tmp_path / 'mine'}: exists and is of another kind" in refused(*asked)
    for name in ours.split():
        (tmp_path / "mine" / name).touch()
    assert "of another kind" not in refused(*asked)


def test_a_model_that_lies_where_nothing_can_be_written(tmp_path, monkeypatch):
    """As on a mount that only reads: the flag is named that gives another place."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run/recipe.json").write_text("{}")
    image = keras.Input((8, 8, 3))
    keras.Model(image, keras.layers.Flatten()(image)).save(tmp_path / "run/it.keras")
    able = tempfile.TemporaryFile

    def refuses(dir):
        if str(dir).startswith(str(tmp_path / "run")):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return able(dir=dir)

    monkeypatch.setattr("pcl_tf.store.tempfile.TemporaryFile", refuses)
    embed = ["embed", f"--model={tmp_path}/run/it.keras", "--data=generated", f"--out={tmp_path}/e.npz"]
    wanted = "run cannot be written to (Read-only file system); give a place that can."
    assert refused(*embed).startswith(f"error: --cache={tmp_path}/run/probe/features: ")
    assert refused(*embed).endswith(wanted)
    said = refused("export", f"--workdir={tmp_path}/run")
    assert said.startswith(f"error: --workdir={tmp_path}/run: ") and said.endswith(wanted)


def test_what_exists_may_have_commas_in_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lr=1,bs=2").mkdir()
    (tmp_path / "yaw, final.csv").write_text("")
    assert several("a,lr=1,bs=2,hog") == ["a", "lr=1,bs=2", "hog"]
    assert several("regression:yaw, final.csv, x:y") == ["regression:yaw, final.csv", "x:y"]
