"""Real videos for the tests."""

from fractions import Fraction

import av
import numpy as np


def write_video(path, frames, rate=25, codec="libx264", wide=1):
    """Writes uint8 [T, H, W, 3] as a video of ``rate`` frames a second; each pixel is ``wide`` times as wide as high."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate)
        stream.height, stream.width = frames.shape[1:3]
        stream.codec_context.sample_aspect_ratio = Fraction(wide)
        stream.pix_fmt, stream.options, stream.bit_rate = "yuv420p", {"crf": "12"}, 4_000_000
        for frame in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        out.mux(stream.encode())


def ramp(count, side=32):
    """Frames whose gray value is their number times four."""
    return np.broadcast_to(4 * np.arange(count, dtype=np.uint8)[:, None, None, None], (count, side, side, 3))
