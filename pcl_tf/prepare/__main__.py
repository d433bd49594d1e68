"""Turns videos or photographs into a dataset that training reads.

  python -m pcl_tf.prepare voxceleb --data=VOXCELEB --out=DATA
  python -m pcl_tf.prepare videos --data=DIR --out=DATA --fps=2 --detect
  python -m pcl_tf.prepare images --data=DIR --out=DATA --detect
  python -m pcl_tf.prepare voxceleb --data=/nfs/VOX --out=/nfs/DATA --beam_pipeline_options=runner=FlinkRunner,..

The same command goes on where one stopped. Unreadable files, and with --detect files without a face, are left out,
counted, and named in unreadable.txt and no_face.txt beside the records; sheet.png shows some faces and some failures.
Needs pcl_tf[prepare], and pcl_tf[beam] for --beam_pipeline_options.
Exit codes: 0 done; 2 a flag, or what it names, is wrong; 4 the disk is full; 130 and 143 stopped by Ctrl-C and SIGTERM.
"""

import os
import shlex

from absl import flags, logging

from pcl_tf.choices import MARGIN
from pcl_tf.console import begin, explained, refuse, start
from pcl_tf.data.files import printable
from pcl_tf.store import check

KINDS = ("voxceleb", "videos", "images")

_DATA = flags.DEFINE_string("data", "", "Folder of the videos or photographs.")
_OUT = flags.DEFINE_string("out", "", "Folder the dataset is written below.")
_SIZE = flags.DEFINE_integer("image_size", 64, "Side of the faces in pixels.", 16, 2048)
_FPS = flags.DEFINE_float("fps", 6.0, "Frames a second taken from videos (section 4.1: 6).", 0.01, 1000)
_SHARE = flags.DEFINE_float("centre", 1.0, "Side of the central square, of the frame's shorter side.", 0.05, 1.0)
_DETECT = flags.DEFINE_bool("detect", False, "Cut out the largest face found (by MTCNN) instead of the centre.")
_MARGIN = flags.DEFINE_float(
    "margin", MARGIN, "With --detect: side of the cut, in longer sides of the face's box.", 1, 10
)
_ALIGN = flags.DEFINE_bool(
    "align", False, "With --detect: turn faces until the eyes are level, and give them one size, by their landmarks."
)
_WORKERS = flags.DEFINE_integer("workers", 0, "Threads on this machine; 0 is one a core.", 0, 256)
_BEAM = flags.DEFINE_list(
    "beam_pipeline_options", [], "Beam's options as key=value, for a cluster: runner=FlinkRunner,flink_master=.."
)
_UNREADABLE = flags.DEFINE_float(
    "max_unreadable_share", 0.05, "Share of unreadable files above which nothing is written.", 0, 1
)
_NO_FACE = flags.DEFINE_float(
    "max_no_face_share", 0.2, "With --detect: share of files without a face above which nothing is written.", 0, 1
)


def main(argv: list[str]) -> None:
    begin(argv, "data", "out", words=1, level=logging.ERROR)  # TFDS warns of every dataset that is not among its own
    if len(argv) != 2 or argv[1] not in KINDS:
        refuse(f"give one of {', '.join(KINDS)} as the first argument; see --help.")
    for flag, where in (
        ("fps", "for images" if argv[1] == "images" else ""),
        ("centre", "with --detect" if _DETECT.value else ""),
        *((flag, "" if _DETECT.value else "without --detect") for flag in ("margin", "align", "max_no_face_share")),
    ):
        if where and flags.FLAGS[flag].present:
            refuse(f"--{flag} has no meaning {where}.")
    if not _OUT.value.isprintable():
        refuse(f"--out={ascii(_OUT.value)}: TFDS needs a name of printable characters; give another.")
    with explained(_OUT.value):
        check(_OUT.value, folder=True)
        if not os.path.isdir(_DATA.value):
            refuse(f"--data={printable(_DATA.value)}: no such folder.")
        import av  # noqa: F401

        if _DETECT.value:
            import mtcnn  # noqa: F401
        if _BEAM.value:
            import apache_beam  # noqa: F401

        from pcl_tf.prepare.run import Limits, prepare_clips
        from pcl_tf.prepare.work import Settings

        margin = _MARGIN.value if _DETECT.value else 0.0
        path, counts = prepare_clips(
            argv[1],
            _DATA.value,
            _OUT.value,
            settings=Settings(_SIZE.value, _FPS.value, _SHARE.value, margin, _ALIGN.value),
            limits=Limits(_UNREADABLE.value, _NO_FACE.value),
            workers=_WORKERS.value,
            beam_options=[f"--{option}" for option in _BEAM.value],
        )
    print(
        f"{', '.join(f'{value} {key}' for key, value in counts.items())}\n{path}/sheet.png shows some of them.\n\n"
        f"{path} holds them. Next:\n"
        f"  python -m pcl_tf.train --recipe=vox64 --data={shlex.quote(path)} --workdir=runs/vox64"
    )


def _stop(number: int, _: object) -> None:
    """Ends the process at once, whatever its threads do: what is written is whole."""
    os.write(2, b"\nStopped; the same command goes on.\n")
    os._exit(128 + number)


if __name__ == "__main__":
    start(main, _stop)
