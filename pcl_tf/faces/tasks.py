"""Tasks of whole photographs: the face in each takes its place, or a note says that none was looked for."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

from pcl_tf.choices import MARGIN
from pcl_tf.data.files import Unreadable
from pcl_tf.data.sources import Items, fingerprint
from pcl_tf.encoders.encoder import Encoder
from pcl_tf.evaluation.task import Task
from pcl_tf.faces.cut import cut
from pcl_tf.faces.pictures import Picture

_LOOKED_AT = 64  # pictures of a task, the first, which tell whether it is one of faces


def of_faces(task: Task, encoders: Sequence[Encoder], *, detect: bool, align: bool) -> Task:
    """The task with the largest face of each picture; without ``detect`` as it is, with a note if they look like no faces.

    A picture without a face is unreadable. The squares have the margin of the first encoder that has one, so that all
    encoders see the same.

    Args:
      task: of which the features are not extracted yet.
      encoders: that will see the faces.
      detect, align: as of ``FaceModel.embed``.
    """
    source = task.source

    def pictures() -> Iterator[Picture]:
        return (Picture(*item) for item in source.items())

    if not detect:
        seen = itertools.islice(pictures(), _LOOKED_AT if task.origin else 0)  # generated faces are faces
        whole = [one.looks_whole for one in cut(seen, [(task.image_size, MARGIN)])]
        note = f"{task.name}: {sum(whole)} of the first {len(whole)} pictures do not look like a face cut out."
        return (
            dataclasses.replace(task, notes=(*task.notes, f"{note} --detect finds the faces.")) if any(whole) else task
        )
    crop = task.image_size, next((e.margin for e in encoders if e.margin), MARGIN)

    def items() -> Items:
        for one in cut(pictures(), [crop], detect=True, align=align):
            yield one.picture.file, one.faces[crop][0] if one.boxes else Unreadable(one.why or "no face is found")

    stamp = fingerprint([(source.fingerprint, "faces", crop, align)])
    found = dataclasses.replace(source, fingerprint=stamp, items=items, after=None)
    name = f"{task.name}-faces{'-upright' * align}"
    return dataclasses.replace(task, name=name, source=found, margin=crop[1])
