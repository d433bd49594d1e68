"""Fig. 4 from a workdir and any faces."""

import pathlib
import sys
from itertools import islice
from typing import Any

import numpy as np

from pcl_tf import recipe as recipes
from pcl_tf.data.images import decode_all, left_out
from pcl_tf.data.sources import open_source
from pcl_tf.drawing import png
from pcl_tf.errors import Refused
from pcl_tf.methods.build import build_method
from pcl_tf.store import check, write_atomically
from pcl_tf.training import sheet
from pcl_tf.training.checkpoints import Checkpoints


def figure(
    workdir: str | pathlib.Path, images: str, out: str | pathlib.Path, *, count: int, flag: str = "--data"
) -> tuple[pathlib.Path, pathlib.Path]:
    """Draws both pictures.

    Args:
      workdir: of a run.
      images: folder or zip; '' generates faces.
      out: path of the PNG.
      count: how many faces, spread over the source.
      flag: that gave the images, for errors.

    Returns:
      (path, path of the swapped poses).

    Raises:
      Refused: no checkpoint, no decoder, or fewer than two faces that can be read.
      Refused: one of the pictures cannot be written.
    """
    workdir, out = pathlib.Path(workdir), pathlib.Path(out)
    swapped = out.with_name(f"{out.stem}_swap{out.suffix or '.png'}")
    for path in (out, swapped):
        check(path, inputs=[images, *images.split(",")])
    check(out, beside=[swapped])
    if not (workdir / "recipe.json").is_file():
        raise Refused(f"--workdir={workdir}: no recipe.json there; it is no folder of pcl_tf.train.")
    recipe = recipes.resolve(recipes.load(workdir / "recipe.json"))
    if not recipe.method.reconstruct:
        raise Refused(f"--workdir={workdir}: this run trained no decoder.")
    source = open_source(images or "generated", count, recipe.image_size, flag=flag)
    spread = islice(source.items(), 0, None, max(1, source.count // count))  # folders are sorted, often by person
    faces: Any = []
    bad: list[tuple[str, str]] = []
    for name, face, why in decode_all(spread, recipe.image_size):
        faces += [] if face is None else [face]
        bad += [(name, str(why))] if face is None else []
        if len(faces) == count:
            break
    if len(faces) < 2:
        why = left_out(bad, len(faces) + len(bad))
        raise Refused(f"{flag}={images}: fewer than two faces that can be read. {why}".strip())
    if bad:
        print(f"note: {left_out(bad, len(faces) + len(bad))}", file=sys.stderr)
    model = build_method(recipe)
    if Checkpoints(model, workdir / "checkpoints").restore() is None:
        raise Refused(f"--workdir={workdir}: {workdir / 'checkpoints'} holds no checkpoint.")
    faces, noise = np.stack(faces), recipe.method.recon_noise_std
    scale = max(1, 128 // recipe.image_size)
    write_atomically(out, png(sheet.draw(sheet.reconstructions(model, faces, noise), scale)))
    write_atomically(swapped, png(sheet.draw_swaps(faces, sheet.swaps(model, faces, noise), scale)))
    return out, swapped
