"""Files as telephones, archives and other systems leave them: no two clips of one name, nothing lost."""

import os

import av
import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from pcl_tf.prepare import work
from pcl_tf.prepare.run import Limits, prepare_clips
from tests.helpers.commands import refused
from tests.helpers.images import encoded
from tests.prepare.videos import ramp, write_video

SETTINGS = work.Settings(size=32)
PNG = encoded(Image.new("RGB", (40, 40), "red"), "PNG")


def put(root, name, data):
    """Writes a file whose name may be bytes."""
    path = os.path.join(os.fsencode(root), os.fsencode(name))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "v.mp4"
    write_video(path, ramp(5))
    return path.read_bytes()


def test_a_clip_that_changes_is_done_again(tmp_path):
    put(tmp_path, "a/IMG_1.mp4", b"x")
    stamps = {work.list_units("videos", tmp_path)[0].stamp}
    os.utime(tmp_path / "a/IMG_1.mp4", (1, 1))
    stamps |= {work.list_units("videos", tmp_path)[0].stamp}
    (tmp_path / "a/IMG_1.mp4").chmod(0)  # it may now be unreadable
    assert len(stamps | {work.list_units("videos", tmp_path)[0].stamp}) == 3


def test_a_dataset_below_the_corpus_is_not_part_of_it(tmp_path):
    put(tmp_path, "photo.png", PNG)
    path, _ = prepare_clips("images", tmp_path, tmp_path / "data", settings=SETTINGS)  # its contact sheet is an image
    assert os.path.exists(f"{path}/sheet.png")
    assert [c for u in work.list_units("images", tmp_path) for c in u.clips] == ["photo.png"]


def test_everything_at_once(video, tmp_path, capsys):
    """A folder that has been through a telephone, a Mac and an old Windows, into a folder with a glob's characters."""
    root = tmp_path / "in [2026]"
    alike = (b"b\xf6se/z\xe9ro.mp4", b"b\xf6se/z\\xe9ro.mp4")  # printed
    for name in ("a/IMG_1.mp4", "a/IMG_1.MOV", "a/img_1.mp4", "tab\there\nend.mp4", *alike):
        put(root, name, video)
    for name in (
        "a/._IMG_1.mp4",
        "__MACOSX/a/b.mp4",
        ".hidden/c.mp4",
        "b/._3.heic",
        "a/1.HEIC",
        "a/2.heic",
        "l.txt",
        "README",
    ):
        put(root, name, b"x")
    os.mkfifo(root / "pipe.mp4")
    put(root, "empty\tone.mp4", b"")
    (root / "gone.mp4").symlink_to("nowhere")
    with av.open(str(root / "sound.mp4"), "w") as out:
        stream = out.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        out.mux([*stream.encode(frame), *stream.encode()])
    path, counts = prepare_clips(
        "videos", root, tmp_path / "data [1]", settings=SETTINGS, limits=Limits(unreadable=0.5)
    )
    assert counts["clips"] == 6 and counts["unreadable"] == 4
    assert "Files of other endings are not looked at: 2 .heic, 1 without, 1 .txt.\n" in capsys.readouterr().err
    rows = list(tfds.builder_from_directory(path).as_data_source(split="train"))
    assert {(r["clip"].decode(), r["identity"].decode()) for r in rows} == {
        ("a/IMG_1.mp4", "a"), ("a/IMG_1.MOV", "a"), ("a/img_1.mp4", "a"), ("tab\\there\\nend.mp4", ""),
        ("b\\xf6se/z\\xe9ro.mp4", "b\\xf6se"), ("b\\xf6se/z\\xe9ro.mp4'", "b\\xf6se"),
    }  # fmt: skip
    unreadable = dict(line.split("\t") for line in open(f"{path}/unreadable.txt").read().splitlines())
    assert unreadable == {
        "empty\\tone.mp4": "the file is empty",
        "gone.mp4": "No such file or directory",
        "pipe.mp4": "is no regular file",
        "sound.mp4": "no video stream in it",
    }


def test_flags_out_of_range_or_without_meaning_are_refused_in_a_line(tmp_path):
    for arguments, said in (
        (["videos", "--margin=2"], "--margin has no meaning without --detect"),
        (["videos", "--detect", "--centre=0.5"], "--centre has no meaning with --detect"),
        (["images", "--fps=2"], "--fps has no meaning for images"),
        (["images", os.fsdecode(b"--out=\xe9")], "printable"),
    ):
        assert said in refused("prepare", f"--data={tmp_path}", f"--out={tmp_path}/data", *arguments)


@pytest.mark.parametrize("stands", ["file", "folder"])
def test_what_stands_where_a_dataset_would_be_is_kept(stands, tmp_path):
    put(tmp_path, "corpus/a.png", PNG)
    place = tmp_path / "data" / "images" / "32px_6fps" / "1.0.0"
    mine = place if stands == "file" else place / "notes.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    other = place.parent / "incomplete.of_mine"
    other.mkdir()
    said = refused("prepare", "images", f"--data={tmp_path}/corpus", f"--out={tmp_path}/data", "--image_size=32")
    assert f"{place}: is no dataset and stands where one would be written" in said
    assert mine.read_text() == "mine" and other.is_dir()
