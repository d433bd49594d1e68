"""The page in a real Chromium: its numbers are those of Python, of a picture and of a camera, and what fails says so."""

import base64
import io
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

import pcl_tf
from pcl_tf.data.images import resize
from pcl_tf.heads import people, render
from pcl_tf.prepare import detector
from tests.helpers.commands import ended
from tests.helpers.images import encoded
from tests.serving.browser import CHROMIUM, driven

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="needs chromium, as of Debian's package"),
    pytest.mark.skipif(not shutil.which("npm"), reason="needs npm, which fetches onnxruntime-web"),
]
FAKE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
READY = 'await said("Take a photo");'
SEEN = 'await said("Answered"); const seen = JSON.parse(at("numbers").textContent);'


@pytest.fixture(scope="module")
def scene():
    """Twelve heads on grey, of which the detector finds some: uint8 [480, 640, 3]."""
    faces = render.render(people.sample_labels(12, seed=11), size=144)
    picture = np.full((480, 640, 3), 160, np.uint8)
    for i, face in enumerate(faces):
        row, column = 8 + 160 * (i // 4), 8 + 160 * (i % 4)
        picture[row : row + 144, column : column + 144] = face
    return picture


@pytest.fixture(scope="module")
def model():
    return pcl_tf.load("faces64")


@pytest.fixture(scope="module")
def page(scene, model, tmp_path_factory):
    """Folder of the page with a table of the faces in the scene; the table."""
    pytest.importorskip("tf2onnx", reason="needs requirements-onnx.txt")
    pytest.importorskip("mtcnn", reason="needs requirements-prepare.txt")
    folder = tmp_path_factory.mktemp("page")
    table = model.embed(scene, detect=True)
    table.save(folder / "t.npz")
    code, _, said = ended("export", "--model=faces64", f"--web={folder / 'page'}", f"--table={folder / 't.npz'}")
    if "npm cannot fetch" in said:
        pytest.skip(said)
    assert code == 0, said
    return folder / "page", table


def png(image):
    return encoded(Image.fromarray(image), "PNG")


def compare(seen, image, model, table, atol):
    """Holds the page's numbers to those of Python, of the square that the page took."""
    x, y, side, _ = (seen["square"][key] for key in "xywh")
    face = resize(image[None, y : y + side, x : x + side], model.size).numpy()
    (row,) = model.predict(face)
    for head in model.heads:
        for name in head.names:
            expected = row[name if head.kind == "regression" else f"p_{name}"]
            assert seen[head.name][name] == pytest.approx(expected, abs=atol), name
    near = pcl_tf.Table(table.names, table.rows, table.features, table.origin, model=model).nearest(face[0])
    for (_, cosine), one in zip(seen["nearest"], near, strict=True):
        assert cosine == pytest.approx(one.cosine, abs=atol)
    assert len(near) > 2


def test_a_picture_has_the_numbers_of_python(page, scene, model):
    folder, table = page
    script = f"""{READY} await give("scene.png"); {SEEN}
      const elsewhere = location.origin.replace("127.0.0.1", "localhost");
      const refused = await frame.contentWindow.fetch(elsewhere).then(() => false, () => true);
      at("larger").click(); await until(() => JSON.parse(at("numbers").textContent).square.w > seen.square.w);
      const larger = JSON.parse(at("numbers").textContent), marks = at("marks"), place = marks.getBoundingClientRect();
      marks.setPointerCapture = () => {{}};  // there is no real finger
      const [x, y] = [place.width / marks.width, place.height / marks.height], other = seen.faces[1];
      const clientX = place.x + x * (other.x + other.w / 2), clientY = place.y + y * (other.y + other.h / 2);
      marks.dispatchEvent(new PointerEvent("pointerdown", {{ clientX, clientY }}));
      marks.dispatchEvent(new PointerEvent("pointermove", {{ clientX: clientX - 20, clientY }}));
      marks.dispatchEvent(new PointerEvent("pointerup", {{}}));
      await until(() => Math.abs(JSON.parse(at("numbers").textContent).square.x - larger.square.x) > 20);
      return [seen, refused, larger, JSON.parse(at("numbers").textContent), at("about").textContent];"""
    (seen, refused, larger, other, about), asked = driven(folder, script, {"scene.png": png(scene)})
    compare(seen, scene, model, table, 1e-3)
    compare(larger, scene, model, table, 1e-3)
    compare(other, scene, model, table, 1e-3)
    assert "research" in about and (folder / "LICENSE").is_file()  # of the weights
    assert refused  # by the page's own policy: it can send nothing to anybody
    assert len(seen["faces"]) == len(table) > 2
    for face, box in zip(seen["faces"], table.boxes, strict=True):
        np.testing.assert_allclose([face[key] for key in "xywh"], box, atol=1.5)
    expected = detector.around(scene, tuple(map(float, table.boxes[0])), model.margin).shape[0]
    assert abs(seen["square"]["w"] - expected) <= 1
    assert not [path for path in asked if not path.startswith("/")]


def test_the_frames_of_a_camera_have_the_numbers_of_python(page, scene, model, tmp_path):
    folder, table = page
    picture = encoded(Image.fromarray(scene), "JPEG", quality=95, subsampling=0)
    (tmp_path / "camera.mjpeg").write_bytes(picture * 3)
    script = f"""{READY} const media = frame.contentWindow.navigator.mediaDevices, streams = [];
      const ask = media.getUserMedia.bind(media);
      media.getUserMedia = async (what) => {{ streams.push(await ask(what)); return streams.at(-1); }};
      at("camera").click(); at("camera").click(); await said("Answered"); await until(() => streams.length === 2);
      const stop = at("camera").textContent; at("camera").click();
      await until(() => at("camera").textContent === "Camera" && !at("larger").disabled);
      const lit = streams.some((stream) => stream.active);
      return [JSON.parse(at("numbers").textContent), stop, at("pixels").toDataURL(), lit];"""
    film = f"--use-file-for-fake-video-capture={tmp_path / 'camera.mjpeg'}"
    (seen, stop, data, lit), _ = driven(folder, script, None, *FAKE, film)
    frame = np.asarray(Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2]))).convert("RGB"))
    assert not lit  # though it was asked for twice
    assert stop == "Stop" and len(seen["faces"]) > 2 and frame.shape == scene.shape
    assert np.corrcoef(frame.ravel(), scene.ravel())[0, 1] > 0.98  # a video's colours are coarser, its contrast another
    compare(seen, frame, model, table, 1e-3)


def test_without_a_camera_and_without_an_image_the_page_says_so(page, scene):
    script = f"""{READY} const out = [];
      at("camera").click(); out.push(await until(() => at("status").className === "wrong" && at("status").textContent));
      await give("notes.txt"); out.push(await said("notes.txt"));
      await give("scene.png"); out.push(await said("Answered"));
      const body = frame.contentDocument.documentElement;
      const sides = [...frame.contentDocument.querySelectorAll("nav button, nav label")].map((b) => b.offsetHeight);
      return [out, body.scrollWidth, Math.min(...sides)];"""
    given = {"notes.txt": b"no image", "scene.png": png(scene)}
    ((camera, notes, answered), width, button), _ = driven(page[0], script, given, size=(360, 740))
    assert "camera" in camera.lower() and "photo" in camera
    assert notes == "notes.txt: is no image that this browser reads." and "Answered" in answered
    assert width <= 360 and button >= 48  # pixels: nothing to scroll to the side, buttons as large as a thumb


def test_a_page_that_cannot_start_says_why(page, tmp_path):
    wrong = 'return await until(() => at("status").className === "wrong" && at("status").textContent);'
    shutil.copytree(page[0], tmp_path / "page")
    index = (page[0] / "index.html").read_text()
    (tmp_path / "page/without.js").write_text("delete globalThis.WebAssembly;")
    (tmp_path / "page/index.html").write_text(index.replace("<script", '<script src="without.js"></script><script', 1))
    assert "This browser has no WebAssembly" in driven(tmp_path / "page", wrong)[0]
    (tmp_path / "page/index.html").write_text(index)
    (tmp_path / "page/encoder.onnx").write_bytes(b"cut short")
    assert "encoder.onnx cannot run in this browser" in driven(tmp_path / "page", wrong)[0]
    (tmp_path / "page/encoder.onnx").unlink()
    assert "encoder.onnx cannot be loaded (404)" in driven(tmp_path / "page", wrong)[0]
    command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
    file = (page[0] / "index.html").as_uri()
    shown = subprocess.run([*command, "--dump-dom", file], capture_output=True, text=True, timeout=120).stdout
    assert "This page must come from a server" in shown
