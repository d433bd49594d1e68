"""Pictures out of videos. Needs PyAV (pcl_tf[prepare])."""

from collections.abc import Iterator
from typing import cast

import av
import numpy as np

from pcl_tf.data.files import Unreadable, size_of
from pcl_tf.data.images import MAX_PIXELS


def length(path: str, fps: float | None) -> int | None:
    """About how many frames ``numbered_frames`` yields of a local video, by its header; None if that does not say."""
    try:
        with av.open(path) as container:
            stream = container.streams.video[0]
            seconds = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
            seconds = seconds or (container.duration or 0) / av.time_base
            rate = float(stream.average_rate or 0)
    except (av.error.FFmpegError, OSError, IndexError):
        return None
    return round(seconds * min(rate, fps or rate)) or None


def numbered_frames(path: str, fps: float | None) -> Iterator[tuple[int, float, np.ndarray]]:
    """Frames of a video, at most fps of them a second: the first at or after every 1/fps seconds of playing time.

    Where time stamps begin again, as in files that were joined, playing goes on.

    Args:
      path: of the file.
      fps: frames a second of playing time; a slower video gives all it has, and None takes every frame.

    Yields:
      (number of the frame among all, from 0 on; seconds since the first; uint8 [H, W, 3], upright and of square pixels,
      by what the file's header says).

    Raises:
      Unreadable: no video, one whose codec PyAV does not know, or a damaged one.
    """
    try:
        if not size_of(path):
            raise Unreadable("the file is empty")
        with open(path, "rb") as f, cast("av.container.InputContainer", av.open(f)) as container:
            if not container.streams.video:
                raise Unreadable("no video stream in it")
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise Unreadable("its codec is not known here")
            wide = float(stream.sample_aspect_ratio or 1)  # of a pixel, in its height
            if stream.codec_context.width * wide * stream.codec_context.height > MAX_PIXELS:
                raise Unreadable(f"more than {MAX_PIXELS} pixels a frame")
            stream.thread_type = "NONE"  # several videos are decoded side by side
            began, last, step, due = None, 0.0, 0.0, 0.0
            for number, frame in enumerate(container.decode(stream)):
                if frame.time is None:
                    continue
                if began is None:
                    began = frame.time
                elif frame.time < last:
                    began += frame.time - last - step
                else:
                    step = frame.time - last
                last = frame.time
                seconds = frame.time - began
                if fps is not None:
                    # Clocks of videos are rational numbers: a frame due now may stand a rounding error before.
                    if seconds < due - 1e-3:
                        continue
                    due = (int((seconds + 1e-3) * fps) + 1) / fps
                image = frame.to_ndarray(format="rgb24", width=max(1, round(frame.width * wide)))
                yield number, seconds, np.rot90(image, round(frame.rotation / 90))
            if began is None:
                raise Unreadable("no frame in it")
    except (av.error.FFmpegError, OSError) as error:
        raise Unreadable(getattr(error, "strerror", None) or str(error).split("\n")[0]) from error
