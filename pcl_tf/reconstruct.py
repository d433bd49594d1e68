"""Fig. 4 for any faces: what the decoder makes of their features, and poses swapped between people.

  python -m pcl_tf.reconstruct --workdir=runs/vox64 --data=DIR_OR_ZIP --out=fig4.png

Writes OUT (source, mirror image, all combinations, each feature alone) and OUT with "_swap" in its name (every face
with every other's pose). Of a method of pairs OUT has the two frames of clips, the flow between them as colours, and what is
warped and swapped by it. Exit codes: 0 done; 2 a flag, the workdir or the images are wrong;
4 the disk is full.
"""

from absl import flags

from pcl_tf.console import begin, explained, start

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of a run of pcl_tf.train whose method has a decoder or a flow.")
_DATA = flags.DEFINE_string(
    "data", "", "Folder or zip of faces, or of clips as for pcl_tf.train; without it they are generated."
)
_OUT = flags.DEFINE_string("out", "fig4.png", "The PNG.")
_COUNT = flags.DEFINE_integer("count", 8, "How many faces, spread over the images.", lower_bound=2)


def main(argv: list[str]) -> None:
    begin(argv, "workdir")
    from pcl_tf.reproduce.figure import figure
    from pcl_tf.store import check

    assert _WORKDIR.value is not None
    with explained(_OUT.value):
        check(_OUT.value, suffix=".png")
        print(*figure(_WORKDIR.value, _DATA.value, _OUT.value, count=_COUNT.value), sep="\n")


if __name__ == "__main__":
    start(main)
