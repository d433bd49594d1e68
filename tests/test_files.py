"""Files are whole or not there, and a full disk is recognised."""

import errno

import pytest
import tensorflow as tf

from pcl_tf.files import disk_is_full, write_atomically


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
