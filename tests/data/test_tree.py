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
from pcl_tf.data.files import Unreadable, files_below, is_image, read_file, walk
from pcl_tf.data.listed import Files
from pcl_tf.data.sources import folder, open_source, zipped
from pcl_tf.errors import Refused


def save(path, colour=128):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (24, 24), (colour, colour, colour)).save(path, "PNG")


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


@pytest.mark.parametrize(
    ("name", "fine"),
    [
        ("deep/er/A.JPEG", True),
        ("../a.png", True),
        ("p/._a.jpg", False),
        ("__MACOSX/p/a.jpg", False),
        ("@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg", False),
    ],
)
def test_what_an_image_is(name, fine, tmp_path):
    assert is_image(name) == fine
    root, archive = tmp_path / "root", tmp_path / "faces.zip"
    save(root / "b.png")
    if not name.startswith("../"):
        save(root / name)
        assert len(files_below(root)) == 1 + fine == folder(root).count
    with zipfile.ZipFile(archive, "w") as z:
        z.writestr(name, "x")
        z.writestr("folder.png/", "")
    assert zipped(archive).count == fine


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


def test_files_larger_than_the_bound_are_unreadable(tmp_path, monkeypatch):
    save(tmp_path / "fine.png")
    with open(tmp_path / "sparse.jpg", "wb") as f:
        f.truncate(30 * 10**9)
    with zipfile.ZipFile(tmp_path / "faces.zip", "w", zipfile.ZIP_DEFLATED) as z:
        z.write(tmp_path / "fine.png", "fine.png")
        z.writestr("large.jpg", b"\0" * 3_000_000)
    found = dict(folder(tmp_path).items())
    assert isinstance(found[f"{tmp_path}/fine.png"], bytes)
    assert str(found[f"{tmp_path}/sparse.jpg"]) == "30000 MB, and an image file may have 268 MB"
    monkeypatch.setattr("pcl_tf.data.files.MAX_BYTES", 2_000_000)
    fine, large = (data for _, data in zipped(tmp_path / "faces.zip").items())
    assert isinstance(fine, bytes) and str(large) == "3 MB, and an image file may have 2 MB"


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    for path in (tmp_path / "pipe.jpg", "/dev/zero", tmp_path):
        assert str(read_file(path)) == "is no regular file"
    assert read_file("/proc/self/mounts") == b""  # no more than it declares


def test_zips_with_different_images_of_one_path_are_refused(tmp_path):
    save(tmp_path / "gray.png", 10)
    save(tmp_path / "white.png", 255)
    for archive, name, content in (
        ("a", "1.png", "gray"),
        ("b", "1.png", "gray"),
        ("a", "2.png", "gray"),
        ("b", "2.png", "white"),
    ):
        with zipfile.ZipFile(tmp_path / f"{archive}.zip", "a") as z:
            z.write(tmp_path / f"{content}.png", name)
    files = Files(tmp_path)
    assert files.spelled("1.png") == "1.png"
    with pytest.raises(Refused, match=r"2.png: there are different images of this path in .*a.zip and .*b.zip"):
        files.source(["1.png", "2.png"])


def test_no_more_is_unpacked_of_a_member_than_it_declares(tmp_path):
    archive = tmp_path / "faces.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("bomb.jpg", b"\0" * 50_000_000)
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


def damaged_zip(path, how):
    """A zip of four faces, of which the second is damaged in some way."""
    noise = np.random.default_rng(0).integers(0, 256, [24, 24, 3], np.uint8)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for i in range(4):
            Image.fromarray(noise).save(path.with_suffix(".bmp"))
            z.write(path.with_suffix(".bmp"), f"{i}.bmp")
        info = z.infolist()[1]
        start, size = info.header_offset + 30 + len(info.filename), info.compress_size
    data = bytearray(path.read_bytes())
    in_directory = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1)
    if how == "deflate":
        data[start + 9 : start + size] = b"\xff" * (size - 9)
    elif how == "encrypted":
        data[in_directory + 8] |= 1
        data[info.header_offset + 6] |= 1
    elif how == "method":
        data[in_directory + 10] = data[info.header_offset + 8] = 99
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("how", ["deflate", "encrypted", "method"])
def test_one_damaged_member_is_left_out_and_named(tmp_path, how):
    archive = damaged_zip(tmp_path / "faces.zip", how)
    faces = decoded_faces(zipped(archive), 8, cache_dir=tmp_path / "cache", max_unreadable_share=0.5)["faces"]
    (line,) = (tmp_path / "cache/unreadable.txt").read_text().splitlines()
    assert len(faces) == 3 and line.startswith(f"{archive}:1.bmp\tcannot be read from the zip (")
    listed = dict(Files(tmp_path).source(["0.bmp", "1.bmp"]).items())
    assert isinstance(listed["0.bmp"], bytes) and isinstance(listed["1.bmp"], Unreadable)


@pytest.mark.parametrize("data", [b"", b"PK\x05\x06" + b"\xff" * 18])
def test_zips_that_cannot_be_opened(tmp_path, data):
    (tmp_path / "faces.zip").write_bytes(data)
    with pytest.raises(Refused, match=r"^--images=.*faces.zip: not a readable zip"):
        open_source(str(tmp_path / "faces.zip"), 8, 16, flag="--images")
    with pytest.raises(Refused, match=r"^/.*faces.zip: not a readable zip"):
        Files(tmp_path).source(["a.png"])


@pytest.mark.parametrize("name", ["with [2026]", "wh*at?", "a,b"])
def test_folders_of_any_name(tmp_path, name):
    save(tmp_path / name / "p/a.png")
    assert open_source(str(tmp_path / name), 8, 16).count == 1
    assert "p/a.png" in Files(tmp_path / name)


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


def test_paths_that_windows_wrote(tmp_path):
    save(tmp_path / "img/a.png")
    save(tmp_path / "odd\\b.png")
    files = Files(tmp_path)
    assert files.spelled("img\\a.png") == "img/a.png" and files.spelled("odd\\b.png") == "odd\\b.png"
    assert "img\\b.png" not in files


def test_a_damaged_zip_beside_a_list_counts_where_an_image_is_missing(tmp_path):
    save(tmp_path / "a.png")
    with zipfile.ZipFile(tmp_path / "whole.zip", "w") as z:
        z.write(tmp_path / "a.png", "b.png")
    (tmp_path / "damaged.zip").write_bytes(b"PK\x03\x04 cut short")
    (tmp_path / "._whole.zip").write_bytes(b"\0\5\x16\7")  # macOS's, which is not opened
    files = Files(tmp_path)
    assert [isinstance(data, bytes) for _, data in files.source(["a.png", "b.png"]).items()] == [True, True]
    with pytest.raises(Refused, match=r"c.png: no such image, .* \(.*damaged.zip: not a readable zip") as error:
        files.source(["a.png", "c.png"])
    assert "whole" not in str(error.value)


def test_what_is_passed_over_is_counted_and_named(tmp_path, capsys):
    for name in ("a.png", "b.heic", "c.HEIC", "more/d.zip", "._e.heic", "__MACOSX/f.heic", "g"):
        save(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "more/d.zip", "w") as z:
        for name in ("./a.png", "../b.png", "/abs/c.png", "inner.zip", "__MACOSX/._a.png", "x/d.avif"):
            z.write(tmp_path / "a.png", name)
    assert open_source(str(tmp_path), 0, 24).count == 1
    assert capsys.readouterr().err.endswith("other files are passed over: 2 .heic, 1 without, 1 .zip.\n")
    source = open_source(str(tmp_path / "more/d.zip"), 0, 24)
    assert source.count == 3 and all(isinstance(data, bytes) for _, data in source.items())
    assert "passed over: 1 .zip, 1 .avif." in capsys.readouterr().err
    (tmp_path / "a.png").unlink()
    with pytest.raises(Refused, match=r"holds no image \(.*\); its files are 2 .heic, 1 without, 1 .zip\."):
        open_source(str(tmp_path), 0, 24)


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


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_zip_of_an_old_program_of_windows(tmp_path, form):
    save(tmp_path / "a.png")
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as z:
        for name in ("bilder\\é.png", "__MACOSX\\bilder\\._é.png"):
            z.write(tmp_path / "a.png", unicodedata.normalize(form, name))
    (name, data), *more = zipped(tmp_path / "faces.zip").items()
    assert unicodedata.normalize("NFC", name).endswith("faces.zip:bilder/é.png") and data[:4] == b"\x89PNG" and not more
    ((_, data),) = Files(tmp_path).source(["bilder/é.png"]).items()
    assert data[:4] == b"\x89PNG"
