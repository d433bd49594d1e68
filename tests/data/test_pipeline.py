"""Sources, the decoded cache and the order of batches."""

import io
import zipfile

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pcl_tf.data import faces as faces_module
from pcl_tf.data.clips import read_index
from pcl_tf.data.faces import ArrayFaces, decoded_faces
from pcl_tf.data.generated import render, sample_labels
from pcl_tf.data.images import decode_all
from pcl_tf.data.order import Order
from pcl_tf.data.pipeline import batches
from pcl_tf.data.sources import folder, open_source
from pcl_tf.errors import Refused


def jpeg(value):
    buffer = io.BytesIO()
    Image.new("RGB", (20, 20), (value, value, value)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "faces"
    for i in range(12):
        folder = root / f"person{i % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{i:02}.jpg").write_bytes(jpeg(20 * i))
    return root


def values(faces):
    return sorted(int(f.mean() / 20 + 0.5) for f in faces)


def open_faces(path, tmp_path, bad=0.05):
    source = open_source(str(path), 8, 16)
    return decoded_faces(source, 16, cache_dir=tmp_path / "cache", max_unreadable_share=bad)["faces"]


def test_tree_and_zip_hold_the_same_faces(tree, tmp_path):
    archive = tmp_path / "faces.zip"
    with zipfile.ZipFile(archive, "w") as z:
        for p in tree.rglob("*.jpg"):
            z.write(p, p.relative_to(tree))
        z.writestr("README.txt", "no image")
        z.writestr("__MACOSX/person0/._00.jpg", "no image either")
    assert values(open_faces(tree, tmp_path)) == values(open_faces(archive, tmp_path)) == list(range(12))


def test_a_tfds_dataset(tmp_path):
    import tensorflow_datasets as tfds

    pictures = np.stack([np.full((20, 20, 3), 20 * i, np.uint8) for i in range(9)])
    tfds.dataset_builders.store_as_tfds_dataset(
        name="mini_faces",
        version="1.0.0",
        features=tfds.features.FeaturesDict({"image": tfds.features.Image(encoding_format="png"), "label": np.int64}),
        split_datasets={"train": tf.data.Dataset.from_tensor_slices({"image": pictures, "label": np.arange(9)})},
        data_dir=tmp_path,
        disable_shuffling=True,
    )
    tfds.core.add_data_dir(tmp_path)
    assert values(open_faces("tfds:mini_faces", tmp_path)) == list(range(9))
    for text in ("tfds:mini_faces", "tfds:mini_faces:train"):  # tables of embeddings open it again by its name
        assert open_source(text, 8, 16).name == text
    with pytest.raises(Refused, match="tfds:mini_faces:.*nosuch"):
        open_source("tfds:mini_faces:nosuch", 8, 16)
    with pytest.raises(Refused, match="no_such_dataset"):
        open_source("tfds:no_such_dataset", 8, 16)


def test_several_sources_join(tree, tmp_path):
    faces = open_faces(f"{tree}/person0,{tree}/person1", tmp_path)
    assert values(faces) == [0, 1, 3, 4, 6, 7, 9, 10]


def test_the_cache_is_used_and_follows_changes(tree, tmp_path):
    first = open_faces(tree, tmp_path)
    assert len(list((tmp_path / "cache").glob("faces-*"))) == 1
    open_faces(tree, tmp_path)
    assert len(list((tmp_path / "cache").glob("faces-*"))) == 1
    (tree / "new.jpg").write_bytes(jpeg(240))
    assert len(open_faces(tree, tmp_path)) == len(first) + 1


def test_unreadable_images_are_left_out_and_named(tree, tmp_path, capfd):
    (tree / "person0" / "broken.jpg").write_bytes(jpeg(100)[:200])
    (tree / "person1" / "empty.png").write_bytes(b"")
    faces = open_faces(tree, tmp_path, bad=0.2)
    assert values(faces) == list(range(12))
    log = (tmp_path / "cache" / "unreadable.txt").read_text()
    assert "broken.jpg" in log and "empty.png" in log and len(log.splitlines()) == 2
    assert "2 of 14" in capfd.readouterr().err


def test_too_many_unreadable_images_stop_the_run(tree, tmp_path):
    (tree / "broken.jpg").write_bytes(b"x")
    with pytest.raises(Refused, match=r"1 of 13 .*(?s:.*)broken\.jpg(?s:.*)max_unreadable_share"):
        open_faces(tree, tmp_path, bad=0.01)
    assert values(open_faces(tree, tmp_path, bad=0.1)) == list(range(12))


def test_every_face_once_an_epoch_in_another_order():
    order = Order(10, 5, seed=1)
    first, second = (np.concatenate([order.rows(s) for s in steps]) for steps in ((0, 1), (2, 3)))
    assert sorted(first) == sorted(second) == list(range(10))
    assert list(first) != list(second)
    assert np.bincount(np.concatenate([Order(10, 4, 0).rows(s) for s in range(5)])).tolist() == [2] * 10
    assert len(Order(3, 8, 0).rows(0)) == 8  # batches run across ends of epochs


def test_a_resumed_run_sees_the_batches_of_one_that_never_stopped():
    faces = ArrayFaces(np.arange(20, dtype="uint8").repeat(12).reshape(20, 2, 2, 3))
    whole = [b.numpy() for b in batches(faces, [6], seed=3, first_step=0, total_steps=9)]
    rest = [b.numpy() for b in batches(faces, [6], seed=3, first_step=4, total_steps=9)]
    assert len(whole) == 9
    np.testing.assert_array_equal(whole[4:], rest)


def test_replicas_and_machines_share_every_part_of_a_step():
    faces = ArrayFaces(np.arange(20, dtype="uint8").repeat(12).reshape(20, 2, 2, 3))

    def read(**machines):
        return np.stack(
            [b.numpy()[:, 0, 0, 0] for b in batches(faces, [4, 8], seed=3, first_step=0, total_steps=5, **machines)]
        )

    whole = read()
    two, last = read(replicas=2, mine=[0, 1]), read(replicas=4, mine=[2, 3])
    # 4 images of the first update and 8 of the second; replica 0 of two has 2 and 4 of them.
    np.testing.assert_array_equal(two, whole[:, [0, 1, 4, 5, 6, 7, 2, 3, 8, 9, 10, 11]])
    np.testing.assert_array_equal(last, whole[:, [2, 8, 9, 3, 10, 11]])


def test_mirrored_yaw_and_roll_give_the_mirrored_head():
    labels = sample_labels(16, seed=5)
    for key, value in (("light", [0.0, 0.0, 1.0]), ("scene", 0.5)):
        labels[key] = np.broadcast_to(np.float32(value), labels[key].shape).copy()
    mirrored = {k: v.copy() for k, v in labels.items()}
    mirrored["angles"] *= [-1, 1, -1]
    a, b = render(labels, 64).astype(int), render(mirrored, 64)[:, :, ::-1].astype(int)
    middle = np.s_[:, 16:48, 16:48]  # the background's stripes are not symmetric
    assert np.abs(a[middle] - b[middle]).mean() < 6


def test_a_cache_that_cannot_be_written_is_refused_and_a_full_one_is_only_read(tree, tmp_path, monkeypatch):
    source = folder(tree)
    (tmp_path / "file").write_text("text")
    with pytest.raises(Refused, match="--recipe.data.cache=.*file cannot be written to"):
        decoded_faces(source, 16, cache_dir=tmp_path / "file/below")
    made = decoded_faces(source, 16, cache_dir=tmp_path / "cache")
    monkeypatch.setattr("pcl_tf.store.tempfile.TemporaryFile", lambda dir: open("/nowhere/at/all", "w"))
    again = decoded_faces(source, 16, cache_dir=tmp_path / "cache")
    np.testing.assert_array_equal(again["faces"], made["faces"])


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short"])
def test_an_index_of_clips_that_is_damaged_is_said_in_a_line(tmp_path, content):
    (tmp_path / "clips.npz").write_bytes(content)
    with pytest.raises(Refused, match="clips.npz: cannot be read .*prepare it again"):
        read_index(tmp_path)


def test_decoding_goes_on_where_it_stopped(tree, tmp_path, monkeypatch):
    (tree / "person0/00.jpg").write_bytes(b"x")
    decoded = []

    def stopped(items, size):
        for n, item in enumerate(decode_all(items, size)):
            if n == 6 and not decoded:
                raise KeyboardInterrupt
            yield item

    monkeypatch.setattr(faces_module, "_AT_ONCE", 4 * 3 * 16**2)
    monkeypatch.setattr(faces_module, "decode_all", stopped)
    with pytest.raises(KeyboardInterrupt):
        open_faces(tree, tmp_path, bad=0.1)
    monkeypatch.setattr(faces_module, "decode_all", lambda items, size: map(seen, decode_all(items, size)))

    def seen(item):
        decoded.append(item[0])
        return item

    assert values(open_faces(tree, tmp_path, bad=0.1)) == list(range(1, 12)) and len(decoded) == 8
    assert (tmp_path / "cache/unreadable.txt").read_text().startswith(f"{tree}/person0/00.jpg\t")


def test_a_folder_called_as_the_drawn_faces_is_not_passed_over(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert open_source("generated", 3, 16).count == 3
    (tmp_path / "generated").mkdir()
    with pytest.raises(Refused, match=r"there is a folder of that name: \./generated is it"):
        open_source("generated", 3, 16)
