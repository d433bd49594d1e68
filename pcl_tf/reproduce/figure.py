"""Fig. 4 from a workdir and any faces."""

import pathlib
import sys
from itertools import islice

import numpy as np

from pcl_tf import recipe as recipes
from pcl_tf.data.images import decode_all, left_out
from pcl_tf.data.sources import open_source
from pcl_tf.drawing import png
from pcl_tf.errors import Refused
from pcl_tf.store import check, several, write_atomically


def figure(
    workdir: str | pathlib.Path, images: str, out: str | pathlib.Path, *, count: int
) -> tuple[pathlib.Path, pathlib.Path]:
    """Draws both pictures.

    Args:
      workdir: of a run.
      images: folder or zip; '' generates faces.
      out: path of the PNG, which ends in .png.
      count: how many faces, spread over the source.

    Returns:
      (path, path of the swapped poses).

    Raises:
      Refused: no checkpoint, no decoder, fewer than two faces that can be read, or a picture that cannot be written.
    """
    workdir, out = pathlib.Path(workdir), pathlib.Path(out)
    swapped = out.with_stem(f"{out.stem}_swap")
    for path in (out, swapped):
        check(path, inputs=several(images))
    check(out, beside=[swapped])
    if not (workdir / "recipe.json").is_file():
        raise Refused(f"--workdir={workdir}: no recipe.json there; it is no folder of pcl_tf.train.")
    recipe = recipes.resolve(recipes.load(workdir / "recipe.json"))
    if not recipe.method.reconstruct:
        raise Refused(f"--workdir={workdir}: this run trained no decoder.")
    source = open_source(images or "generated", count, recipe.image_size, flag="--data")
    spread = islice(source.items(), 0, None, max(1, source.count // count))  # folders are sorted, often by person
    faces: list[np.ndarray] = []
    bad: list[tuple[str, str | None]] = []
    for name, face, why in decode_all(spread, recipe.image_size):
        bad += [(name, why)] if face is None else []
        faces += [] if face is None else [face]
        if len(faces) == count:
            break
    note = left_out(bad, len(faces) + len(bad))
    if len(faces) < 2:
        raise Refused(f"--data={images}: fewer than two faces that can be read. {note}".strip())
    if bad:
        print(f"note: {note}", file=sys.stderr)
    from pcl_tf.methods.build import build_method  # TensorFlow, once all that is named is there
    from pcl_tf.training import sheet
    from pcl_tf.training.checkpoints import Checkpoints

    model = build_method(recipe)
    if Checkpoints(model, workdir / "checkpoints").restore() is None:
        raise Refused(f"--workdir={workdir}: {workdir / 'checkpoints'} holds no checkpoint.")
    stacked, noise, scale = np.stack(faces), recipe.method.recon_noise_std, max(1, 128 // recipe.image_size)
    write_atomically(out, png(sheet.draw(sheet.reconstructions(model, stacked, noise), scale)))
    write_atomically(swapped, png(sheet.draw_swaps(stacked, sheet.swaps(model, stacked, noise), scale)))
    return out, swapped
