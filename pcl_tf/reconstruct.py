"""Fig. 4 for any faces: what the decoder makes of their features, and poses swapped between people.

  python -m pcl_tf.reconstruct --workdir=runs/vox64 --data=DIR_OR_ZIP --out=fig4.png

Writes OUT (source, mirror image, all combinations, each feature alone) and OUT with "_swap" in its name (every face
with every other's pose). Generated faces have the true picture of a swap too: without --data the last line is how far off
the swaps are. Of a method of pairs OUT has the two frames of clips, the flow between them as colours, and what is
warped and swapped by it. Exit codes: 0 done; 2 a flag, the workdir or the images are wrong;
4 the disk is full.
"""

import pathlib
import sys
import tempfile
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from absl import flags
from ml_collections import ConfigDict

from pcl_tf import recipe as recipes
from pcl_tf.console import begin, explained, start
from pcl_tf.data.images import decode_all, left_out
from pcl_tf.data.sources import open_source
from pcl_tf.drawing import png
from pcl_tf.errors import Refused
from pcl_tf.evaluation.bootstrap import estimate, units
from pcl_tf.heads import people, processes
from pcl_tf.store import check, several, write_atomically

if TYPE_CHECKING:
    from pcl_tf.methods.base import Method

_WORKDIR = flags.DEFINE_string("workdir", "", "Folder of a run of pcl_tf.train whose method has a decoder or a flow.")
_DATA = flags.DEFINE_string(
    "data", "", "Folder or zip of faces, or of clips as for pcl_tf.train; without it they are generated."
)
_OUT = flags.DEFINE_string("out", "fig4.png", "The PNG.")
_COUNT = flags.DEFINE_integer("count", 8, "How many faces, spread over the images.", lower_bound=2)


def main(argv: list[str]) -> None:
    begin(argv, "workdir")
    with explained(_OUT.value):
        paths = figure(pathlib.Path(_WORKDIR.value), _DATA.value, pathlib.Path(_OUT.value), count=_COUNT.value)
        print(*paths, sep="\n")


def figure(workdir: pathlib.Path, images: str, out: pathlib.Path, *, count: int) -> list[pathlib.Path]:
    """Draws what a run's networks make of ``count`` faces.

    Args:
      workdir: of a run.
      images: folder or zip over which the faces are spread, of clips for a method of pairs; '' generates faces.
      out: path of the PNG.
      count: how many faces.

    Returns:
      [path], and of a run with a decoder the path of the swapped poses.

    Raises:
      Refused: no checkpoint, a method without pictures, too few faces, or a picture that cannot be written.
    """
    swapped = out.with_stem(f"{out.stem}_swap")
    check(out, suffix=".png", inputs=several(images), beside=[swapped])
    check(swapped, inputs=several(images))
    if not (workdir / "recipe.json").is_file():
        raise Refused(f"--workdir={workdir}: no recipe.json there; it is no folder of pcl_tf.train.")
    recipe = recipes.resolve(recipes.load(workdir / "recipe.json"))
    if not recipe.method.get("reconstruct", "frame_views" in recipe.method):
        raise Refused(f"--workdir={workdir}: this run trained no decoder and no flow.")
    decoder = "reconstruct" in recipe.method
    faces = _faces(recipe, images, count) if decoder else _pairs(recipe, workdir, images, count)
    from pcl_tf.methods.build import build_method  # imports TensorFlow, so only after the checks
    from pcl_tf.training import sheet
    from pcl_tf.training.checkpoints import Checkpoints

    model = build_method(recipe)
    if Checkpoints(model, workdir / "checkpoints").restore() is None:
        raise Refused(f"--workdir={workdir}: {workdir / 'checkpoints'} holds no checkpoint.")
    scale = max(1, 128 // recipe.image_size)
    if not decoder:
        write_atomically(out, png(sheet.draw_pictures(model.pictures(np.float32(faces) / 255), scale)))
        return [out]
    noise = recipe.method.recon_noise_std
    write_atomically(out, png(sheet.draw(sheet.reconstructions(model, faces, noise), scale)))
    write_atomically(swapped, png(sheet.draw_swaps(faces, sheet.swaps(model, faces, noise), scale)))
    if not images:
        print(swap_errors(model, people.sample_labels(500, 0, people.TASKS), recipe.image_size, noise))
    return [out, swapped]


def swap_errors(model: "Method", labels: Mapping[str, np.ndarray], size: int, noise_std: float) -> str:
    """How far a face in another's pose is from its true picture, which for generated faces can be rendered.

    Args:
      model: a method with a decoder.
      labels: of N generated faces; the pose of each is given to the one before.
      size: side of the images in pixels.
      noise_std: of ``sheet.swaps``.

    Returns:
      a line: mean absolute errors in values of [0, 1] over pixels and colours, and the gain with its interval over faces: by
      how much F_f + F_p' is nearer to the truth than F_f + F_p, which decodes the face in its own pose.
    """
    from pcl_tf.training import sheet

    turned = {**labels, "angles": np.roll(labels["angles"], -1, axis=0)}
    faces, truth = (processes.pictures(x, size) / np.float32(255) for x in (labels, turned))
    own, other = sheet.decoded_pairs(model, faces, noise_std)
    errors = {
        "swapped to its truth": (other, truth),
        "unswapped to that truth": (own, truth),
        "unswapped to its source": (own, faces),
        "source to that truth": (faces, truth),
    }
    off = {name: np.abs(a - b).mean(axis=(1, 2, 3)) for name, (a, b) in errors.items()}
    gain = off["unswapped to that truth"] - off["swapped to its truth"]
    found, _ = estimate(gain[:, None], lambda means: float(means[0]), units("images", len(gain)))
    low, high = found["interval"]
    return (
        f"swaps of pose, {len(gain)} generated faces, mean absolute error: "
        + ", ".join(f"{name} {x.mean():.4f}" for name, x in off.items())
        + f"; gain {found['value']:+.4f} [{low:+.4f}, {high:+.4f}]"
    )


def _pairs(recipe: ConfigDict, workdir: pathlib.Path, images: str, count: int) -> np.ndarray:
    """uint8 [count, 2, S, S, 3] of clips, or [count, S, S, 3] where the method takes mirror images for want of them.

    What the run was trained on is read from its cache.
    """
    import tensorflow as tf

    from pcl_tf.data.faces import open_faces
    from pcl_tf.data.sources import FRAMES
    from pcl_tf.methods.build import method_of

    data = recipe.data.copy_and_resolve_references().unlock()
    seen = images == data.source != "generated"
    if not seen:
        data.source, data.clips = images or "generated", "by_folder" if images else "prepared"
        data.generated_images = FRAMES * count
    with tempfile.TemporaryDirectory() as aside:
        cache = data.cache or workdir / "cache" if seen else aside
        faces = open_faces(data, recipe.image_size, cache, method_of(recipe).pairs(recipe))
        return faces.fetch(tf.constant(faces.rows(count, 0)(0))).numpy()


def _faces(recipe: ConfigDict, images: str, count: int) -> np.ndarray:
    """uint8 [N, S, S, 3], two faces at least and at most ``count``."""
    source = open_source(images or "generated", count, recipe.image_size, flag="--data")
    spread = islice(source.items(), 0, None, max(1, source.count // count))  # folders are sorted, often by person
    decoded = list(decode_all(spread, recipe.image_size))
    faces = [face for _, face, _ in decoded if face is not None][:count]
    bad = [(name, why) for name, face, why in decoded if face is None]
    note = left_out(bad, len(decoded))
    if len(faces) < 2:
        raise Refused(f"--data={images}: fewer than two faces that can be read. {note}".strip())
    if bad:
        print(f"note: {note}", file=sys.stderr)
    return np.stack(faces)


if __name__ == "__main__":
    start(main)
