"""DISFA: action units of 27 people in three subject-exclusive folds (Table 3)."""

import pathlib
import re

import numpy as np

from pcl_tf.choices import AUS
from pcl_tf.data.files import Unreadable, files_below, is_image, is_left_out, some
from pcl_tf.data.images import centre
from pcl_tf.data.listed import Files
from pcl_tf.data.sources import Items, Source, fingerprint
from pcl_tf.errors import Refused
from pcl_tf.evaluation.corpora.layout import need
from pcl_tf.evaluation.lists import read_lines
from pcl_tf.evaluation.task import Task, folds_from

_Labels = dict[str, dict[int, list[bool]]]  # of each person's frames, by their numbers

# The people of the three folds of the literature.
FOLDS = (
    (2, 10, 1, 26, 27, 32, 30, 9, 16),
    (13, 18, 11, 28, 12, 6, 31, 21, 24),
    (3, 29, 23, 25, 8, 5, 7, 17, 4),
)
_FOLD = {f"SN{number:03d}": fold for fold, people in enumerate(FOLDS) for number in people}
POSITIVE = 2  # intensities of 0 to 5 from which an AU counts as shown


def _intensities(path: pathlib.Path) -> dict[int, int]:
    """{frame number: intensity} of ``SN001_au1.txt``, lines 'frame,intensity'."""
    found: dict[int, int] = {}
    for number, line in read_lines(path):
        try:
            frame, intensity = map(int, line.split(","))
        except ValueError as error:
            raise Refused(f"{path}, line {number}: '{line}' is not 'frame,intensity'.") from error
        found[frame] = intensity
    return found


def disfa(root: pathlib.Path, image_size: int) -> Task:
    """``ActionUnit_Labels/SN001/SN001_au1.txt`` and the videos ``LeftVideoSN001_comp.avi`` in any folder.

    Instead of the videos, frames cut from them may lie in ``Frames/SN001/*00001.jpg``. Frames are numbered from 1, as
    ffmpeg does; frames without a label, and labels without a frame, are left out. Of the videos' frames the central
    square is taken.
    """
    labelled = need(root, "ActionUnit_Labels")
    people = sorted(p.name for p in labelled.iterdir() if p.is_dir() and not is_left_out(p.name))
    if not people:
        raise Refused(f"{labelled}/SN001 is missing.")
    known: _Labels = {}
    partly = []
    for person in people:
        if person not in _FOLD:
            raise Refused(f"disfa: {person} is none of its 27 people, SN001 to SN032, and in no fold.")
        of_aus = [_intensities(need(labelled, f"{person}/{person}_au{au}.txt")) for au in AUS]
        numbers = sorted(set.intersection(*map(set, of_aus)))
        partly += [f"{person} {n}" for n in sorted(set.union(*map(set, of_aus)) - set(numbers))]
        known[person] = {n: [k[n] >= POSITIVE for k in of_aus] for n in numbers}
    source, rows = (_frames if (root / "Frames").is_dir() else _videos)(root, known)
    pictured, subjects = set(rows), [person for person, _ in rows]
    unseen = [f"{person} {n}" for person, labels in known.items() for n in labels if (person, n) not in pictured]
    left_out = (("lack the label of an action unit", partly), ("are labelled and have no picture", unseen))
    return Task(
        name="disfa",
        kind="multilabel",
        source=source,
        image_size=image_size,
        names=tuple(f"AU{au}" for au in AUS),
        labels=np.array([known[person][number] for person, number in rows], np.float32),
        subjects=np.array(subjects),
        splits=folds_from([_FOLD[person] for person in subjects]),
        notes=(
            *(f"disfa: {len(f)} frames {what} and are left out: {some(f)}." for what, f in left_out if f),
            "disfa: the central square of each frame is evaluated, not the face cut out of it.",
        ),
    )


def _frames(root: pathlib.Path, known: _Labels) -> tuple[Source, list[tuple[str, int]]]:
    """(Source, [(person, frame number), ..]) of frames that are files."""
    paths: dict[tuple[str, int], str] = {}
    for person, labels in known.items():
        folder, before = need(root, f"Frames/{person}"), len(paths)
        for frame in sorted(p for p in folder.iterdir() if is_image(p.name)):
            number = re.search(r"(\d+)$", frame.stem)
            if number and int(number[1]) in labels:
                paths[person, int(number[1])] = f"Frames/{person}/{frame.name}"
        if len(paths) == before:
            raise Refused(f"{folder} holds no frame whose number ActionUnit_Labels/{person} has.")
    return Files(root).source(paths.values()), list(paths)


def _videos(root: pathlib.Path, known: _Labels) -> tuple[Source, list[tuple[str, int]]]:
    """The same of videos; a frame that a video lacks is an unreadable image."""
    from pcl_tf.data.videos import numbered_frames

    found = {p.stem.lower(): p for p in files_below(root, lambda name: name.startswith("LeftVideo"))}
    if lacking := [person for person in known if f"leftvideo{person.lower()}_comp" not in found]:
        raise Refused(f"{root}: LeftVideo{lacking[0]}_comp.avi is missing, and there is no folder Frames.")
    videos = {person: found[f"leftvideo{person.lower()}_comp"] for person in known}

    def items() -> Items:
        for person, labels in known.items():
            left, why = list(labels), "the video ends before"
            try:
                for number, _, frame in numbered_frames(str(videos[person]), None):
                    if left and number + 1 == left[0]:
                        yield f"{videos[person]}#{left.pop(0)}", centre(frame)
            except Unreadable as error:
                why = str(error)
            for number in left:
                yield f"{videos[person]}#{number}", Unreadable(why)

    rows = [(person, number) for person, labels in known.items() for number in labels]
    stamps = [(person, list(known[person]), path.stat().st_size) for person, path in videos.items()]
    return Source("disfa", fingerprint(stamps), len(rows), items), rows
