"""Files are found through links and in zips, damaged ones are named, and what is no picture is passed over."""

import os
import pathlib
import shutil
import unicodedata
import zipfile

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from pcl_tf import drawing
from pcl_tf.data.faces import decoded_faces
from pcl_tf.data.files import Unreadable, read_file, walk
from pcl_tf.data.listed import Files
from pcl_tf.data.sources import folder, open_source, zipped
from pcl_tf.errors import Refused
from tests.helpers.images import encoded, zip_of

PNG = encoded(Image.new("RGB", (24, 24), "gray"), "PNG")


def save(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(PNG)


def names(source, root):
    return [name.removeprefix(f"{root}/") for name, _ in source.items()]


def test_linked_folders_are_followed_and_loops_end(tmp_path):
    save(tmp_path / "elsewhere/p0/a.png")
    save(tmp_path / "faces/real/b.png")
    (tmp_path / "faces/linked").symlink_to("../elsewhere")
    (tmp_path / "faces/real/again").symlink_to("..")
    (tmp_path / "faces/itself").symlink_to("itself")
    (tmp_path / "faces/c.png").symlink_to("../elsewhere/p0/a.png")
    (tmp_path / "faces/gone.png").symlink_to("nowhere.png")
    root = tmp_path / "faces"
    assert sorted(name for name, _, _ in walk(f"{root}/")) == [
        f"{root}/{inner}" for inner in ("", "linked", "linked/p0", "real")
    ]
    source = folder(root)
    assert names(source, root) == ["c.png", "gone.png", "linked/p0/a.png", "real/b.png"] and source.count == 4
    assert [name for name, data in source.items() if isinstance(data, Unreadable)] == [f"{root}/gone.png"]


def test_content_decides_which_faces_a_folder_holds(tmp_path):
    """Neither its time nor its size tells that a file was replaced, as by rsync -t."""
    save(tmp_path / "a/face.png")
    shutil.copytree(tmp_path / "a", tmp_path / "b", copy_function=shutil.copyfile)
    (tmp_path / "b/face.png").touch()
    before = folder(tmp_path / "a").fingerprint
    assert folder(tmp_path / "b").fingerprint == before
    path = tmp_path / "a/face.png"
    of, data = path.stat(), path.read_bytes()
    path.write_bytes(data[:-1] + b"x")
    os.utime(path, ns=(of.st_atime_ns, of.st_mtime_ns))
    assert folder(tmp_path / "a").fingerprint != before
    path.write_bytes(data)
    assert folder(tmp_path / "a").fingerprint == before
    path.unlink()
    path.symlink_to("nowhere")
    assert folder(tmp_path / "a").fingerprint != before


def test_files_that_are_no_regular_ones_or_larger_than_the_bound_are_unreadable(tmp_path, monkeypatch):
    for path in ("/dev/zero", tmp_path):
        assert str(read_file(path)) == "is no regular file"
    assert read_file("/proc/self/mounts") == b""  # no more than it declares
    os.mkfifo(tmp_path / "pipe.jpg")
    save(tmp_path / "fine.png")
    with open(tmp_path / "sparse.jpg", "wb") as f:
        f.truncate(30 * 10**9)
    zip_of(tmp_path / "faces.zip", {"fine.png": PNG, "large.jpg": b"\0" * 3_000_000})
    found = dict(folder(tmp_path).items())
    assert isinstance(found[f"{tmp_path}/fine.png"], bytes)
    assert str(found[f"{tmp_path}/pipe.jpg"]) == "is no regular file"
    assert str(found[f"{tmp_path}/sparse.jpg"]) == "30000 MB, and an image file may have 268 MB"
    monkeypatch.setattr("pcl_tf.data.files.MAX_BYTES", 2_000_000)
    fine, large = (data for _, data in zipped(tmp_path / "faces.zip").items())
    assert isinstance(fine, bytes) and str(large) == "3 MB, and an image file may have 2 MB"


def test_zips_with_different_images_of_one_path_are_refused(tmp_path):
    for name in ("a", "b"):
        zip_of(tmp_path / f"{name}.zip", {"1.png": b"the same", "2.png": name})
    files = Files(tmp_path)
    assert files.spelled("1.png") == "1.png"
    with pytest.raises(Refused, match=r"2.png: there are different images of this path in .*a.zip and .*b.zip"):
        files.source(["1.png", "2.png"])


def test_no_more_is_unpacked_of_a_member_than_it_declares(tmp_path):
    archive = zip_of(tmp_path / "faces.zip", {"bomb.jpg": b"\0" * 5_000_000})
    data = bytearray(archive.read_bytes())
    for at in (data.index(b"PK\x01\x02") + 24, 22):  # the sizes that the directory and the member declare
        data[at : at + 4] = (1000).to_bytes(4, "little")
    archive.write_bytes(data)
    ((_, found),) = zipped(archive).items()
    assert isinstance(found, Unreadable)  # its checksum is that of another content


def test_names_of_any_bytes_are_listed(tmp_path, capsys):
    for name in (b"b\xf6se.png", b"two\nlines.png", b"tab\there.png", "脸.png".encode()):
        (tmp_path / os.fsdecode(name)).write_bytes(b"no picture")
    save(tmp_path / "fine.png")
    faces = decoded_faces(folder(tmp_path), 8, cache_dir=tmp_path / "cache", max_unreadable_share=0.9)["faces"]
    lines = (tmp_path / "cache/unreadable.txt").read_text().splitlines()
    found = sorted(line.split("\t")[0].rsplit("/", 1)[1] for line in lines)
    assert len(faces) == 1 and found == [r"b\xf6se.png", r"tab\there.png", r"two\nlines.png", "脸.png"]


@pytest.mark.parametrize("how", ["deflate", "encrypted", "method"])
def test_one_damaged_member_is_left_out_and_named(tmp_path, how):
    noise = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, [24, 24, 3], np.uint8)), "BMP")
    archive = zip_of(tmp_path / "faces.zip", {f"{i}.bmp": noise for i in range(3)})
    data, info = bytearray(archive.read_bytes()), zipfile.ZipFile(archive).infolist()[1]
    listed = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1)
    if how == "deflate":
        data[info.header_offset + 44 : info.header_offset + info.compress_size] = b"\xff" * (info.compress_size - 44)
    elif how == "encrypted":
        data[listed + 8] |= 1
        data[info.header_offset + 6] |= 1
    else:
        data[listed + 10] = data[info.header_offset + 8] = 99
    archive.write_bytes(data)
    faces = decoded_faces(zipped(archive), 8, cache_dir=tmp_path / "cache", max_unreadable_share=0.5)["faces"]
    (line,) = (tmp_path / "cache/unreadable.txt").read_text().splitlines()
    assert len(faces) == 2 and line.startswith(f"{archive}:1.bmp\tcannot be read from the zip (")
    listed = dict(Files(tmp_path).source(["0.bmp", "1.bmp"]).items())
    assert isinstance(listed["0.bmp"], bytes) and isinstance(listed["1.bmp"], Unreadable)


@pytest.mark.parametrize("data", [b"", b"PK\x05\x06" + b"\xff" * 18])
def test_zips_that_cannot_be_opened(tmp_path, data):
    (tmp_path / "faces.zip").write_bytes(data)
    with pytest.raises(Refused, match=r"^--images=.*faces.zip: not a readable zip"):
        open_source(str(tmp_path / "faces.zip"), 8, 16, flag="--images")
    with pytest.raises(Refused, match=r"^/.*faces.zip: not a readable zip"):
        Files(tmp_path).source(["a.png"])


@pytest.mark.parametrize("text", ["faces,", "faces,,faces", "/nope"])
def test_places_that_are_none_are_named_by_their_flag(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "faces/a.png")
    with pytest.raises(Refused, match=r"^--images=[^,]*: no such folder or file\.$"):
        open_source(text, 8, 16, flag="--images")


def test_listed_files_lead_out_of_the_folder_and_through_links(tmp_path):
    save(tmp_path / "img/a.png")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/linked").symlink_to("../img")
    (tmp_path / "lists/gone.png").symlink_to("nowhere")
    files = Files(tmp_path / "lists")
    paths = ["../img/a.png", "linked/a.png", "./linked//a.png", str(tmp_path / "img/a.png")]
    assert all(path in files for path in paths)
    assert all(isinstance(data, bytes) for _, data in files.source(paths).items())
    assert not any(path in files for path in ("../img/b.png", "gone.png", "linked", "../img", "", "/", "nope/a.png"))


@pytest.mark.parametrize(("listed", "there"), [("NFC", "NFD"), ("NFD", "NFC")])
@pytest.mark.parametrize("zipped", [False, True])
def test_accents_of_listed_files_are_one_sign_or_two(tmp_path, listed, there, zipped):
    path, name = (unicodedata.normalize(form, "Müller/é.png") for form in (listed, there))
    save(tmp_path / name)
    if zipped:
        shutil.make_archive(str(tmp_path / "faces"), "zip", tmp_path)
        shutil.rmtree(tmp_path / pathlib.PurePath(name).parts[0])
    files = Files(tmp_path)
    assert path != name and path in files and unicodedata.normalize(listed, "Müller/è.png") not in files
    (_, data), *_ = files.source([path]).items()
    assert data[:4] == b"\x89PNG"
    assert files.spelled(path) == files.spelled(f"./{name}")


def test_a_damaged_zip_beside_a_list_counts_where_an_image_is_missing(tmp_path):
    save(tmp_path / "a.png")
    zip_of(tmp_path / "whole.zip", {"b.png": PNG})
    (tmp_path / "damaged.zip").write_bytes(b"PK\x03\x04 cut short")
    (tmp_path / "._whole.zip").write_bytes(b"\0\5\x16\7")  # macOS's, which is not opened
    files = Files(tmp_path)
    assert [isinstance(data, bytes) for _, data in files.source(["a.png", "b.png"]).items()] == [True, True]
    with pytest.raises(Refused, match=r"c.png: no such image, .* \(.*damaged.zip: not a readable zip") as error:
        files.source(["a.png", "c.png"])
    assert "whole" not in str(error.value)


def test_what_is_passed_over_is_counted_and_named(tmp_path, capsys):
    for name in (
        "b.heic",
        "c.HEIC",
        "more/d.zip",
        "._e.heic",
        "p/._f.png",
        "__MACOSX/g.png",
        "@eaDir/h.jpg/S.jpg",
        "i",
    ):
        save(tmp_path / name)
    inside = ("./a.png", "../b.png", "/abs/c.png", "inner.zip", "__MACOSX/d.png", "@eaDir/e.png", "x/._f.png", "g.avif")
    zip_of(tmp_path / "more/d.zip", {**dict.fromkeys(inside, PNG), "folder.png/": b""})
    with pytest.raises(Refused, match=r"holds no image \(.*\); its files are 2 .heic, 1 without, 1 .zip\."):
        open_source(str(tmp_path), 0, 24)
    save(tmp_path / "deep/er/A.JPEG")
    assert open_source(str(tmp_path), 0, 24).count == 1
    assert capsys.readouterr().err.endswith("other files are passed over: 2 .heic, 1 without, 1 .zip.\n")
    source = open_source(str(tmp_path / "more/d.zip"), 0, 24)
    assert source.count == 3 and all(isinstance(data, bytes) for _, data in source.items())
    assert "passed over: 1 .zip, 1 .avif." in capsys.readouterr().err


def test_pictures_that_the_program_drew_are_no_faces(tmp_path, capsys):
    save(tmp_path / "a.png")
    (tmp_path / "run").mkdir()
    (tmp_path / "run/sheet.png").write_bytes(drawing.png(Image.new("RGB", (24, 24))))
    figure = Figure()
    figure.add_subplot().plot([1, 2])
    drawing.save_figure(figure, tmp_path / "map.png")
    assert names(open_source(str(tmp_path), 0, 24), tmp_path) == ["a.png"]
    assert "2 pictures that pcl_tf drew" in capsys.readouterr().err
    (tmp_path / "a.png").unlink()
    with pytest.raises(Refused, match="holds no image .*; its files are 2 pictures that pcl_tf drew"):
        open_source(str(tmp_path), 0, 24)


def test_folders_that_windows_separates_by_backslashes(tmp_path):
    save(tmp_path / "img/a.png")
    save(tmp_path / "odd\\b.png")
    names = ("bilder\\c.png", "__MACOSX\\bilder\\._c.png")  # of an old program
    zip_of(tmp_path / "faces.zip", dict.fromkeys(names, PNG))
    assert [name for name, _ in zipped(tmp_path / "faces.zip").items()] == [f"{tmp_path}/faces.zip:bilder/c.png"]
    files = Files(tmp_path)
    assert files.spelled("img\\a.png") == "img/a.png" and files.spelled("odd\\b.png") == "odd\\b.png"
    assert "img\\b.png" not in files
    ((_, data),) = files.source(["bilder/c.png"]).items()
    assert data[:4] == b"\x89PNG"
