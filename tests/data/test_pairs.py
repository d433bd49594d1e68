"""Two frames of one clip: how they are drawn, from decoded faces; of prepared datasets see tests/prepare."""

import numpy as np
import pytest
from ml_collections import ConfigDict
from PIL import Image

from pcl_tf.data.clips import Pairs
from pcl_tf.data.faces import open_faces
from pcl_tf.data.pipeline import batches
from pcl_tf.errors import Refused
from tests.helpers.images import zip_of

COUNTS = np.array([2, 7, 3, 12])


def drawn(pairs, draws=10_000):
    r = np.random.default_rng(0)
    clip = r.integers(len(COUNTS), size=draws)
    frame = r.integers(COUNTS[clip])
    return clip, frame, pairs.other(clip, frame, r)


def test_the_other_frame_is_any_other_of_the_clip():
    clip, frame, other = drawn(Pairs(COUNTS))
    assert (other != frame).all() and (other >= 0).all() and (other < COUNTS[clip]).all()
    for c, count in enumerate(COUNTS):
        table = np.zeros((count, count), int)
        np.add.at(table, (frame[clip == c], other[clip == c]), 1)
        expected = (clip == c).sum() / (count * (count - 1))
        assert np.abs(table[~np.eye(count, dtype=bool)] - expected).max() < 6 * np.sqrt(expected)


@pytest.mark.parametrize("times", [None, "uneven"])
def test_the_two_are_a_gap_apart_or_at_the_farther_end(times):
    if times:
        times = np.concatenate([np.sort(np.random.RandomState(n).uniform(0, n / 2, n)) for n in COUNTS])
    gap, start = 1.5, np.cumsum(COUNTS) - COUNTS
    clip, frame, other = drawn(Pairs(COUNTS, times, gap))
    far = 0
    for c, f, o in zip(clip, frame, other, strict=True):
        at = np.arange(COUNTS[c]) if times is None else times[start[c] : start[c] + COUNTS[c]]
        possible = np.abs(at - at[f]) >= gap - 1e-3
        far += possible.any()
        farthest = max(abs(at[0] - at[f]), abs(at[-1] - at[f]))
        assert o != f and (
            possible[o] if possible.any() else o in (0, COUNTS[c] - 1) and abs(at[o] - at[f]) == farthest
        )
    assert 1000 < far < 9500  # both were met


def test_frames_as_far_apart_as_clocks_that_round_can_say_it():
    times = (np.arange(7) / 6).astype(np.float32)
    other = Pairs([7], times, 0.5).other(np.zeros(500, int), np.full(500, 3), np.random.default_rng(0))
    assert set(other) == {0, 6}


@pytest.fixture
def tree(tmp_path):
    """Three folders of 3, 1 and 4 pictures and one between them; gray is 60 * folder + 10 * frame."""
    names = ["a/0", "a/1", "a/b/0", "a/c", "z/3", "z/2", "z/1", "z/0"]
    value = lambda n: 60 * ("a/b/" in n) + 120 * n.startswith("z") + 10 * int(n[-1].replace("c", "2"))  # noqa: E731
    for name in names:
        path = tmp_path / "faces" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16), (value(name),) * 3).save(path)
    (tmp_path / "faces/a/broken.png").write_bytes(b"x")
    return tmp_path / "faces"


def opened(source, tmp_path, pairs="needed", **keys):
    data = {"source": str(source), "generated_images": 8, "sampling": "clip", "clips": "by_folder", "gap": 0.0}
    return open_faces(ConfigDict({**data, "max_unreadable_share": 0.5, **keys}), 16, tmp_path / "cache", pairs)


def values(faces, **how):
    read = batches(faces, [7], seed=3, **{"first_step": 0, "total_steps": 8, **how})
    return np.stack([b.numpy()[..., 0, 0, 0] for b in read])


@pytest.mark.parametrize("zipped", [False, True])
def test_folders_of_a_tree_and_a_zip_are_clips(tree, tmp_path, zipped):
    files = {str(p.relative_to(tree)): p.read_bytes() for p in tree.rglob("*.png")}
    source = zip_of(tmp_path / "faces.zip", files) if zipped else tree
    faces = opened(source, tmp_path)
    assert faces.shape == (2, 16, 16, 3) and faces.head(2).shape == (2, 16, 16, 3)
    seen = values(faces)
    assert sorted(seen[0, :, 0]) == [0, 10, 20, 120, 130, 140, 150]  # each once an epoch; a clip of one frame is not
    first, other = seen[..., 0].ravel(), seen[..., 1].ravel()
    assert (first // 60 == other // 60).all() and (first != other).all()
    far = opened(source, tmp_path, gap=3.0)
    pairs = {tuple(sorted(map(int, p))) for p in values(far).reshape(-1, 2) if set(p) & {120, 150}}
    assert pairs == {(120, 150), (130, 150), (120, 140)}
    np.testing.assert_array_equal(values(faces, first_step=5), seen[5:])  # resumed


def test_what_lies_in_no_folder_is_of_no_clip_and_a_flat_zip_is_one(tree, tmp_path):
    """Joined with clips: unrelated pictures would be pairs."""
    files = {p.name: p.read_bytes() for p in (tree / "z").iterdir()}
    zips = []
    for name, some in (("a", ("0.png", "1.png")), ("b", ("2.png", "3.png"))):
        zips.append(str(zip_of(tmp_path / f"{name}.zip", {k: files[k] for k in some})))
    pairs = values(opened(",".join(zips), tmp_path)).reshape(-1, 2)
    assert {tuple(sorted(p)) for p in pairs} == {(120, 130), (140, 150)}
    assert len(opened(f"generated,{tree}", tmp_path)) == 7


def test_where_no_clip_is_known(tree, tmp_path):
    with pytest.raises(Refused, match=f"--data={tree}: .* two frames of a clip.*--set data.clips=by_folder"):
        opened(tree, tmp_path, clips="prepared")
    with pytest.raises(Refused, match="two frames of a clip"):  # all images in one folder
        opened(tree / "z", tmp_path)
    assert opened(tree, tmp_path, clips="prepared", pairs="wanted").shape == (16, 16, 3)
