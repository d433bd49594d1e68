"""Exports the encoder of a run again: at another size, under another number, or from its newest checkpoint.

  python -m pcl_tf.export --workdir=runs/vox64 --image_size=100
  python -m pcl_tf.export --workdir=runs/vox64 --version=7 --onnx --tflite
  python -m pcl_tf.export --workdir=runs/vox64 --box=faces64 --heads=runs/vox64/probe/fer.keras,pose=runs/vox64/probe/p.keras
  python -m pcl_tf.export --workdir=runs/vox64 --license=cc-by-4.0 --data_terms="VoxCeleb, research only"
  python -m pcl_tf.export --model=faces64 --web=page --table=faces.npz

Writes export/VERSION (SavedModel; README.md in it is the model card), backbone.keras and, with --onnx, encoder.onnx, with --tflite encoder.tflite, with --tflite --quantize
encoder-quantized.tflite. What is stated of the data and the licence stays in the workdir, for later cards.
With --model and --web it writes a page that answers in a browser, and nothing else (needs pcl_tf[onnx]; a detector comes
with it where pcl_tf[prepare] is installed).
Exit codes: 0 done; 2 a flag or what it names is wrong; 4 the disk is full.
"""

import pathlib
import shlex

from absl import flags

from pcl_tf.choices import MARGIN
from pcl_tf.console import begin, explained, need, refuse, side_flag, start

_WORKDIR = flags.DEFINE_string("workdir", "", "Folder of a run of pcl_tf.train or pcl_tf.convert.")
_SIZE = side_flag("Side in pixels of the exported encoder; 0 is the training size.")
_VERSION = flags.DEFINE_integer(
    "version", None, "Number of the export; by default the step. A server takes up a number once.", lower_bound=0
)
_KEEP = flags.DEFINE_integer(
    "keep", None, "Versions that stay, the highest; 0 is all; by default checkpoint.keep.", lower_bound=0
)
_ONNX = flags.DEFINE_bool("onnx", False, "Writes encoder.onnx too (needs pcl_tf[onnx]).")
_TFLITE = flags.DEFINE_bool("tflite", False, "Writes encoder.tflite too, for images of --image_size.")
_QUANTIZE = flags.DEFINE_bool("quantize", False, "With --tflite: weights of 8 bits, in encoder-quantized.tflite.")
_LICENSE = flags.DEFINE_string("license", None, "Of the weights, for the model card: an identifier or a few words.")
_BOX = flags.DEFINE_string(
    "box", "", "Writes this folder too: encoder in float16, --heads, card; pcl_tf.load opens it."
)
_HEADS = flags.DEFINE_list("heads", [], "For --box: [NAME=]PROBE.keras of pcl_tf.probe; commas join several.")
_MARGIN = flags.DEFINE_float(
    "margin", MARGIN, "For --box: side of the training crops, in longer sides of a face's box.", 1.0, 10.0
)
_HUB = flags.DEFINE_string(
    "hub", "", "Writes this folder too, for Hugging Face's hub: encoder for Keras, card as README.md."
)
_TERMS = flags.DEFINE_string("data_terms", None, "For the model card: under which terms the training faces were used.")
_WEB = flags.DEFINE_string("web", None, "Writes this folder: a page for any static server, of --model.")
_MODEL = flags.DEFINE_string(
    "model",
    "",
    "For --web: an encoder that comes with the package, workdir, export, box, fine-tuning or probe's .keras.",
)
_TABLE = flags.DEFINE_string("table", None, "For --web: an .npz of pcl_tf.embed, of which the nearest faces are named.")
_RUNTIME = flags.DEFINE_string(
    "onnxruntime",
    None,
    "For --web: onnxruntime-web as a .tgz, or a node_modules folder with it; by default npm fetches it.",
)

_OF_A_PAGE = ("model", "table", "onnxruntime")  # flags; the others here are of a workdir


def main(argv: list[str]) -> None:
    begin(argv, "model" if _WEB.value else "workdir")
    for flag in flags.FLAGS.get_key_flags_for_module(flags.FLAGS.find_module_defining_flag("web")):
        if flag.present and flag.name != "web" and (flag.name in _OF_A_PAGE) != bool(_WEB.value):
            refuse(f"--{flag.name}: has no meaning {'with' if _WEB.value else 'without'} --web.")
    if _WEB.value:
        return _page(pathlib.Path(_WEB.value))
    if _QUANTIZE.value and not _TFLITE.value:
        refuse("--quantize: has no meaning without --tflite.")
    if given := [name for name in ("heads", "margin") if flags.FLAGS[name].present and not _BOX.value]:
        refuse(f"--{given[0]}: has no meaning without --box.")
    from pcl_tf.store import check

    workdir, size = pathlib.Path(_WORKDIR.value), _SIZE.value
    if not (workdir / "recipe.json").is_file():
        refuse(f"--workdir={workdir}: has no recipe.json; it is no folder of pcl_tf.train.")
    if _ONNX.value:
        need("onnx", "tf2onnx")
    from pcl_tf import recipe as recipes
    from pcl_tf.errors import Refused
    from pcl_tf.faces import box
    from pcl_tf.methods.build import build_method
    from pcl_tf.networks.backbones import FIXED_SIZE
    from pcl_tf.serving.card import state, stated
    from pcl_tf.serving.export import TFLITE, check_version, is_hub, save_hub, save_tflite
    from pcl_tf.training.checkpoints import Checkpoints, newest_step
    from pcl_tf.training.export import export_run

    with explained(workdir):
        check(workdir, "--workdir", folder=True)
        heads = box.parse(_HEADS.value)
        if _BOX.value:
            check(_BOX.value, "--box", folder=True, replaces=box.is_box)
        if _HUB.value:
            check(_HUB.value, "--hub", folder=True, replaces=is_hub)
        recipe = recipes.resolve(recipes.load(workdir / "recipe.json"))
        version = newest_step(workdir) if _VERSION.value is None else _VERSION.value
        if version is not None:
            check_version(workdir / "export" / str(version))
        backbone, trained_at = recipe.network.backbone, recipe.image_size
        if size and backbone in FIXED_SIZE and size != trained_at:
            raise Refused(f"--image_size={size}: a {backbone} has the size it was trained at, {trained_at}.")
        model = build_method(recipe)
        step = Checkpoints(model, workdir / "checkpoints", recipe.checkpoint.keep).restore()
        if step is None:
            raise Refused(f"{workdir / 'checkpoints'} holds no checkpoint to export.")
        state(workdir, license=_LICENSE.value, data_terms=_TERMS.value)
        path = export_run(
            recipe,
            workdir,
            model.encoder,
            step=step,
            image_size=size or None,
            version=_VERSION.value,
            keep=_KEEP.value,
            onnx=_ONNX.value,
        )
        if _TFLITE.value:
            file = workdir / TFLITE[_QUANTIZE.value]
            save_tflite(path, file, size or recipe.image_size, quantize=_QUANTIZE.value)
            print(f"{file} ({file.stat().st_size / 1e3:,.0f} kB)")
        if _HUB.value:
            save_hub(path, _HUB.value)
            print(_HUB.value)
        if _BOX.value:
            box.write_box(_BOX.value, path, heads, about=stated(workdir), margin=_MARGIN.value)
            print(f"{_BOX.value} ({(pathlib.Path(_BOX.value) / 'encoder.keras').stat().st_size / 1e6:.1f} MB)")
    print(path)


def _page(folder: pathlib.Path) -> None:
    from pcl_tf.encoders.encoder import find_encoder
    from pcl_tf.serving.page import fetch_runtime, is_page, write_page
    from pcl_tf.store import check

    with explained(folder):
        check(folder, "--web", folder=True, replaces=is_page)
        find_encoder(_MODEL.value)
        need("onnx", "tf2onnx")
        from pcl_tf.faces.model import load
        from pcl_tf.faces.table import Table

        table = Table.read(_TABLE.value, "--table") if _TABLE.value else None
        runtime = fetch_runtime(_RUNTIME.value)
        write_page(folder, load(_MODEL.value), runtime=runtime, table=table)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    quoted = shlex.quote(str(folder))
    print(f"{folder} ({size / 1e6:.1f} MB): python -m http.server --directory {quoted}, then http://localhost:8000")


if __name__ == "__main__":
    start(main)
