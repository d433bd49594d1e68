"""``python -m pcl_tf`` lists the commands. Installed, each of them is also a console command, pcl-NAME."""

import pathlib
import runpy
import sys

from pcl_tf import __version__
from pcl_tf.console import EXIT_CODES, begin, start

COMMANDS = {
    "benchmark": "how fast training and its data are, what memory they take",
    "client": "features by a TensorFlow Serving or KServe server",
    "convert": "a checkpoint of the authors' PyTorch code as a workdir with an encoder",
    "embed": "features of a folder of images in one file",
    "export": "the encoder of a workdir as a SavedModel of another size, as ONNX or TFLite; a page for browsers",
    "finetune": "trains the encoder on labels and exports a classifier",
    "heads": "generated faces with their truth, as pictures and a table",
    "neighbours": "the most similar faces of a table of embeddings, clusters, duplicates",
    "predict": "answers of trained heads for pictures and videos: tables, curves, written over the frames",
    "prepare": "faces cut out of videos and photographs, as one dataset",
    "probe": "linear probes of frozen features, with intervals",
    "reconstruct": "what the decoder makes of faces",
    "reproduce": "the paper's tables with our numbers",
    "train": "pre-trains an encoder on faces without labels",
}


def console() -> None:
    """What every console command calls: pcl-NAME does the same as ``python -m pcl_tf.NAME``."""
    name = pathlib.Path(sys.argv[0]).stem.removeprefix("pcl-")
    runpy.run_module(f"pcl_tf.{name}", run_name="__main__", alter_sys=True)


def main(argv: list[str]) -> None:
    print(f"pcl_tf {__version__}. Each command has --help; pcl-NAME is python -m pcl_tf.NAME.\n")
    print(*(f"  pcl-{name:<12} {text}" for name, text in COMMANDS.items()), "\nThey exit with", sep="\n")
    print(*(f"  {code:<16} {text}" for code, text in EXIT_CODES.items()), sep="\n")
    begin(argv)


if __name__ == "__main__":
    start(main)
