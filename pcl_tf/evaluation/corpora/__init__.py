"""The evaluation corpora, each declared once: readers, sizes, help texts and tables follow from here.

Needs no TensorFlow, so that commands can name the corpora before anything is loaded.
"""

import dataclasses
import pathlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pcl_tf.evaluation.task import Task


@dataclasses.dataclass(frozen=True)
class Corpus:
    """A corpus in the layout that its authors distribute."""

    reader: str  # 'MODULE:FUNCTION' of this package: a function (root, image_size) -> ``Task``
    role: str  # of ``pcl_tf.choices.ROLES``, which follow the paper's tables
    size: int  # side in pixels of the paper's test
    layout: str  # its files below the folder, in Markdown

    def read(self, root: pathlib.Path, image_size: int = 0) -> "Task":
        """The task of a corpus whose folder is root; image_size 0 is the paper's."""
        return pkgutil.resolve_name(f"{__name__}.{self.reader}")(root, image_size or self.size)


_FER = "`fer2013.csv` (tested on PrivateTest), or `train/CLASS/*`, `test/CLASS/*`"
_RAF = "`basic/EmoLabel/list_patition_label.txt`, `basic/Image/aligned/train_00001_aligned.jpg` .."
_LFW = "`pairs.txt`, `lfw-deepfunneled/NAME/NAME_0001.jpg` .. (or `lfw_funneled`, `lfw`)"
_DISFA = (
    "`ActionUnit_Labels/SN001/SN001_au1.txt` .. and the videos `LeftVideoSN001_comp.avi` .. in any folder"
    " (`pcl_tf[prepare]`), or `Frames/SN001/00001.jpg` .. cut from them"
)
_AFLW = "`300W_LP/*/*.jpg` and `.mat` (training), `AFLW2000/*.jpg` and `.mat`"
CORPORA = {
    # FER-2013 (Goodfellow et al., 2013): seven expressions, tested on PrivateTest.
    "fer2013": Corpus("expression:fer2013", "expression", 100, _FER),
    # RAF-DB (Li et al., 2017): seven basic expressions.
    "rafdb": Corpus("expression:rafdb", "expression", 100, _RAF),
    # LFW (Huang et al., 2007): pairs in ten folds.
    "lfw": Corpus("pairs:lfw", "verification", 128, _LFW),
    # CPLFW (Zheng and Deng, 2018): pairs across poses in ten folds.
    "cplfw": Corpus("pairs:cplfw", "verification", 128, "`pairs_CPLFW.txt`, `aligned images/*.jpg` (or `images`)"),
    # DISFA (Mavadati et al., 2013): eight action units, three folds that share nobody.
    "disfa": Corpus("actions:disfa", "actions", 256, _DISFA),
    # 300W-LP and AFLW2000 (Zhu et al., 2016): yaw, pitch and roll in degrees; faces turned beyond 99 are left out.
    "aflw2000": Corpus("pose:aflw2000", "pose", 256, _AFLW),
    # BU-3DFE (Yin et al., 2006), rendered: classes of pose.
    "bu3dfe": Corpus("pose:bu3dfe", "pose", 256, "renderings `train/POSE/*`, `test/POSE/*`"),
}
