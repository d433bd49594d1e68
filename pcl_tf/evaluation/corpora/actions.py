"""DISFA: action units of 27 people in three subject-exclusive folds (Table 3)."""

import re

import numpy as np

from pcl_tf.data.images import centre
from pcl_tf.data.listed import Files
from pcl_tf.data.sources import SUFFIXES, Broken, DataError, Source, fingerprint
from pcl_tf.evaluation.corpora.layout import need
from pcl_tf.evaluation.task import Task, exclusive_folds

AUS = (1, 2, 4, 6, 9, 12, 25, 26)
_ALL = 1000  # frames a second: more than any video has
POSITIVE = 2  # intensities of 0 to 5 from which an AU counts as shown


def _intensities(path):
    """{frame number: intensity} of ``SN001_au1.txt``, lines 'frame,intensity'."""
    try:
        return {int(a): int(b) for a, b in (line.split(",") for line in path.read_text().split())}
    except ValueError as error:
        raise DataError(f"{path}: lines are 'frame,intensity' ({error}).") from error


def disfa(root, image_size):
    """``ActionUnit_Labels/SN001/SN001_au1.txt`` and the videos as handed out, ``LeftVideoSN001_comp.avi`` in any folder.

    Instead of the videos, frames cut from them may lie in ``Frames/SN001/*00001.jpg``. Frames are numbered from 1, as
    ffmpeg does; frames without a label, and labels without a frame, are left out.
    """
    labelled = need(root, "ActionUnit_Labels")
    people = sorted(p.name for p in labelled.iterdir() if p.is_dir())
    if not people:
        raise DataError(f"{labelled}/SN001 is missing.")
    known = {}
    for person in people:
        of_aus = [_intensities(need(labelled, f"{person}/{person}_au{au}.txt")) for au in AUS]
        numbers = sorted(set.intersection(*map(set, of_aus)))
        known[person] = {n: [k[n] >= POSITIVE for k in of_aus] for n in numbers}
    source, rows = (_frames if (root / "Frames").is_dir() else _videos)(root, known)
    subjects = [person for person, _ in rows]
    return Task(
        name="disfa",
        kind="multilabel",
        source=source,
        image_size=image_size,
        names=tuple(f"AU{au}" for au in AUS),
        labels=np.array([known[person][number] for person, number in rows], np.float32),
        subjects=np.array(subjects),
        splits=exclusive_folds(subjects, 3),
    )


def _frames(root, known):
    """(Source, [(person, frame number), ..]) of frames that are files."""
    paths, rows = [], []
    for person, labels in known.items():
        folder, before = need(root, f"Frames/{person}"), len(rows)
        for frame in sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES):
            number = re.search(r"(\d+)$", frame.stem)
            if number and int(number.group(1)) in labels:
                paths.append(f"Frames/{person}/{frame.name}")
                rows.append((person, int(number.group(1))))
        if len(rows) == before:
            raise DataError(f"{folder} holds no frame whose number ActionUnit_Labels/{person} has.")
    return Files(root).source(paths), rows


def _videos(root, known):
    """The same of videos; a frame that a video lacks is an unreadable image."""
    found = {p.stem.lower(): p for p in sorted(root.rglob("LeftVideo*")) if p.is_file()}
    videos = {}
    for person in known:
        videos[person] = found.get(f"leftvideo{person.lower()}_comp")
        if videos[person] is None:
            raise DataError(f"{root}: LeftVideo{person}_comp.avi is missing, and there is no folder Frames.")
    try:
        from pcl_tf.data.videos import video_frames
    except ImportError as error:
        raise DataError(
            f"{error.name} is not installed, which reads DISFA's videos: pip install 'pcl_tf[prepare]'"
        ) from error

    def items():
        for person, labels in known.items():
            left, why = list(labels), "the video ends before"
            try:
                for number, frame in enumerate(video_frames(str(videos[person]), _ALL), 1):
                    if left and number == left[0]:
                        yield f"{videos[person]}#{left.pop(0)}", centre(frame)
            except Broken as error:
                why = error
            for number in left:
                yield f"{videos[person]}#{number}", Broken(str(why))

    rows = [(person, number) for person, labels in known.items() for number in labels]
    stamps = [(person, list(known[person]), path.stat().st_size) for person, path in videos.items()]
    return Source("disfa", fingerprint(stamps), len(rows), items), rows
