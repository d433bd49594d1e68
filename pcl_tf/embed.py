"""Embeds images with a trained encoder, without a server.

  python -m pcl_tf.embed --model=runs/vox64 --data=FOLDER_OR_ZIP --out=faces.npz
  python -m pcl_tf.embed --model=runs/vox64/export/1000 --data=faces.zip --out=faces.csv --feature=face_aware
  python -m pcl_tf.embed --model=runs/vox64 --data=FOLDER --out=faces.npz --projector=logs/faces
  python -m pcl_tf.embed --model=runs/vox64 --data=clip.mp4 --out=clip.npz --detect --fps=5
  python -m pcl_tf.embed --model=runs/vox64 --data=FOLDER --out=SHARDS --beam_pipeline_options=runner=FlinkRunner,..

--model is heads64, faces64, a workdir of pcl_tf.train, an export, a .keras, .onnx or .tflite file, or pixels, lbp, hog.
Unreadable images are left out, counted, and named in OUT with ".unreadable.txt" behind it; nothing is written where all are.
Features stay in --cache, which the probe shares: an extraction that was stopped resumes, but of videos and with --detect
begins again.
Exit codes: 0 done; 2 a flag, the model or the data is wrong; 4 the disk is full; 129, 130 and 143 stopped by SIGHUP,
Ctrl-C and SIGTERM.
"""

import functools
import pathlib
import shlex

from absl import flags

from pcl_tf.choices import FEATURES
from pcl_tf.console import begin, explained, finding_faces, refuse, side_flag, start

_MODEL = flags.DEFINE_string(
    "model",
    "",
    "heads64, faces64, SavedModel, workdir of pcl_tf.train, .keras, .onnx or .tflite file, or a baseline.",
)
_DATA = flags.DEFINE_string(
    "data",
    "",
    "Folder, tree of folders, zip, picture, video, CSV that names pictures, tfds:NAME or generated; commas join several.",
)
_OUT = flags.DEFINE_string("out", "", "File to write: .npz, .csv or .parquet.")
_FEATURE = flags.DEFINE_list("feature", [], "face_aware, face, pose, face+pose; by default all that the model has.")
_SIZE = side_flag(
    "Side in pixels; 0 is that of the model's heads, or else the side it was trained at, 64 if it does not say."
)
_IMAGES = flags.DEFINE_integer("generated_images", 256, "How many faces --data=generated renders.", lower_bound=1)
_PROJECTOR = flags.DEFINE_string("projector", "", "Folder for TensorBoard's Projector, with a sprite of the faces.")
_CACHE = flags.DEFINE_string("cache", "", "Folder of features; by default features/ in probe/ of the model's workdir.")
_FINDING = finding_faces()


def main(argv: list[str]) -> None:
    begin(argv, "model", "data", "out")
    from pcl_tf.data.sources import named
    from pcl_tf.encoders.encoder import find_encoder, probe_folder
    from pcl_tf.faces.table import SUFFIXES
    from pcl_tf.store import check, list_unreadable

    if unknown := [f for f in _FEATURE.value if f not in FEATURES]:
        refuse(f"--feature={unknown[0]}: not one of {', '.join(FEATURES)}.")
    how, beam = _FINDING("projector", "cache")
    out = pathlib.Path(_OUT.value)
    with explained(out):
        if beam:
            from pcl_tf.faces.shards import Work, run

            models, features = (_MODEL.value,), tuple(_FEATURE.value)
            return run(Work(_DATA.value, _OUT.value, models, features, image_size=_SIZE.value, **how), beam)
        check(_OUT.value, suffix=SUFFIXES)
        listed = out.with_name(out.name + ".unreadable.txt")
        check(listed)
        if _PROJECTOR.value:
            from pcl_tf.faces.projector import check_place, write_projector

            check_place(_PROJECTOR.value)
        from pcl_tf.faces.model import load
        from pcl_tf.faces.pictures import Pictures

        cache = _CACHE.value or probe_folder(_MODEL.value) / "features"
        check(cache, "--cache", folder=True)  # by default beside the model, which may lie where nothing can be written
        find_encoder(_MODEL.value)
        opened = functools.partial(Pictures, _DATA.value, fps=how["fps"], generated_images=_IMAGES.value)
        pictures = opened()
        model = load(_MODEL.value, image_size=_SIZE.value, margin=how.pop("margin"))  # imports TensorFlow
        if "generated" in named(_DATA.value):
            pictures = opened(size=model.size)
        table = model.embed(pictures, features=_FEATURE.value, cache=cache, bar=True, **how)
        table.save(out)
        widths = ", ".join(f"{k} {x.shape[1]}" for k, x in table.features.items())
        print(f"{out}: {len(table)} {'faces' if how['detect'] else 'images'} ({widths})")
        list_unreadable(listed, table.unreadable)
        if table.unreadable:
            of = f" of {pictures.count}" if pictures.count else ""
            print(f"{len(table.unreadable)}{of} images are unreadable and left out; {listed} names them.")
        if _PROJECTOR.value:
            count = write_projector(table, _PROJECTOR.value)
            print(f"tensorboard --logdir={shlex.quote(_PROJECTOR.value)} shows {count} of them under Projector.")


if __name__ == "__main__":
    start(main)
