"""Where the time of a step goes, from a real profile of it."""

import pathlib
import re
import tempfile
from collections.abc import Callable, Mapping

import tensorflow as tf

# First part of an operation's name, without its number -> phase. Losses are what no layer, view or optimiser does.
_PHASES = (
    ("encode", re.compile(r"encoder|key_encoder")),
    ("decode", re.compile(r"decoder")),
    ("heads", re.compile(r"\w*head")),
    ("views", re.compile(r"\w*view|pose_augmentation|stateless_random_normal|compiled")),
    ("optimiser", re.compile(r"adam|adamw|global_norm|AddN")),
)
PHASES = (*(name for name, _ in _PHASES), "losses")
# What XLA has compiled runs without the names of its operations. In a step that is not compiled as a whole it is views.
_COMPILED = re.compile(r"\w+Executable::ExecuteAsyncOnStream")


def phase(name: str) -> str:
    """Phase of an operation: 'gradient_tape/encoder_3/backbone/..' -> 'encode'."""
    first = name.removeprefix("gradient_tape/").split("/")[0]
    return next((p for p, pattern in _PHASES if pattern.fullmatch(re.sub(r"(_\d+)+$", "", first))), "losses")


def profile(run: Callable[[], object], folder: str | pathlib.Path | None = None) -> dict[tuple[str, str], float]:
    """Profiles a call.

    Args:
      run: function without arguments that waits for its result.
      folder: of the profile, for TensorBoard; None for none.

    Returns:
      {(name, type): seconds} of every operation, summed over its calls, ('compiled', 'XlaRun') for all that XLA compiled.
      Operations that run side by side share the cores, so together they may take longer than the call.

    Raises:
      ImportError: this TensorFlow hides its profile's format.
    """
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as gone:
        with tf.profiler.experimental.Profile(str(folder or gone)):
            run()
        path = max(pathlib.Path(folder or gone).rglob("*.xplane.pb"), key=lambda p: p.stat().st_mtime_ns)
        space = xplane_pb2.XSpace.FromString(path.read_bytes())
    seconds: dict[tuple[str, str], float] = {}
    for plane in space.planes:
        if plane.name != "/host:CPU" and not plane.name.startswith("/device:GPU"):
            continue
        for line in plane.lines:
            for event in line.events:
                name, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
                if _COMPILED.fullmatch(f"{name}:{kind}"):
                    name, kind = "compiled", "XlaRun"
                if re.fullmatch(r"\w+", kind) and name and ":" not in name:
                    seconds[name, kind] = seconds.get((name, kind), 0.0) + event.duration_ps / 1e12
    return seconds


def shares(seconds: Mapping[tuple[str, str], float]) -> dict[str, float]:
    """{phase: share of the operations' time} of what ``profile`` returns; they sum to 1."""
    total = {name: 0.0 for name in PHASES}
    for (name, _), value in seconds.items():
        total[phase(name)] += value
    return {name: value / sum(total.values()) for name, value in total.items()}
