"""Files are whole or not there, and a full disk is recognised."""

import errno
import os

import pytest
import tensorflow as tf

from pcl_tf.files import OutputError, check_output, disk_is_full, whole_or_not, write_atomically


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "result.json"
    write_atomically(path, "old")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError) as caught:
        write_atomically(path, "new")
    assert disk_is_full(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"] and path.read_text() == "old"


def test_tensorflow_says_it_in_words():
    assert disk_is_full(tf.errors.ResourceExhaustedError(None, None, "ckpt-8_temp; No space left on device"))
    assert not disk_is_full(tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"))
    assert not disk_is_full(OSError(errno.ENOENT, "no such file"))


def _version(path, text):
    path.mkdir()
    (path / "weights").write_text(text)


def test_a_folder_is_replaced_whole(tmp_path):
    _version(tmp_path / "7", "old")
    with whole_or_not(tmp_path / "7") as aside:
        _version(aside, "new")
        assert (tmp_path / "7/weights").read_text() == "old"
        assert not any(p.name.isdigit() for p in tmp_path.iterdir() if p.name != "7")  # nothing a server would take up
    assert (tmp_path / "7/weights").read_text() == "new" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("fails_at", ["filling", "renaming"])
def test_a_folder_that_cannot_be_replaced_is_back(tmp_path, monkeypatch, fails_at):
    _version(tmp_path / "7", "old")
    rename = os.replace

    def refuse(source, target):
        if ".part." in str(source):
            raise OSError(errno.EIO, "Input/output error")
        rename(source, target)

    if fails_at == "renaming":
        monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(OSError), whole_or_not(tmp_path / "7") as aside:
        _version(aside, "new")
        if fails_at == "filling":
            raise OSError(errno.ENOSPC, "No space left on device")
    assert (tmp_path / "7/weights").read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_a_file_never_replaces_a_folder(tmp_path):
    _version(tmp_path / "figures", "my only copy")
    with pytest.raises(OutputError, match="figures: is a folder"):
        write_atomically(tmp_path / "figures", b"picture")
    assert (tmp_path / "figures/weights").read_text() == "my only copy" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["", ".", "..", "folder", "folder/", "new/", "file.txt/out.png", "file.txt/a/b.png"])
def test_names_under_which_no_file_can_be_written(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file.txt").write_text("text")
    with pytest.raises(OutputError, match="--out="):
        check_output(name)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file.txt", "folder"]


def test_new_and_old_files_are_fine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.png").write_text("old")
    for name in ("old.png", "new.png", "folder/that/is/new/out.png", str(tmp_path / "absolute.png")):
        check_output(name)
    assert [p.name for p in tmp_path.iterdir()] == ["old.png"]
