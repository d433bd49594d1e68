"""Tables 1 to 7 of the paper: their rows, what a row is made of here, and the numbers printed there.

All numbers are quoted from Liu et al., CVPR 2023; rows without a model are only quoted.
"""

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any

from pcl_tf.choices import ROLES


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a table."""

    label: str  # as printed
    paper: dict[str, float]  # {column of the paper: number}
    # 'lbp', 'hog', 'pixels', 'untrained', an argument of the recipe ('' is PCL), or None if only quoted
    model: str | None = None
    feature: str = "face_aware"  # of the encoder


@dataclasses.dataclass(frozen=True)
class Table:
    """A table: its title, the roles of its tasks, its rows."""

    title: str
    roles: tuple[str, ...]
    rows: tuple[Row, ...]


def _rows(columns: Sequence[str], *rows: tuple[Any, ...]) -> tuple[Row, ...]:
    """Rows from (label, model, numbers[, feature]); a None among the numbers was not reported, and of () none was."""
    out = []
    for label, model, numbers, *feature in rows:
        paper = {c: n for c, n in zip(columns, numbers, strict=bool(numbers)) if n is not None}
        out.append(Row(label, paper, model, *feature))
    return tuple(out)


_FLOOR = (("raw pixels", "pixels", ()), ("untrained backbone", "untrained", ()))
# The released code evaluates SimCLR after two more convolutions, at our F_f: baselines are reported at both.
_AFTER_THE_SUBNET = (
    ("FAb-Net at F_f", "fabnet", (), "face"),
    ("TCAE at F_f", "tcae", (), "face"),
    ("FaceCycle at F_f", "facecycle", (), "face"),
    ("MoCo at F_f", "moco", (), "face"),
    ("SimCLR at F_f", "simclr", (), "face"),
)
_OF_CLIPS = ("fabnet", "tcae", "frames")  # models that need two frames of a clip
_FER, _VER = ("FER-2013", "RAF-DB"), ("LFW", "CPLFW")
_AUS = ("AU1", "AU2", "AU4", "AU6", "AU9", "AU12", "AU25", "AU26", "ave")
_POSE = ("yaw", "pitch", "roll", "AFLW2000", "BU-3DFE")

TABLES = {
    1: Table(
        "Facial expression recognition, accuracy %",
        ("expression",),
        _rows(
            _FER,
            ("FSN (supervised)", None, (67.60, 81.10)),
            ("ALT (supervised)", None, (69.85, 84.50)),
            ("LBP", "lbp", (37.89, 52.17)),
            ("HoG", "hog", (45.47, 63.53)),
            *_FLOOR,
            ("FAb-Net", "fabnet", (46.98, 66.72)),
            ("TCAE", "tcae", (45.05, 65.32)),
            ("BMVC'20", None, (47.61, 58.86)),
            ("FaceCycle", "facecycle", (48.76, 71.01)),
            ("MoCo", "moco", (47.24, 68.32)),
            ("SimCLR", "simclr", (49.51, 71.06)),
            *_AFTER_THE_SUBNET,
            ("PCL", "", (56.81, 74.47)),
            ("PCL on pairs of frames", "frames", ()),
        ),
    ),
    2: Table(
        "Face verification, accuracy %",
        ("verification",),
        _rows(
            _VER,
            ("VGG-Face (supervised)", None, (98.95, 84.00)),
            ("SphereFace (supervised)", None, (99.42, 81.40)),
            ("ArcFace (supervised)", None, (99.53, 92.08)),
            ("LBP", "lbp", (72.44, None)),
            ("HoG", "hog", ()),
            *_FLOOR,
            ("VGG", None, (72.20, None)),
            ("FAb-Net", "fabnet", ()),
            ("TCAE", "tcae", ()),
            ("FaceCycle", "facecycle", (74.12, 63.35)),
            ("MoCo", "moco", (65.88, 57.82)),
            ("SimCLR", "simclr", (75.97, 62.25)),
            *_AFTER_THE_SUBNET,
            ("PCL", "", (79.72, 64.61)),
            ("PCL on pairs of frames", "frames", ()),
        ),
    ),
    3: Table(
        "Action units, F1 %",
        ("actions",),
        _rows(
            _AUS,
            ("DRML (supervised)", None, (17.3, 17.7, 37.4, 29.0, 10.7, 37.7, 38.5, 20.1, None)),
            ("EAC-Net (supervised)", None, (41.5, 26.4, 66.4, 50.7, 80.5, 89.3, 88.9, 15.6, None)),
            ("JAA-Net (supervised)", None, (43.7, 46.2, 56.0, 41.4, 44.7, 69.6, 88.3, 58.4, None)),
            ("SplitBrain", None, (13.1, 10.6, 35.7, 40.2, 30.2, 57.5, 77.4, 40.3, None)),
            ("DeformAE", None, (17.6, 12.3, 46.7, 43.5, 26.0, 62.7, 64.8, 47.6, None)),
            ("Fab-Net", "fabnet", (15.5, 16.2, 43.2, 50.4, 23.2, 69.6, 72.4, 42.4, None)),
            ("TCAE", None, (15.1, 16.2, 50.5, 48.7, 23.3, 72.1, 72.4, 42.4, None)),
            ("TCAE (measured by PCL's authors)", "tcae", (10.5, 13.3, 20.9, 18.8, 7.5, 44.7, 57.8, 9.9, None)),
            ("FaceCycle", "facecycle", (26.4, 10.2, 37.3, 21.5, 25.0, 71.8, 84.2, 34.7, None)),
            ("LBP", "lbp", ()),
            ("HoG", "hog", ()),
            *_FLOOR,
            ("MoCo", "moco", ()),
            ("SimCLR", "simclr", (40.5, 46.9, 53.8, 33.5, 24.9, 74.7, 85.0, 35.6, None)),
            *_AFTER_THE_SUBNET,
            ("PCL", "", (53.8, 44.9, 58.1, 37.2, 53.2, 73.1, 86.5, 31.3, 54.8)),
            ("PCL on pairs of frames", "frames", ()),
        ),
    ),
    4: Table(
        "Head pose, MAE in degrees or accuracy %",
        ("pose",),
        _rows(
            _POSE,
            ("LBP", "lbp", ()),
            ("HoG", "hog", ()),
            *_FLOOR,
            ("FAb-Net", "fabnet", ()),
            ("TCAE", "tcae", ()),
            ("TCAE at F_p", "tcae", (), "pose"),
            ("FaceCycle", "facecycle", (11.70, 12.76, 12.94, 12.47, 98.82)),
            ("MoCo", "moco", (28.49, 16.29, 15.55, 20.11, 75.33)),
            ("SimCLR", "simclr", (11.20, 19.86, 12.08, 14.38, None)),
            # Printed as SimCLR's; by Table 6 it is SimCLR's with flips.
            ("SimCLR with flips", "simclr_pose", (None, None, None, None, 98.85)),
            *_AFTER_THE_SUBNET,
            ("PCL", "", (9.86, 16.59, 10.62, 12.36, 98.95)),
            ("PCL on pairs of frames", "frames", ()),
        ),
    ),
    5: Table(
        "What each component adds",
        ROLES,
        _rows(
            ("RAF-DB",),
            ("SimCLR", "simclr", (71.06,)),
            ("+ L_dis", "dis", (71.47,)),
            ("+ L_orth", "orth", (72.39,)),
            ("+ L_pose", "pose", (73.73,)),
            ("+ dynamic weights (PCL)", "", (74.47,)),
        ),
    ),
    6: Table(
        "Poses in SimCLR and in PCL (without dynamic weights)",
        ROLES,
        _rows(
            ("RAF-DB", "BU-3DFE"),
            ("SimCLR without pose", "simclr", (71.06, 98.93)),
            ("SimCLR with pose", "simclr_pose", (73.17, 98.85)),
            ("PCL without pose", "no_pose", (73.24, 98.40)),
            ("PCL with pose", "pose", (73.73, 98.95)),
        ),
    ),
    7: Table(
        "Features of PCL",
        ROLES,
        _rows(
            ("RAF-DB", "LFW", "DISFA"),
            ("F_f", "", (73.04, 78.55, 54.30), "face"),
            ("F_p", "", (65.71, 62.55, 34.17), "pose"),
            ("F_s", "", (74.47, 79.72, 54.78), "face_aware"),
            ("F_f + F_p", "", (73.53, 79.10, 56.26), "face+pose"),
        ),
    ),
}


def possible(table: Table, *, clips: bool, vgg: bool, quoted: Collection[str] = ()) -> Table:
    """A table of what can be trained.

    Args:
      table: of ``TABLES``.
      clips: whether the faces are known to be of clips; rows of models that need two frames are else quoted alone.
      vgg: whether VGG-19's weights are given; the labels of FaceCycle's rows else say that ours lacks them.
      quoted: models that are not to be trained, whose rows are quoted alone.
    """
    rows = []
    for row in table.rows:
        if row.model in quoted or (row.model in _OF_CLIPS and not clips):
            row = dataclasses.replace(row, model=None)
        if row.model == "facecycle" and not vgg:
            row = dataclasses.replace(row, label=f"{row.label} (ours without VGG-19)")
        rows += [row] if row.model is not None or row.paper else []
    return dataclasses.replace(table, rows=tuple(rows))
