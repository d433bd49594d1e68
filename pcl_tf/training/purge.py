"""What a killed run logged past its last checkpoint is logged again: readers must forget the first time."""

import pathlib
import time

import tensorflow as tf


def purge_from(folder: pathlib.Path, step: int) -> None:
    """Tells TensorBoard that logging begins again after a step, so that no later one stands twice.

    tf.summary has no purge_step, so the event is a file of its own between the old files and the new one, whose names
    begin with the time.

    Args:
      folder: of the event files; nothing is done where there are none.
      step: of the checkpoint that the run goes on from.
    """
    if not list(folder.glob("*tfevents*")):
        return
    now = time.time()
    start = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
    events = (
        tf.compat.v1.Event(wall_time=now, file_version="brain.Event:2"),
        # Twice: TensorBoard takes the first start of a run for its beginning and forgets nothing.
        tf.compat.v1.Event(wall_time=now, step=step + 1, session_log=start),
        tf.compat.v1.Event(wall_time=now, step=step + 1, session_log=start),
    )
    with tf.io.TFRecordWriter(str(folder / f"events.out.tfevents.{int(now)}.-.resumed")) as out:
        for event in events:
            out.write(event.SerializeToString())
