"""The evaluation corpora, as TFDS datasets: the probes are asked the same as by the corpora as handed out."""

import json

import numpy as np
import pytest
import tensorflow_datasets as tfds

from pcl_tf.data.decoding import decoder
from pcl_tf.errors import Refused
from pcl_tf.evaluation.corpora import CORPORA, prepared
from pcl_tf.evaluation.tasks import open_task
from pcl_tf.prepare import BENCHMARKS, work
from pcl_tf.prepare.benchmarks import BUILDERS, prepare_benchmark
from tests.evaluation import layouts
from tests.helpers.commands import done
from tests.prepare.videos import ramp, write_video


def pictures(task):
    decode = decoder(task.image_size)
    return np.stack([decode(item)[1] for item in task.source.items()])


def same_question(a, b):
    """Two tasks ask the same of the same pictures in the same order."""
    assert (a.name, a.kind, a.image_size, a.names) == (b.name, b.kind, b.image_size, b.names)
    for key in ("labels", "subjects", "pairs", "same", "folds"):
        np.testing.assert_array_equal(getattr(a, key), getattr(b, key))
    assert len(a.splits) == len(b.splits)
    for x, y in zip(a.splits, b.splits, strict=True):
        np.testing.assert_array_equal(x[0], y[0])
        np.testing.assert_array_equal(x[1], y[1])
    np.testing.assert_array_equal(pictures(a), pictures(b))


def test_every_corpus_has_a_builder_and_says_where_it_comes_from():
    assert set(CORPORA) == set(BUILDERS) == set(BENCHMARKS) == set(layouts.MAKERS)
    for name, builder in BUILDERS.items():
        assert builder.name == name and CORPORA[name].instructions and CORPORA[name].counts


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_probes_are_asked_the_same(name, tmp_path):
    layouts.MAKERS[name](tmp_path)
    path, counts = prepare_benchmark(name, tmp_path, tmp_path / "data", size=24, any_count=True)
    original, again = open_task(name, tmp_path, 24), open_task(name, tmp_path / "data")
    same_question(original, again)
    records = len(original.pairs) if original.pairs is not None else original.source.count
    assert sum(counts.values()) == records
    with pytest.raises(Refused, match="prepare it with --image_size=32"):
        open_task(f"{name}:{path}", image_size=32)


def test_the_dataset_is_an_ordinary_one_of_tfds_and_outlasts_a_power_cut(tmp_path, power_cut):
    layouts.rafdb(tmp_path)
    path, _ = prepare_benchmark("rafdb", tmp_path, tmp_path / "data", any_count=True)
    power_cut(path)
    rows = list(tfds.builder_from_directory(str(path)).as_data_source(split="train"))
    assert [row["label"] for row in rows] == [b"sadness", b"happiness"]
    np.testing.assert_allclose([row["image"].mean() for row in rows], [0, 80], atol=2)


def test_pairs_carry_both_pictures(tmp_path):
    layouts.lfw(tmp_path)
    path, _ = prepare_benchmark("lfw", tmp_path, tmp_path / "data", any_count=True)
    rows = list(tfds.builder_from_directory(str(path)).as_data_source(split="test"))
    found = [[row[side].mean() for side in ("first", "second")] for row in rows]
    np.testing.assert_allclose(found, [[0, 60], [0, 120], [120, 180], [180, 60]], atol=2)
    assert [int(row["same"]) for row in rows] == [1, 0, 1, 0] and [int(row["fold"]) for row in rows] == [0, 0, 1, 1]


def disfa_videos(root, shortest=5):
    """Wide videos of five frames, the last unlabelled; SN006 has ``shortest``."""
    layouts.disfa_labels(root)
    wide = np.zeros((5, 48, 64, 3), np.uint8)
    wide[:, :, 8:56] = ramp(6, 48)[1:] * 5  # the central square, as bright as the frame's number
    for person in layouts.PEOPLE:
        count = shortest if person == "SN006" else 5
        # DISFA comes as AVI; H.264 in MP4 takes the same way through PyAV.
        suffix, codec = ("mp4", "libx264") if person == "SN001" else ("avi", "mpeg4")
        write_video(root / "Videos_LeftCamera" / f"LeftVideo{person}_comp.{suffix}", wide[:count], 20, codec)


def test_disfa_is_read_from_its_videos(tmp_path):
    disfa_videos(tmp_path)
    task = open_task("disfa", tmp_path, 32)
    faces = pictures(task)
    assert len(faces) == 24 and len(task.splits) == 3
    number = np.round(np.median(faces, axis=(1, 2, 3)) / 20).astype(int)
    assert number.tolist() == [1, 2, 3, 4] * 6
    assert faces[:, 2:30, 2:30].min() > 5  # the dark sides of the frame are cut off
    np.testing.assert_array_equal(task.labels, [[(f + j) % 4 >= 2 for j in range(8)] for f in number])
    prepare_benchmark("disfa", tmp_path, tmp_path / "data", size=32, any_count=True)
    same_question(task, open_task("disfa", tmp_path / "data"))


def test_a_video_that_ends_early_is_named(tmp_path):
    disfa_videos(tmp_path, shortest=3)
    with pytest.raises(Refused, match=r"LeftVideoSN006_comp.avi#4: the video ends before"):
        prepare_benchmark("disfa", tmp_path, tmp_path / "data", any_count=True)
    assert prepared.find(tmp_path / "data") is None
    (tmp_path / "Videos_LeftCamera" / "LeftVideoSN002_comp.avi").unlink()
    with pytest.raises(Refused, match="LeftVideoSN002_comp.avi is missing"):
        open_task("disfa", tmp_path)


def test_half_a_corpus_is_refused_and_nothing_is_left(tmp_path):
    layouts.rafdb(tmp_path)
    with pytest.raises(Refused, match=r"'test' has 1 records, the corpus as handed out 3,068.*--any_count"):
        prepare_benchmark("rafdb", tmp_path, tmp_path / "data")
    assert prepared.find(tmp_path / "data") is None
    broken = tmp_path / "basic" / "Image" / "aligned" / "test_0001_aligned.jpg"
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(Refused, match="test_0001_aligned.jpg"):
        prepare_benchmark("rafdb", tmp_path, tmp_path / "data", any_count=True)
    assert prepared.find(tmp_path / "data") is None


def test_a_preparation_that_stopped_before_its_index_is_made_again(tmp_path):
    layouts.bu3dfe(tmp_path)
    path, counts = prepare_benchmark("bu3dfe", tmp_path, tmp_path / "data", any_count=True)
    (path / prepared.INDEX).unlink()
    assert prepare_benchmark("bu3dfe", tmp_path, tmp_path / "data", any_count=True) == (path, counts)
    same_question(open_task("bu3dfe", tmp_path), open_task("bu3dfe", tmp_path / "data"))


def test_what_a_killed_preparation_left_is_removed(tmp_path):
    layouts.bu3dfe(tmp_path)
    left = tmp_path / "data" / "bu3dfe" / "256px" / "incomplete.ABCDEF_1.0.0" / "train.part"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half a record")
    path, _ = prepare_benchmark("bu3dfe", tmp_path, tmp_path / "data", any_count=True)
    assert not left.exists() and [p.name for p in path.parent.iterdir()] == ["1.0.0"]


def test_two_preparations_of_one_corpus_do_not_remove_each_others_work(tmp_path, monkeypatch, capsys):
    layouts.bu3dfe(tmp_path)
    refused, write = [], prepared.write

    def call():
        return prepare_benchmark("bu3dfe", tmp_path, tmp_path / "data", any_count=True)

    def with_another(*of):
        with pytest.raises(Refused, match="another process is preparing the same") as error:
            call()
        refused.append(error)
        write(*of)

    monkeypatch.setattr(prepared, "write", with_another)
    path, counts = call()
    assert refused and counts["train"] == 3
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["bu3dfe"]
    assert call() == (path, counts) and "is prepared already" in capsys.readouterr().out


def test_a_corpus_that_another_call_ends_meanwhile_is_kept(tmp_path, monkeypatch, capsys):
    layouts.bu3dfe(tmp_path)
    check = work.check_place

    def while_another_ends(path):
        monkeypatch.setattr(work, "check_place", check)
        prepare_benchmark("bu3dfe", tmp_path, tmp_path / "data", any_count=True)
        check(path)

    monkeypatch.setattr(work, "check_place", while_another_ends)
    _, counts = prepare_benchmark("bu3dfe", tmp_path, tmp_path / "data", any_count=True)
    assert "is prepared already" in capsys.readouterr().out and counts["train"] == 3


def test_a_dataset_of_another_count_is_not_taken_for_whole_later(tmp_path):
    layouts.bu3dfe(tmp_path)
    prepare_benchmark("bu3dfe", tmp_path, tmp_path / "data", any_count=True)
    with pytest.raises(Refused, match="6,264"):
        prepare_benchmark("bu3dfe", tmp_path, tmp_path / "data")


def test_another_corpus_is_refused(tmp_path):
    layouts.bu3dfe(tmp_path)
    path, _ = prepare_benchmark("bu3dfe", tmp_path, tmp_path / "data", any_count=True)
    with pytest.raises(Refused, match="holds bu3dfe"):
        open_task(f"rafdb:{path}")
    with pytest.raises(Refused, match="own folder"):
        prepare_benchmark("bu3dfe", tmp_path, tmp_path, any_count=True)


def test_the_commands(tmp_path):
    layouts.bu3dfe(tmp_path / "raw" / "bu3dfe")

    prepare = ("prepare", "bu3dfe", f"--manual_dir={tmp_path}/raw", f"--data_dir={tmp_path}/data")
    assert "--fps has no meaning for bu3dfe" in done(*prepare, "--fps=3", code=2).stderr
    assert "6,264" in done(*prepare, code=2).stderr
    assert "3 in train" in done(*prepare, "--any_count", "--size=32").stdout
    done("probe", "--model=pixels", "--task=bu3dfe", f"--data_dir={tmp_path}/data", f"--out={tmp_path}/probe")
    (result,) = json.loads((tmp_path / "probe" / "result.json").read_text())["results"]
    assert result["value"] == 1.0 and result["image_size"] == 32
