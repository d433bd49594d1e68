"""DISFA: action units of 27 people in three subject-exclusive folds (Table 3)."""

import re

import numpy as np

from pcl_tf.data.listed import Files
from pcl_tf.data.sources import SUFFIXES, DataError
from pcl_tf.evaluation.corpora.layout import need
from pcl_tf.evaluation.task import Task, exclusive_folds

AUS = (1, 2, 4, 6, 9, 12, 25, 26)
POSITIVE = 2  # intensities of 0 to 5 from which an AU counts as shown


def _intensities(path):
    """{frame number: intensity} of ``SN001_au1.txt``, lines 'frame,intensity'."""
    try:
        return {int(a): int(b) for a, b in (line.split(",") for line in path.read_text().split())}
    except ValueError as error:
        raise DataError(f"{path}: lines are 'frame,intensity' ({error}).") from error


def disfa(root, image_size):
    """``ActionUnit_Labels/SN001/SN001_au1.txt`` and frames ``Frames/SN001/*00001.jpg`` cut from the videos.

    Frames are numbered from 1, as ffmpeg does; frames without a label, and labels without a frame, are left out.
    """
    labelled = need(root, "ActionUnit_Labels")
    people = sorted(p.name for p in labelled.iterdir() if p.is_dir())
    if not people:
        raise DataError(f"{labelled}/SN001 is missing.")
    paths, labels, subjects = [], [], []
    for person in people:
        known = [_intensities(need(labelled, f"{person}/{person}_au{au}.txt")) for au in AUS]
        frames = need(root, f"Frames/{person}")
        before = len(paths)
        for frame in sorted(p for p in frames.iterdir() if p.suffix.lower() in SUFFIXES):
            number = re.search(r"(\d+)$", frame.stem)
            number = int(number.group(1)) if number else None
            if all(number in k for k in known):
                paths.append(f"Frames/{person}/{frame.name}")
                labels.append([k[number] >= POSITIVE for k in known])
                subjects.append(person)
        if len(paths) == before:
            raise DataError(f"{frames} holds no frame whose number {labelled / person} labels.")
    return Task(
        name="disfa",
        kind="multilabel",
        source=Files(root).source(paths),
        image_size=image_size,
        names=tuple(f"AU{au}" for au in AUS),
        labels=np.array(labels, np.float32),
        subjects=np.array(subjects),
        splits=exclusive_folds(subjects, 3),
    )
