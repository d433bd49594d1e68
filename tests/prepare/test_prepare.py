"""From trees of real videos and images to the batches of training."""

import os
import pathlib
import struct
from fractions import Fraction

import numpy as np
import pytest

from pcl_tf.data.clips import ClipFaces
from pcl_tf.data.files import Unreadable
from pcl_tf.data.index import find_clips
from pcl_tf.data.pipeline import batches
from pcl_tf.data.videos import numbered_frames
from pcl_tf.errors import Refused
from pcl_tf.prepare import work
from pcl_tf.prepare.run import Limits, prepare_clips
from tests.helpers.commands import done
from tests.prepare.videos import ramp, write_video

SETTINGS, HALF = work.Settings(size=32), Limits(unreadable=0.5)
CLIPS = {  # frames at 25 a second; one of six identities has half of the clips
    "vox1/id1/a/00001.mp4": 25,
    "vox1/id1/a/00002.mp4": 50,
    "vox1/id1/b/00001.mp4": 13,
    "vox2/dev/id2/c/00001.mp4": 5,
    "vox2/dev/id3/d/00009.mp4": 38,
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("voxceleb")
    for name, count in CLIPS.items():
        write_video(root / name, ramp(count))
    (root / "vox1/id1/a/00003.mp4").write_bytes((root / "vox1/id1/a/00001.mp4").read_bytes()[:700])
    (root / "vox1/list.txt").write_text("no video")
    return root


@pytest.fixture(scope="module")
def prepared(tree, tmp_path_factory):
    """(path, counts) of the tree's dataset."""
    return prepare_clips("voxceleb", tree, tmp_path_factory.mktemp("data"), settings=SETTINGS, limits=HALF)


@pytest.fixture(scope="module")
def records(prepared):
    """What TFDS reads of it."""
    import tensorflow_datasets as tfds

    return list(tfds.builder_from_directory(prepared[0]).as_data_source(split="train"))


def expected(count):
    """Numbers of the frames at or after every sixth of a second: rational arithmetic, no video."""
    return [n for n in (-(-25 * k // 6) for k in range(count)) if n < count]


def numbers(images):
    return np.round(images.reshape(len(images), -1).mean(axis=1) / 4).astype(int).tolist()


@pytest.mark.parametrize(
    "name, codec, rate, wanted",
    [
        ("a.mp4", "libx264", 25, expected(20)),
        ("a.mp4", "libx264", 5, [*range(20)]),
        ("a.webm", "libvpx-vp9", 25, expected(20)),
    ],
)
def test_six_frames_a_second_are_taken_of_any_video(name, codec, rate, wanted, tmp_path):
    write_video(tmp_path / name, ramp(20), rate, codec)
    assert numbers(np.stack([frame for _, _, frame in numbered_frames(str(tmp_path / name), 6)])) == wanted


def test_playing_goes_on_where_time_stamps_begin_again(tmp_path):
    write_video(tmp_path / "a.mpg", ramp(20), codec="mpeg2video")
    (tmp_path / "joined.mpg").write_bytes(2 * (tmp_path / "a.mpg").read_bytes())
    frames = np.stack([frame for _, _, frame in numbered_frames(str(tmp_path / "joined.mpg"), 6)])
    assert numbers(frames) == [n % 20 for n in expected(40)]


@pytest.mark.parametrize("wide", ["4/3", "1/2"])
def test_pixels_that_are_not_square_become_square(wide, tmp_path):
    write_video(tmp_path / "a.mp4", ramp(3), wide=wide)
    shapes = {frame.shape for _, _, frame in numbered_frames(str(tmp_path / "a.mp4"), 25)}
    assert shapes == {(32, round(32 * Fraction(wide)), 3)}


@pytest.mark.parametrize("turn, bright", [("right", np.s_[:, 16:]), ("left", np.s_[:, :16]), ("over", np.s_[16:])])
def test_a_video_filmed_on_its_side_stands_upright(turn, bright, tmp_path):
    """The track's matrix (ISO 14496-12, 8.3.2) is written by hand, as telephones do."""
    frames = np.zeros((3, 32, 32, 3), np.uint8)
    frames[:, :16] = 200
    write_video(tmp_path / "a.mp4", frames)
    matrices = {"none": (1, 0, 0, 1), "right": (0, 1, -1, 0), "left": (0, -1, 1, 0), "over": (-1, 0, 0, -1)}

    def matrix(name):
        a, b, c, d = (65536 * x for x in matrices[name])
        return struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 2**30)

    head, movie, track = (tmp_path / "a.mp4").read_bytes().split(matrix("none"))
    (tmp_path / "a.mp4").write_bytes(head + matrix("none") + movie + matrix(turn) + track)
    for _, _, frame in numbered_frames(str(tmp_path / "a.mp4"), 25):
        assert frame[bright].mean() > 180 and frame.mean() < 120


def test_what_is_no_video_and_an_unknown_codec_are_unreadable(tmp_path):
    (tmp_path / "text.mp4").write_bytes(b"x" * 5000)
    with pytest.raises(Unreadable):
        list(numbered_frames(str(tmp_path / "text.mp4"), 6))
    write_video(tmp_path / "a.avi", ramp(5), codec="mpeg4")
    (tmp_path / "a.avi").write_bytes((tmp_path / "a.avi").read_bytes().replace(b"FMP4", b"ZZZ9"))
    with pytest.raises(Unreadable, match="codec is not known"):
        list(numbered_frames(str(tmp_path / "a.avi"), 6))


def test_counts_and_unreadable_files(prepared, tree, tmp_path):
    path, counts = prepared
    frames = sum(len(expected(n)) for n in CLIPS.values())
    wanted = {"clips": 5, "frames": frames, "identities": 3, "files": 6, "unreadable": 1}
    assert {k: counts[k] for k in wanted} == wanted
    assert open(f"{path}/unreadable.txt").read().startswith("vox1/id1/a/00003.mp4\t")
    assert find_clips(os.path.dirname(os.path.dirname(path))) == path
    assert os.listdir(os.path.dirname(os.path.dirname(os.path.dirname(path)))) == ["voxceleb"]  # nothing left over
    with pytest.raises(Refused, match=r"1 of 6 files .16.7%(?s:.*)00003.mp4(?s:.*)--max_unreadable_share"):
        prepare_clips("voxceleb", tree, tmp_path, settings=SETTINGS)


def test_tfds_reads_it_too_with_the_time_of_each_frame(prepared, records):
    found = {r["clip"].decode(): numbers(np.stack(r["frames"])) for r in records}
    assert found == {name.removesuffix(".mp4"): expected(count) for name, count in CLIPS.items()}
    assert {r["identity"] for r in records} == {b"id1", b"id2", b"id3"}
    index = np.load(f"{prepared[0]}/clips.npz")
    np.testing.assert_array_equal(index["times"], np.concatenate([r["times"] for r in records]))
    for r in records:
        np.testing.assert_allclose(r["times"], np.array(expected(100)[: len(r["times"])]) / 25, atol=1e-6)


@pytest.mark.slow
def test_beam_writes_the_same_files(prepared, tree, tmp_path):
    pytest.importorskip("apache_beam", reason="needs requirements-beam.txt")
    how = {"settings": SETTINGS, "limits": HALF, "beam_options": ["--runner=DirectRunner"]}
    path, counts = prepare_clips("voxceleb", tree, tmp_path, **how)
    ours, theirs = ({p.name: p.read_bytes() for p in pathlib.Path(folder).iterdir()} for folder in (prepared[0], path))
    assert counts == prepared[1] and theirs == ours


def test_an_interrupted_preparation_goes_on(tree, tmp_path, monkeypatch):
    done, cut = [], work._cut

    def counted(file, settings):
        if len(done) == 3:
            raise OSError(28, "No space left on device")
        done.append(os.path.relpath(file, tree))
        return cut(file, settings)

    monkeypatch.setattr(work, "_cut", counted)
    with pytest.raises(Exception, match="No space left"):
        prepare_clips("voxceleb", tree, tmp_path, settings=SETTINGS, workers=1, limits=HALF)
    whole = {p.name for p in tmp_path.rglob("*.zip")}
    assert whole and not list(tmp_path.rglob("*.part"))
    kept = [u for u in work.list_units("voxceleb", tree) if f"{u.stamp}.zip" in whole]
    done.append("room is made")
    prepare_clips("voxceleb", tree, tmp_path, settings=SETTINGS, workers=1, limits=HALF)
    again = done[done.index("room is made") + 1 :]
    assert not {name for u in kept for _, name in u.files} & set(again)
    assert set(again) | set(done) >= {name.replace("00003", "00001") for name in CLIPS}


def test_a_preparation_that_stopped_before_its_index_is_made_again(tmp_path):
    """The records that were written then are not taken for those of the videos that are there now."""
    write_video(tmp_path / "in/a.mp4", ramp(5))
    path, counts = prepare_clips("videos", tmp_path / "in", tmp_path / "out", settings=SETTINGS)
    pathlib.Path(path, "clips.npz").unlink()
    half = pathlib.Path(path).with_name("incomplete.ABCDEF_1.0.0")
    half.mkdir()
    (half / "train.part").write_bytes(b"half a record")
    write_video(tmp_path / "in/b.mp4", ramp(5))
    again, more = prepare_clips("videos", tmp_path / "in", tmp_path / "out", settings=SETTINGS)
    assert again == path and (counts["clips"], more["clips"], more["files"]) == (1, 2, 2)
    assert [p.name for p in pathlib.Path(path).parent.iterdir()] == ["1.0.0"]


def test_two_preparations_of_the_same_do_not_remove_each_others_work(tmp_path, monkeypatch):
    write_video(tmp_path / "in/a.mp4", ramp(5))
    refused, once = [], work.prepare

    def with_another(unit, settings, folder):
        with pytest.raises(Refused, match="another process is preparing the same") as error:
            prepare_clips("videos", tmp_path / "in", tmp_path / "out", settings=SETTINGS)
        refused.append(error)
        return once(unit, settings, folder)

    monkeypatch.setattr("pcl_tf.prepare.run.work.prepare", with_another)
    _, counts = prepare_clips("videos", tmp_path / "in", tmp_path / "out", settings=SETTINGS)
    assert refused and counts["clips"] == 1
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["videos"]


def test_batches_hold_a_frame_of_every_clip_once_an_epoch(prepared):
    clips = ClipFaces(prepared[0], 32)
    assert len(clips) == 5
    rows = clips.rows(5, seed=3)
    seen = [rows(step) for step in range(40)]
    assert all(sorted(r[:, 0]) == list(range(5)) for r in seen)
    for clip in range(5):  # every frame of it turns up; 40 draws of at most 12
        drawn = {int(f) for r in seen for c, f in r if c == clip}
        assert drawn <= set(range(clips.frames[clip])) and len(drawn) > 0.8 * clips.frames[clip]
    np.testing.assert_array_equal(rows(7), clips.rows(5, seed=3)(7))
    assert not np.array_equal(rows(7), clips.rows(5, seed=4)(7))


def test_the_pixels_are_those_of_the_draw(prepared, records):
    clips = ClipFaces(prepared[0], 32)
    half = {"seed": 1, "first_step": 2, "total_steps": 6, "replicas": 2, "mine": [1]}  # resumed on the second machine
    for step, batch in enumerate(batches(clips, [4], **half), 2):
        wanted = [records[c]["frames"][f] for c, f in clips.rows(4, 1)(step)[2:]]
        np.testing.assert_array_equal(batch, wanted)
    assert step == 5 and ClipFaces(prepared[0], 16).head(3).shape == (3, 16, 16, 3)


@pytest.mark.parametrize("sampling", ["clip", "identity", "frame"])
def test_pairs_are_two_frames_of_a_record(sampling, prepared, records):
    pairs = ClipFaces(prepared[0], 32, sampling, gap=0.5)
    assert len(pairs) == sum(len(r["times"]) > 1 for r in records) == 4
    rows = pairs.rows(500, 1)(0)
    times, frames = [np.asarray(records[r]["times"]) for r in pairs.records[rows[:, 0]]], rows[:, 1:].tolist()
    most = np.array([max(t[-1] - t[f], t[f]) for t, (f, _) in zip(times, frames, strict=True)])
    apart = np.array([abs(t[f] - t[o]) for t, (f, o) in zip(times, frames, strict=True)])
    assert (apart[most > 0.5] > 0.499).all() and (apart > 0).all()
    if sampling == "clip":
        for step, batch in enumerate(batches(pairs, [4], seed=1, first_step=0, total_steps=2)):
            wanted = [[records[pairs.records[c]]["frames"][f] for f in fs] for c, *fs in pairs.rows(4, 1)(step)]
            np.testing.assert_array_equal(batch, wanted)


@pytest.mark.parametrize("sampling", ["identity", "frame"])
def test_what_is_drawn_evenly(sampling, prepared):
    clips = ClipFaces(prepared[0], 32, sampling)
    rows = np.concatenate([clips.rows(1000, seed=0)(step) for step in range(20)])
    assert (rows[:, 1] < clips.frames[rows[:, 0]]).all() and (rows[:, 1] >= 0).all()
    person = np.load(f"{prepared[0]}/clips.npz")["identity"]
    if sampling == "identity":
        shares = np.bincount(person[rows[:, 0]]) / len(rows)
        wanted = np.full(3, 1 / 3)
    else:
        at = (np.cumsum(clips.frames) - clips.frames)[rows[:, 0]] + rows[:, 1]
        shares = np.bincount(at, minlength=clips.frames.sum()) / len(rows)
        wanted = np.full(len(shares), 1 / len(shares))
    np.testing.assert_allclose(shares, wanted, atol=5 * np.sqrt(wanted.max() / len(rows)))


def test_long_videos_become_several_clips(tmp_path, monkeypatch):
    write_video(tmp_path / "in/talk/long.mp4", ramp(50))
    (unit,) = work.list_units("videos", tmp_path / "in")
    monkeypatch.setattr(work, "FRAMES_IN_CLIP", 5)
    found = [(name, len(jpegs)) for name, jpegs in work.clips(work.prepare(unit, SETTINGS, str(tmp_path / "out")))]
    assert found == [("talk/long.mp4", 5), ("talk/long.mp4+1", 5), ("talk/long.mp4+2", 2)] and unit.identity == "talk"


def test_errors_say_what_is_wrong(tmp_path):
    for name in ("empty", "shallow/id1", "bad"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("shallow/id1/clip.mp4", "bad/a.jpg", "bad/b.jpg"):
        (tmp_path / name).write_bytes(b"no image")
    for kind, root, message in (
        ("voxceleb", "none", "no such folder"),
        ("voxceleb", "empty", "holds no mp4"),
        ("voxceleb", "shallow", r"clip.mp4: VoxCeleb's videos lie in identity/video/clip.mp4"),
        (
            "images",
            "bad",
            r"^Nothing is left: 2 of 2 files .100.0%. are unread(?s:.*)a.jpg(?s:.*) Mend or remove them.$",
        ),
    ):
        with pytest.raises(Refused, match=message):
            prepare_clips(kind, tmp_path / root, tmp_path / "out", settings=SETTINGS, limits=Limits(unreadable=1.0))


def test_the_command_prepares_once(tmp_path):
    write_video(tmp_path / "in/v.mp4", ramp(20))
    args = ["videos", f"--data={tmp_path / 'in'}", f"--out={tmp_path / 'out'}", "--image_size=16"]
    said = done("prepare", *args).stdout
    assert f"1 clips, {len(expected(20))} frames" in said and "--data=" in said
    assert "prepared already" in done("prepare", *args).stdout
    assert done("prepare", "voxceleb", *args[1:], code=2).stderr.splitlines()[-1].startswith("error: ")
