"""Every named corpus in its own layout, with real image files, whole and half-unpacked."""

import numpy as np
import pytest
from PIL import Image

from pcl_tf.data.sources import DataError
from pcl_tf.evaluation.corpora import generated, names, open_task
from pcl_tf.evaluation.corpora.pose import crop, face_box
from tests.evaluation import layouts
from tests.evaluation.layouts import photo, pose_file

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
    with pytest.raises(DataError, match="line 2"):
        open_task("fer2013", tmp_path)


def test_rafdb(tmp_path):
    layouts.rafdb(tmp_path)
    task = open_task("rafdb", tmp_path)
    assert [task.names[k] for k in task.labels] == ["sadness", "happiness", "happiness"]
    np.testing.assert_allclose(shades(task), [0, 80, 160], atol=2)
    assert [list(p) for p in task.splits[0]] == [[0, 1], [2]]
    (tmp_path / "basic" / "Image" / "aligned" / "test_0001_aligned.jpg").unlink()
    with pytest.raises(DataError, match="test_0001_aligned.jpg is missing"):
        open_task("rafdb", tmp_path)


def test_lfw(tmp_path):
    layouts.lfw(tmp_path)
    task = open_task("lfw", tmp_path)
    shade = shades(task)
    np.testing.assert_allclose(shade[task.pairs], [[0, 60], [0, 120], [120, 180], [180, 60]], atol=2)
    assert list(task.same) == [1, 0, 1, 0] and list(task.folds) == [0, 0, 1, 1]
    assert task.source.count == 4  # an image of many pairs is encoded once
    (tmp_path / "pairs.txt").write_text("\n".join(layouts.LFW[:-1]) + "\n")
    with pytest.raises(DataError, match="3 pairs, but its first line promises 4"):
        open_task("lfw", tmp_path)


def test_cplfw(tmp_path):
    layouts.cplfw(tmp_path)
    task = open_task("cplfw", tmp_path)
    assert list(task.folds) == [i // 2 for i in range(20)] and list(task.same) == [i % 2 for i in range(20)]
    assert task.source.count == 20 and task.image_size == 128
    lines = [layouts.CPLFW[0], "P1_1.jpg 1", *layouts.CPLFW[2:]]
    (tmp_path / "pairs_CPLFW.txt").write_text("\n".join(lines))
    with pytest.raises(DataError, match="line 1"):
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
    with pytest.raises(DataError, match="SN004_au9.txt is missing"):
        open_task("disfa", tmp_path)


def test_aflw2000(tmp_path):
    layouts.aflw2000(tmp_path)
    task = open_task("aflw2000", tmp_path)
    assert task.names == ("yaw", "pitch", "roll") and task.source.count == 5
    np.testing.assert_allclose(task.labels[0], [20, 5, -7], atol=1e-4)
    assert [len(p) for p in task.splits[0]] == [4, 1]
    np.testing.assert_allclose(shades(task), [0, 40, 80, 120, 160], atol=2)
    (tmp_path / "300W_LP" / "AFW" / "x1.mat").unlink()
    with pytest.raises(DataError, match="x1.mat is missing"):
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
    with pytest.raises(DataError, match="is missing"):
        open_task(name, tmp_path)


def test_unknown_tasks_and_missing_folders():
    with pytest.raises(DataError, match="not one of fer2013"):
        open_task("fer2014", ".")
    with pytest.raises(DataError, match="needs --data_dir"):
        open_task("lfw")
    with pytest.raises(DataError, match="no folder"):
        open_task("lfw", "/nowhere")
    assert {"generated_pose", "classification"} <= set(names())


def test_generated_tasks(monkeypatch):
    monkeypatch.setattr(generated, "TRAIN", 300)
    monkeypatch.setattr(generated, "TEST", 100)
    monkeypatch.setattr(generated, "PAIRS", 40)
    tasks = {k: open_task(f"generated_{k}", image_size=16) for k in generated.MAKERS}
    assert len({t.source.fingerprint for t in tasks.values()}) == 1  # features are shared
    pairs = tasks["verification"]
    who = generated.sample_labels(400, generated.SEED)["identity"]
    np.testing.assert_array_equal(who[pairs.pairs[:, 0]] == who[pairs.pairs[:, 1]], pairs.same == 1)
    assert pairs.same.mean() == 0.5 and set(np.unique(tasks["actions"].labels)) == {0.0, 1.0}
