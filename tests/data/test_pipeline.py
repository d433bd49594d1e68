"""Sources, the decoded cache and the order of batches."""

import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pcl_tf import recipe
from pcl_tf.data import faces as faces_module
from pcl_tf.data.faces import ArrayFaces, PairedFaces, decoded_faces
from pcl_tf.data.images import decode_all
from pcl_tf.data.index import read_index
from pcl_tf.data.order import Order
from pcl_tf.data.pipeline import batches
from pcl_tf.data.sources import folder, generated, generated_clips, generated_scenes, open_source
from pcl_tf.errors import Refused
from pcl_tf.heads import people
from pcl_tf.heads.render import render
from tests.helpers.images import encoded, zip_of


def jpeg(value):
    return encoded(Image.new("RGB", (20, 20), (value,) * 3), "JPEG")


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "faces"
    for i in range(12):
        (root / f"person{i % 3}").mkdir(parents=True, exist_ok=True)
        (root / f"person{i % 3}/{i:02}.jpg").write_bytes(jpeg(20 * i))
    return root


def values(faces):
    return sorted(int(f.mean() / 20 + 0.5) for f in faces)


def open_faces(path, tmp_path, bad=0.05):
    source = open_source(str(path), 8, 16)
    return decoded_faces(source, 16, cache_dir=tmp_path / "cache", max_unreadable_share=bad)["faces"]


def test_tree_and_zip_and_several_folders_hold_the_same_faces(tree, tmp_path):
    files = {str(p.relative_to(tree)): p.read_bytes() for p in tree.rglob("*.jpg")}
    archive = zip_of(tmp_path / "faces.zip", {**files, "README.txt": b"no image"})
    for given in (tree, archive, ",".join(f"{tree}/person{i}" for i in range(3))):
        assert values(open_faces(given, tmp_path)) == list(range(12))


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


def test_the_cache_is_used_and_follows_changes(tree, tmp_path):
    first = open_faces(tree, tmp_path)
    assert len(list((tmp_path / "cache").glob("faces-*"))) == 1
    open_faces(tree, tmp_path)
    assert len(list((tmp_path / "cache").glob("faces-*"))) == 1
    (tree / "new.jpg").write_bytes(jpeg(240))
    assert len(open_faces(tree, tmp_path)) == len(first) + 1


def test_unreadable_images_are_left_out_and_named_and_too_many_stop_the_run(tree, tmp_path, capfd):
    (tree / "person0" / "broken.jpg").write_bytes(jpeg(100)[:200])
    (tree / "person1" / "empty.png").write_bytes(b"")
    with pytest.raises(Refused, match=r"2 of 14 .*(?s:.*)broken\.jpg(?s:.*)max_unreadable_share"):
        open_faces(tree, tmp_path, bad=0.1)
    assert values(open_faces(tree, tmp_path, bad=0.2)) == list(range(12))
    log = (tmp_path / "cache" / "unreadable.txt").read_text()
    assert "broken.jpg" in log and "empty.png" in log and len(log.splitlines()) == 2
    assert "2 of 14" in capfd.readouterr().err
    (tmp_path / "none").mkdir()
    (tmp_path / "none/broken.jpg").write_bytes(b"x")
    with pytest.raises(Refused, match=r"1 of 1 images .*mend or remove them; .*unreadable\.txt names all"):
        open_faces(tmp_path / "none", tmp_path, bad=1.0)  # allowing more would not do


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


@pytest.mark.parametrize("kind", [ArrayFaces, lambda array: PairedFaces(array, np.arange(20) // 4)])
def test_replicas_and_machines_share_every_part_of_a_step(kind):
    faces = kind(np.arange(20, dtype="uint8").repeat(12).reshape(20, 2, 2, 3))

    def read(**machines):
        steps = batches(faces, [4, 8], seed=3, first_step=0, total_steps=5, **machines)
        return np.stack([b.numpy()[..., 0, 0, 0] for b in steps])

    whole = read()
    two, last = read(replicas=2, mine=[0, 1]), read(replicas=4, mine=[2, 3])
    # 4 images of the first update and 8 of the second; replica 0 of two has 2 and 4 of them.
    np.testing.assert_array_equal(two, whole[:, [0, 1, 4, 5, 6, 7, 2, 3, 8, 9, 10, 11]])
    np.testing.assert_array_equal(last, whole[:, [2, 8, 9, 3, 10, 11]])


def test_a_cache_that_cannot_be_written_is_refused_and_a_full_one_is_only_read(tree, tmp_path, monkeypatch):
    source = folder(tree)
    (tmp_path / "file").write_text("text")
    with pytest.raises(Refused, match="--recipe.data.cache=.*file cannot be written to"):
        decoded_faces(source, 16, cache_dir=tmp_path / "file/below")
    made = decoded_faces(source, 16, cache_dir=tmp_path / "cache")
    monkeypatch.setattr("pcl_tf.store.tempfile.TemporaryFile", lambda dir: open("/nowhere/at/all", "w"))
    again = decoded_faces(source, 16, cache_dir=tmp_path / "cache")
    np.testing.assert_array_equal(again["faces"], made["faces"])


def test_an_index_of_clips_that_is_damaged_is_said_in_a_line(tmp_path):
    for content in (b"", b"PK\x03\x04 cut short"):
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


def test_generated_faces_have_numbers_and_do_not_depend_on_how_many_there_are(tmp_path, monkeypatch):
    names, images = zip(*generated(37, 16).items(), strict=True)
    assert names == tuple(f"generated#{i}" for i in range(37))
    assert len(np.unique(np.reshape(images, (37, -1)), axis=0)) == 37
    np.testing.assert_array_equal(images[32:], render(people.sample_labels(5, 0, people.TRAINING, first=32), 16))
    rest = list(generated(36, 16).after(30))
    assert [name for name, _ in rest] == list(names[30:36])
    np.testing.assert_array_equal([image for _, image in rest], images[30:36])
    monkeypatch.setattr(faces_module, "_AT_ONCE", 16 * 3 * 16**2)
    source, asked = generated(37, 16), []

    def killed(items, size):
        yield from itertools.islice(decode_all(items, size), 34)
        raise KeyboardInterrupt

    with monkeypatch.context() as m, pytest.raises(KeyboardInterrupt):
        m.setattr(faces_module, "decode_all", killed)
        decoded_faces(source, 16, cache_dir=tmp_path)
    resumed = dataclasses.replace(source, after=lambda first: asked.append(first) or source.after(first))
    np.testing.assert_array_equal(decoded_faces(resumed, 16, cache_dir=tmp_path)["faces"], images)
    assert asked == [32]  # those on the disk are not rendered again


def test_generated_clips_and_scenes_are_those_of_their_truth():
    clips = generated_clips(3, 5, 16, seed=4, fps=2.0)
    names, images = zip(*clips.items(), strict=True)
    assert clips.count == 15 and names[7] == "generated#1/2"
    truth = people.sample_clip(5, 4, people.TRAINING, clip=1, fps=2.0)
    np.testing.assert_array_equal(images[5:10], render(truth, 16))
    np.testing.assert_array_equal([image for _, image in clips.after(7)], images[7:])
    scenes = generated_scenes(18, 16, seed=4)  # more than are rendered together
    names, images = zip(*scenes.items(), strict=True)
    assert scenes.count == 36 and names[35] == "generated#17/1"
    np.testing.assert_array_equal(images[32:], render(people.sample_scenes(2, 4, people.TRAINING, first=16), 16))
    np.testing.assert_array_equal([image for _, image in scenes.after(33)], images[33:])
    np.testing.assert_array_equal(images[32::2], [image for _, image in generated(18, 16, seed=4).after(16)])


def test_a_method_of_pairs_has_generated_clips(tmp_path):
    data = recipe.named("vox64", overrides=["data.source=generated", "data.generated_images=10"]).data
    faces = faces_module.open_faces(data, 16, tmp_path, "needed")
    assert faces.shape == (2, 16, 16, 3) and len(faces) == 16  # two whole clips
    pairs = faces.rows(16, seed=0)(0)
    assert sorted(pairs[:, 0]) == list(range(16))
    assert (pairs[:, 0] // 8 == pairs[:, 1] // 8).all() and (pairs[:, 0] != pairs[:, 1]).all()
    data.clips = "scenes"
    scenes = faces_module.open_faces(data, 16, tmp_path, "needed")
    assert len(scenes) == 10 and (np.diff(np.sort(scenes.rows(10, seed=0)(0)), axis=1) == 1).all()


def test_a_folder_called_as_the_generated_faces_is_not_passed_over(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "generated").mkdir()
    with pytest.raises(Refused, match=r"there is a folder of that name: \./generated is it"):
        open_source("generated", 3, 16)
