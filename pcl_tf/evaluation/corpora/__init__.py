"""The evaluation corpora, each declared once: readers, sizes, counts, help texts and tables follow from here.

Needs no TensorFlow, so that commands can name the corpora before anything is loaded.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

# What a corpus asks of an encoder, in the order of the paper's tables. Faces are generated for each, too.
ROLES = ("expression", "verification", "actions", "pose")

Reader = Callable[..., Any]
PAIRS = {"test": ((6_000, 6_000),)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Corpus:
    """A corpus as it is handed out.

    Attributes:
      role: of ``ROLES``.
      kind: of its ``Task``.
      size: side in pixels of the paper's test.
      protocol: what it is and how it is scored, a sentence.
      layout: its files below the folder, in Markdown.
      instructions: what to fetch, and where from; licences want that done by hand.
      marks: names in the corpus' own folder, of which one is there.
      counts: {split: ranges (least, most) of records, of which one is met by the corpus as handed out}.
      reader: loads the function (root, image_size) -> ``Task``.
    """

    role: str
    kind: str
    size: int
    protocol: str
    layout: str
    instructions: str
    marks: tuple[str, ...]
    counts: Mapping[str, tuple[tuple[int, int], ...]]
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
    "fer2013": Corpus(
        role="expression",
        kind="classification",
        size=100,
        protocol="FER-2013 (Goodfellow et al., 2013): seven expressions, tested on PrivateTest.",
        layout="`fer2013.csv` (tested on PrivateTest), or `train/CLASS/*`, `test/CLASS/*`",
        instructions="fer2013.csv of Kaggle's 'Challenges in Representation Learning'.",
        marks=("fer2013.csv", "train"),
        counts={"train": ((28_709, 28_709),), "test": ((3_589, 3_589),)},
        reader=_fer2013,
    ),
    "rafdb": Corpus(
        role="expression",
        kind="classification",
        size=100,
        protocol="RAF-DB (Li et al., 2017): seven basic expressions.",
        layout="`basic/EmoLabel/list_patition_label.txt`, `basic/Image/aligned/train_00001_aligned.jpg` ..",
        instructions="Ask its authors; unpack basic/EmoLabel and basic/Image/aligned.",
        marks=("basic", "EmoLabel"),
        counts={"train": ((12_271, 12_271),), "test": ((3_068, 3_068),)},
        reader=_rafdb,
    ),
    "lfw": Corpus(
        role="verification",
        kind="verification",
        size=128,
        protocol="LFW (Huang et al., 2007): pairs in ten folds.",
        layout="`pairs.txt`, `lfw-deepfunneled/NAME/NAME_0001.jpg` .. (or `lfw_funneled`, `lfw`)",
        instructions="pairs.txt and lfw-deepfunneled/NAME/NAME_0001.jpg, of its site.",
        marks=("pairs.txt",),
        counts=PAIRS,
        reader=_lfw,
    ),
    "cplfw": Corpus(
        role="verification",
        kind="verification",
        size=128,
        protocol="CPLFW (Zheng and Deng, 2018): pairs across poses in ten folds.",
        layout="`pairs_CPLFW.txt`, `aligned images/*.jpg` (or `images`)",
        instructions="pairs_CPLFW.txt and 'aligned images', of its site.",
        marks=("pairs_CPLFW.txt",),
        counts=PAIRS,
        reader=_cplfw,
    ),
    "disfa": Corpus(
        role="actions",
        kind="multilabel",
        size=256,
        protocol="DISFA (Mavadati et al., 2013): eight action units, three folds that share nobody.",
        layout="`ActionUnit_Labels/SN001/SN001_au1.txt` .. and the videos `LeftVideoSN001_comp.avi` .. in any folder"
        " (`pcl_tf[prepare]`), or `Frames/SN001/00001.jpg` .. cut from them",
        instructions="Ask its authors; ActionUnit_Labels/SN001/.. and Videos_LeftCamera/LeftVideoSN001_comp.avi.",
        marks=("ActionUnit_Labels",),
        counts={"test": ((27 * 4844, 27 * 4845),)},  # a person's video has 4,844 or 4,845 labelled frames
        reader=_disfa,
    ),
    "aflw2000": Corpus(
        role="pose",
        kind="regression",
        size=256,
        protocol="300W-LP and AFLW2000 (Zhu et al., 2016): yaw, pitch and roll in degrees; faces turned beyond 99 are left"
        " out.",
        layout="`300W_LP/*/*.jpg` and `.mat`, or TFDS's prepared `the300w_lp` (training); `AFLW2000/*.jpg` and `.mat`",
        instructions="300W_LP/*/*.jpg and AFLW2000/*.jpg with the .mat beside each, of their site.",
        marks=("300W_LP", "the300w_lp"),
        # Of 122,450 (TFDS's the300w_lp: 61,225, without mirror images) and 2,000 a few are turned too far.
        counts={"train": ((122_000, 122_450), (61_000, 61_225)), "test": ((1_900, 2_000),)},
        reader=_aflw2000,
    ),
    "bu3dfe": Corpus(
        role="pose",
        kind="classification",
        size=256,
        protocol="BU-3DFE (Yin et al., 2006), rendered: classes of pose.",
        layout="renderings `train/POSE/*`, `test/POSE/*`",
        instructions="Ask its authors; render the models into train/POSE/* and test/POSE/*.",
        marks=("train",),
        counts={"train": ((14_112, 14_112),), "test": ((6_264, 6_264),)},
        reader=_bu3dfe,
    ),
}


def of_role(role: str) -> tuple[str, ...]:
    """Names of the corpora that ask for this."""
    return tuple(name for name, corpus in CORPORA.items() if corpus.role == role)
