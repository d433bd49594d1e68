"""Fig. 4 from a workdir and any faces, and its like for methods of pairs."""

import pathlib
import sys
import tempfile
from itertools import islice

import numpy as np
from ml_collections import ConfigDict

from pcl_tf import recipe as recipes
from pcl_tf.data.images import decode_all, left_out
from pcl_tf.data.sources import open_source
from pcl_tf.drawing import png
from pcl_tf.errors import Refused
from pcl_tf.store import check, several, write_atomically


def figure(workdir: str | pathlib.Path, images: str, out: str | pathlib.Path, *, count: int) -> list[pathlib.Path]:
    """Draws what a run's networks make of ``count`` faces.

    Args:
      workdir: of a run.
      images: folder or zip over which the faces are spread, of clips for a method of pairs; '' generates faces.
      out: path of the PNG, which ends in .png.
      count: how many faces.

    Returns:
      [path], and of a run with a decoder the path of the swapped poses.

    Raises:
      Refused: no checkpoint, a method without pictures, too few faces, or a picture that cannot be written.
    """
    workdir, out = pathlib.Path(workdir), pathlib.Path(out)
    swapped = out.with_stem(f"{out.stem}_swap")
    for path in (out, swapped):
        check(path, inputs=several(images))
    check(out, beside=[swapped])
    if not (workdir / "recipe.json").is_file():
        raise Refused(f"--workdir={workdir}: no recipe.json there; it is no folder of pcl_tf.train.")
    recipe = recipes.resolve(recipes.load(workdir / "recipe.json"))
    if not recipe.method.get("reconstruct", "frame_views" in recipe.method):
        raise Refused(f"--workdir={workdir}: this run trained no decoder and no flow.")
    decoder = "reconstruct" in recipe.method
    faces = _faces(recipe, images, count) if decoder else _pairs(recipe, images, count)
    from pcl_tf.methods.build import build_method  # TensorFlow, once all that is named is there
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
    return [out, swapped]


def _pairs(recipe: ConfigDict, images: str, count: int) -> np.ndarray:
    """uint8 [count, 2, S, S, 3] of clips, or [count, S, S, 3] where the method takes mirror images for want of them."""
    import tensorflow as tf

    from pcl_tf.data.faces import open_faces
    from pcl_tf.data.sources import FRAMES
    from pcl_tf.methods.build import method_of

    data = recipe.data.copy_and_resolve_references().unlock()
    data.source, data.generated_images = images or "generated", FRAMES * count
    with tempfile.TemporaryDirectory() as cache:
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
