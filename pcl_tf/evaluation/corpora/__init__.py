"""The evaluation corpora, each declared once: readers, sizes, help texts and tables follow from here.

Needs no TensorFlow, so that commands can name the corpora before anything is loaded.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

# What a corpus asks of an encoder, in the order of the paper's tables. Faces are generated for each, too.
ROLES = ("expression", "verification", "actions", "pose")

Reader = Callable[..., Any]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Corpus:
    """A corpus as it is handed out.

    Attributes:
      role: of ``ROLES``.
      size: side in pixels of the paper's test.
      layout: its files below the folder, in Markdown.
      marks: names in the corpus' own folder, of which one is there.
      reader: loads the function (root, image_size) -> ``Task``.
    """

    role: str
    size: int
    layout: str
    marks: tuple[str, ...]
    reader: Callable[[], Reader]


def _fer2013() -> Reader:
    from pcl_tf.evaluation.corpora.expression import fer2013

    return fer2013


def _rafdb() -> Reader:
    from pcl_tf.evaluation.corpora.expression import rafdb

    return rafdb


def _lfw() -> Reader:
    from pcl_tf.evaluation.corpora.pairs import lfw

    return lfw


def _cplfw() -> Reader:
    from pcl_tf.evaluation.corpora.pairs import cplfw

    return cplfw


def _disfa() -> Reader:
    from pcl_tf.evaluation.corpora.actions import disfa

    return disfa


def _aflw2000() -> Reader:
    from pcl_tf.evaluation.corpora.pose import aflw2000

    return aflw2000


def _bu3dfe() -> Reader:
    from pcl_tf.evaluation.corpora.pose import bu3dfe

    return bu3dfe


CORPORA = {
    # FER-2013 (Goodfellow et al., 2013): seven expressions, tested on PrivateTest.
    "fer2013": Corpus(
        role="expression",
        size=100,
        layout="`fer2013.csv` (tested on PrivateTest), or `train/CLASS/*`, `test/CLASS/*`",
        marks=("fer2013.csv", "train"),
        reader=_fer2013,
    ),
    # RAF-DB (Li et al., 2017): seven basic expressions.
    "rafdb": Corpus(
        role="expression",
        size=100,
        layout="`basic/EmoLabel/list_patition_label.txt`, `basic/Image/aligned/train_00001_aligned.jpg` ..",
        marks=("basic", "EmoLabel"),
        reader=_rafdb,
    ),
    # LFW (Huang et al., 2007): pairs in ten folds.
    "lfw": Corpus(
        role="verification",
        size=128,
        layout="`pairs.txt`, `lfw-deepfunneled/NAME/NAME_0001.jpg` .. (or `lfw_funneled`, `lfw`)",
        marks=("pairs.txt",),
        reader=_lfw,
    ),
    # CPLFW (Zheng and Deng, 2018): pairs across poses in ten folds.
    "cplfw": Corpus(
        role="verification",
        size=128,
        layout="`pairs_CPLFW.txt`, `aligned images/*.jpg` (or `images`)",
        marks=("pairs_CPLFW.txt",),
        reader=_cplfw,
    ),
    # DISFA (Mavadati et al., 2013): eight action units, three folds that share nobody.
    "disfa": Corpus(
        role="actions",
        size=256,
        layout="`ActionUnit_Labels/SN001/SN001_au1.txt` .. and the videos `LeftVideoSN001_comp.avi` .. in any folder"
        " (`pcl_tf[prepare]`), or `Frames/SN001/00001.jpg` .. cut from them",
        marks=("ActionUnit_Labels",),
        reader=_disfa,
    ),
    # 300W-LP and AFLW2000 (Zhu et al., 2016): yaw, pitch and roll in degrees; faces turned beyond 99 are left out.
    "aflw2000": Corpus(
        role="pose",
        size=256,
        layout="`300W_LP/*/*.jpg` and `.mat`, or TFDS's prepared `the300w_lp` (training); `AFLW2000/*.jpg` and `.mat`",
        marks=("300W_LP", "the300w_lp"),
        reader=_aflw2000,
    ),
    # BU-3DFE (Yin et al., 2006), rendered: classes of pose.
    "bu3dfe": Corpus(
        role="pose",
        size=256,
        layout="renderings `train/POSE/*`, `test/POSE/*`",
        marks=("train",),
        reader=_bu3dfe,
    ),
}


def of_role(role: str) -> tuple[str, ...]:
    """Names of the corpora that ask for this."""
    return tuple(name for name, corpus in CORPORA.items() if corpus.role == role)
