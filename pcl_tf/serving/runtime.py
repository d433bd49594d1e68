"""Fetches onnxruntime-web, which runs ONNX in a browser, and checks that it is the one that is pinned here."""

import hashlib
import pathlib
import subprocess
import tarfile
import tempfile
from typing import Any

from pcl_tf.errors import Refused

PACKAGE = "onnxruntime-web@1.24.3"
# What the page needs of it, and the SHA-256 of each file: one thread of WebAssembly, no graphics processor.
RUNTIME = {
    "ort.wasm.min.mjs": "d5a6d7bc8ee587648fb3742dde8c0094d17cbd3822a68bbec8ddfcd4f2adb88e",
    "ort-wasm-simd-threaded.mjs": "5687566b1bc1c8cf628d76c2ddb16b2a3b81a7997273d4666564880495088e57",
    "ort-wasm-simd-threaded.wasm": "be0e129949062ad50290ef94683fac8be5bb6156f709e030b7a5f1661a2f6c17",
}


def fetch_runtime(given: str | None = None) -> dict[str, bytes]:
    """The files of onnxruntime-web, whose hashes are checked.

    Args:
      given: the package as a .tgz, or a node_modules folder that holds it; None fetches it by npm.

    Returns:
      {name: content} of ``RUNTIME``.

    Raises:
      Refused: npm is not installed or fetches nothing, or a file is missing or another one.
    """
    with tempfile.TemporaryDirectory() as place:
        path, flag = pathlib.Path(given or place), f"--onnxruntime={given}" if given else f"--web: {PACKAGE} by npm"
        if not given:
            command = ["npm", "pack", PACKAGE, "--loglevel=error", "--fetch-retries=1", f"--pack-destination={place}"]
            elsewhere = "or give it by --onnxruntime, as a .tgz or a node_modules folder"
            try:
                done = subprocess.run(command, capture_output=True, text=True, cwd=place)
            except FileNotFoundError:
                raise Refused(
                    f"--web: npm, which fetches {PACKAGE}, is not installed; install it, {elsewhere}."
                ) from None
            if done.returncode:
                said = [line for line in done.stderr.splitlines() if line.strip()] or ["it does not say why"]
                raise Refused(
                    f"--web: npm cannot fetch {PACKAGE} ({said[0].strip()}); is there a network? {elsewhere}."
                )
            (path,) = path.glob("*.tgz")
        try:
            found = _members(path)
        except (OSError, KeyError, tarfile.TarError, EOFError) as error:
            why = str(error).partition("\n")[0]  # tarfile has a line a method
            raise Refused(f"{flag}: is no {PACKAGE} ({why}).") from error
    if wrong := [name for name, data in found.items() if hashlib.sha256(data).hexdigest() != RUNTIME[name]]:
        raise Refused(f"{flag}: {wrong[0]} is another file than that of {PACKAGE}, by its hash.")
    return found


def _members(path: pathlib.Path) -> dict[str, bytes]:
    if path.is_dir():
        inside = path / PACKAGE.partition("@")[0] / "dist"
        return {name: (inside / name).read_bytes() for name in RUNTIME}
    with tarfile.open(path) as packed:
        streams: dict[str, Any] = {name: packed.extractfile(f"package/dist/{name}") for name in RUNTIME}
        return {name: stream.read() for name, stream in streams.items()}
