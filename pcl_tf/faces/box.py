"""A box: an encoder with heads, small enough to be handed out, in a folder that ``pcl_tf.load`` opens."""

import dataclasses
import io
import json
import pathlib
import shutil
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from pcl_tf.encoders.encoder import Encoder, open_encoder
from pcl_tf.encoders.head import Head, attached
from pcl_tf.errors import Refused
from pcl_tf.serving.card import UNKNOWN, fill_card
from pcl_tf.store import atomic_path, read_json
from pcl_tf.tables import markdown

CLOSE = 1e-3  # how far a feature may move when the weights are rounded, of its greatest value


def parse(texts: Sequence[str]) -> dict[str, Head]:
    """Heads of ``[NAME=]PROBE.keras``, by their names.

    Raises:
      Refused: a file has no head, or two have one name.
    """
    heads: dict[str, Head] = {}
    for text in texts:
        name, _, path = text.rpartition("=")
        if (head := attached(path)) is None:
            raise Refused(f"--heads={text}: no .keras of pcl_tf.probe.")
        if (name := name or head.name) in heads:
            raise Refused(f"--heads={text}: two heads are called {name}; give one another name, as NAME={path}.")
        heads[name] = dataclasses.replace(head, name=name)
    return heads


def is_box(folder: pathlib.Path) -> bool:
    """Whether a folder is of ``write_box``, which replaces no other."""
    return (folder / "box.json").is_file()


def write_box(
    folder: str | pathlib.Path, export: pathlib.Path, heads: dict[str, Head], *, about: dict[str, Any], margin: float
) -> None:
    """Writes a box: whole, or not at all.

    Args:
      folder: of the box; one that is there is replaced.
      export: of an encoder.
      heads: {name: ``Head``}.
      about: 'license' and 'data_terms', as ``pcl_tf.serving.card.stated`` has them.
      margin: of the crops that the encoder was trained on, as of ``pcl_tf.load``.

    Raises:
      Refused: a head was learnt on another encoder, features move by more than ``CLOSE``, or no licence is stated.
    """
    encoder = open_encoder(str(export))
    if strange := [name for name, head in heads.items() if head.encoder != encoder.digest]:
        raise Refused(f"--heads: {strange[0]} was learnt on another encoder than {export}.")
    if len(sizes := {head.size for head in heads.values()}) > 1:
        raise Refused(f"--heads: were learnt at {sorted(sizes)} pixels; those of a box see faces of one size.")
    if not about.get("license"):
        raise Refused("--box: says under which licence its weights are: give --license, and --data_terms.")
    assert encoder.keras_file is not None
    with atomic_path(folder, replaces=is_box) as aside:
        (aside / "heads").mkdir(parents=True)
        write_half(encoder.keras_file, aside / "encoder.keras")
        for name, head in heads.items():
            (aside / "heads" / f"{name}.npz").write_bytes(head.to_bytes())
        (aside / "box.json").write_text(json.dumps({"margin": margin}) + "\n")
        shutil.copy(export / "assets/provenance.json", aside)
        recipe = read_json(export / "assets/recipe.json")
        if source := recipe.get("data", {}).get("source"):  # others have no use for folders of this machine
            recipe["data"]["source"] = pathlib.PurePath(source).name
        (aside / "recipe.json").write_text(json.dumps(recipe, indent=1) + "\n")
        check_close(encoder, open_encoder(str(aside)))
        terms = about.get("data_terms") or UNKNOWN
        (aside / "LICENSE").write_text(f"Weights: {about['license']}\nData that they were learnt on: {terms}\n")
        rows = [
            [name, ", ".join(head.names) or "one person or two", head.feature, head.measured["task"], head.error]
            for name, head in heads.items()
        ]
        fill_card(
            aside,
            "box",
            name=pathlib.Path(folder).name,
            license=about["license"],
            size=recipe.get("image_size", UNKNOWN),
            learnt="".join(f" or more; the heads were learnt at {side}" for side in sizes),
            megabytes=f"{(aside / 'encoder.keras').stat().st_size / 1e6:.1f}",
            close=f"{CLOSE:g}",
            margin=f"{margin:g}",
            heads=markdown(["head", "tells", "of", "measured on", "error, 95 %"], rows),
            step=encoder.step,
            data=recipe.get("data", {}).get("source") or UNKNOWN,
            terms=terms,
        )


def write_half(source: pathlib.Path, target: pathlib.Path) -> None:
    """Copies a .keras with its matrices and kernels as float16, which Keras reads into its float32 weights."""
    import h5py

    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith(".h5"):
                held = io.BytesIO()
                with h5py.File(io.BytesIO(data)) as f, h5py.File(held, "w") as g:

                    def copy(at: str, item: Any, f: Any = f, g: Any = g) -> None:
                        if isinstance(item, h5py.Dataset):  # vectors are few, and variances may be too small
                            half = item.ndim > 1 and item.dtype == np.float32
                            g[at] = item[()].astype(np.float16) if half else item[()]
                        else:
                            g.require_group(at)
                        for key, value in item.attrs.items():
                            g[at].attrs[key] = value

                    f.visititems(copy)
                    for key, value in f.attrs.items():
                        g.attrs[key] = value
                data = held.getvalue()
            new.writestr(name, data)


def check_close(exact: Encoder, rounded: Encoder) -> None:
    """Raises Refused where a feature of faces of noise moves by more than ``CLOSE`` of its greatest value."""
    side = rounded.side or (exact.recipe or {}).get("image_size", 64)
    faces = np.random.RandomState(0).randint(0, 256, (8, side, side, 3)).astype(np.uint8)
    before, after = exact.embed(faces), rounded.embed(faces)
    for key, x in before.items():
        if (moved := np.abs(after[key] - x).max() / max(np.abs(x).max(), 1e-9)) > CLOSE:
            raise Refused(f"--box: '{key}' moves by {moved:.1g} when weights are rounded to float16.")
