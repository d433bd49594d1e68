"""Who is seen, doing what, in which light: the truth of generated faces as arrays of numbers."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from pcl_tf.choices import AUS

ACTIONS = (*AUS, 5, 7, 15, 17, 18, 20, 23, 45)  # all that move: FACS numbers
EXPRESSIONS = ("neutral", "happy", "sad", "surprise", "fear", "anger", "disgust")
_OF_EXPRESSION: tuple[dict[int, float], ...] = (  # after EMFACS
    {},
    {6: 1, 12: 1, 25: 0.7},
    {1: 1, 4: 0.7, 15: 1},
    {1: 1, 2: 1, 5: 1, 25: 1, 26: 0.9},
    {1: 1, 2: 0.7, 4: 0.9, 5: 0.8, 20: 0.8, 25: 0.7},
    {4: 1, 7: 0.9, 23: 0.8, 17: 0.3},
    {9: 1, 4: 0.5, 15: 0.4, 17: 0.5},
)
_STRENGTHS = np.array([[by.get(a, 0.0) for a in ACTIONS] for by in _OF_EXPRESSION], np.float32)
TRAITS = 160  # numbers in [0, 1] that make a person, the first 104 of them the form of the head
ORIGINS, SEX, AGE, WEIGHT, FORMS, FORM, SHAPES, LOOK = slice(0, 3), 3, 4, 5, slice(6, 13), 13, 14, 104
MAX_ANGLES = np.array([60.0, 30.0, 25.0], np.float32)  # yaw, pitch, roll in degrees
PARTS = ("shape", "skin", "hair", "light", "background", "camera")  # what ``without`` takes away
_OF_PART = {  # columns of traits; those of the look as ``skin`` and ``render`` number them
    "shape": [*range(WEIGHT, LOOK)],
    "skin": [LOOK + column for column in (0, *range(12, 20), 34)],
    "hair": [LOOK + column for column in (1, 2, 3, *range(5, 12), *range(20, 31), *range(37, 47))],
}
# Who may be seen by training runs, by the generated tasks, and by pcl_tf.heads: nobody is in two of them.
TRAINING, TASKS, OTHERS = range(2**16), range(2**20, 2**21), range(2**21, 2**22)
BLOCK = 32  # pictures that are drawn and rendered together, where there are many
_BLINKING = 0.04  # share of pictures in which the eyes are closed


def sample_labels(
    count: int, seed: int, identities: Sequence[int] = range(64), *, first: int = 0
) -> dict[str, np.ndarray]:
    """Draws the ground truth of pictures that have nothing to do with each other.

    Args:
      count: number of pictures.
      seed: int.
      identities: who may be seen; person k is the same under every seed.
      first: number of the first picture; what is drawn for a picture depends on seed, identities and its number alone.

    Returns:
      dict of arrays: 'identity' int32 [N]; 'expression' int32 [N], index into EXPRESSIONS; 'actions' float32 [N, 16] in
      [0, 1], strengths of ACTIONS, and 'aus', its first eight; 'angles' float32 [N, 3], yaw, pitch and roll in degrees
      (nose to the image's right, up, clockwise); 'gaze' float32 [N, 2], degrees to the person's left and up; 'traits'
      float32 [N, 160] in [0, 1]; 'light' float32 [N, 3], direction to the main light, camera axes with y up; 'scene'
      int64 [N], seed of background and camera.
    """
    rows = [_picture(np.random.RandomState([seed % 2**32, first + i]), identities) for i in range(count)]
    labels = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return {**labels, "aus": labels["actions"][:, : len(AUS)], "traits": traits(labels["identity"])}


def _picture(rng: np.random.RandomState, identities: Sequence[int]) -> dict[str, np.ndarray]:
    """Ground truth of one picture but for what follows from it."""
    identity, expression = identities[rng.randint(len(identities))], rng.randint(len(EXPRESSIONS))
    actions = _STRENGTHS[expression] * rng.uniform(0.5, 1.0) + np.maximum(rng.normal(0, 0.1, len(ACTIONS)), 0)
    if rng.rand() < _BLINKING:
        actions[ACTIONS.index(45)] = 1.0
    angles = np.clip(rng.normal(size=3) * MAX_ANGLES / 2, -MAX_ANGLES, MAX_ANGLES)
    return {
        "identity": np.int32(identity),
        "expression": np.int32(expression),
        "actions": np.clip(actions, 0, 1).astype(np.float32),
        "angles": angles.astype(np.float32),
        "gaze": rng.normal(0, (10.0, 5.0)).astype(np.float32),
        "light": _light(rng),
        "scene": np.int64(rng.randint(2**31)),
    }


def sample_scenes(
    count: int, seed: int, identities: Sequence[int] = range(64), *, first: int = 0
) -> dict[str, np.ndarray]:
    """Draws the ground truth of heads that are seen twice: two lights, backgrounds and cameras have nothing in common.

    Args:
      count, seed, identities, first: of ``sample_labels``, for heads instead of pictures.

    Returns:
      as ``sample_labels`` for 2 * count pictures: 2 * k is its picture k, and 2 * k + 1 the same head in another scene.
    """
    labels = {name: np.repeat(x, 2, axis=0) for name, x in sample_labels(count, seed, identities, first=first).items()}
    for i in range(count):
        other = _picture(np.random.RandomState([seed % 2**32, first + i, 1]), identities)
        for name in ("light", "scene"):
            labels[name][2 * i + 1] = other[name]
    return labels


def sample_clip(
    frames: int, seed: int, identities: Sequence[int] = range(64), *, clip: int = 0, fps: float = 25.0
) -> dict[str, np.ndarray]:
    """Draws the ground truth of one clip: a person in one scene, whose head, face and gaze move smoothly, with blinks.

    Args:
      frames: number of pictures.
      seed: int.
      identities: one of whom is seen.
      clip: number of the clip; another is drawn for another number.
      fps: frames a second.

    Returns:
      as ``sample_labels``, N = frames in their order; 'expression' is that which the face moves to or has.
    """
    rng = np.random.RandomState([seed % 2**32, clip])
    identity = np.full(frames, identities[rng.randint(len(identities))], np.int32)
    time = np.arange(frames) / fps
    spans = np.r_[0, np.cumsum(rng.uniform(1.0, 4.0, 2 + int(time[-1])))]  # seconds at which a new expression begins
    held = rng.randint(len(EXPRESSIONS), size=len(spans))
    strengths = _STRENGTHS[held] * rng.uniform(0.5, 1.0, (len(held), 1))
    now = np.searchsorted(spans, time, "right") - 1
    moved = np.clip((time - spans[now]) / 0.5, 0, 1)[:, None]  # an onset takes half a second
    moved = moved * moved * (3 - 2 * moved)
    actions = strengths[now] * moved + strengths[np.maximum(now - 1, 0)] * (1 - moved)
    blinks = np.cumsum(rng.exponential(4.0, 4 + int(time[-1])))
    actions[:, ACTIONS.index(45)] = np.clip(1 - np.abs(time[:, None] - blinks).min(1) / 0.15, 0, 1)
    looks = np.cumsum(rng.exponential(1.0, 8 + 2 * int(time[-1])))  # the eyes jump
    gaze = rng.normal(0, (10.0, 5.0), (len(looks) + 1, 2))
    return {
        "identity": identity,
        "expression": held[now].astype(np.int32),
        "actions": (actions := np.clip(actions, 0, 1).astype(np.float32)),
        "aus": actions[:, : len(AUS)],
        "angles": np.clip(_smooth(rng, time) * MAX_ANGLES / 2, -MAX_ANGLES, MAX_ANGLES).astype(np.float32),
        "gaze": gaze[np.searchsorted(looks, time)].astype(np.float32),
        "traits": traits(identity),
        "light": np.repeat(_light(rng)[None], frames, 0),
        "scene": np.full(frames, rng.randint(2**31), np.int64),
    }


def without(labels: Mapping[str, np.ndarray], parts: Collection[str]) -> dict[str, np.ndarray]:
    """Labels of pictures in which some of PARTS do not differ.

    Args:
      labels: as ``sample_labels`` returns.
      parts: 'shape' makes all heads those of their origin, sex and age; 'skin' has neither tones of one's own nor
        freckles or make-up; 'hair' is one cut, brows of one form, no beard, no glasses; 'light' comes from the front;
        'background' is grey; 'camera' has no faults, and cuts where the face is.

    Returns:
      labels, with 'plain' float32 [N, 3] beside them, 1 where light, background and camera do not differ.
    """
    traits = labels["traits"].copy()
    for part in parts:
        traits[:, _OF_PART.get(part, [])] = 0.5
    plain = np.tile(np.array([part in parts for part in PARTS[3:]], np.float32), (len(traits), 1))
    light = np.where(plain[:, :1] == 1, np.array([0, 0.37, 0.93], np.float32), labels["light"])
    return {**labels, "traits": traits, "plain": plain, "light": light}


def traits(identity: np.ndarray) -> np.ndarray:
    """The numbers that make people: int [N] -> float32 [N, 160] in [0, 1]; each person's are its own."""
    people, inverse = np.unique(identity, return_inverse=True)
    rows = [np.random.RandomState((20_231 + 7_919 * int(k)) % 2**32).rand(TRAITS) for k in people]
    return np.stack(rows).astype(np.float32)[inverse]


def _light(rng: np.random.RandomState) -> np.ndarray:
    light = rng.normal((0.0, 0.4, 1.0), (0.8, 0.5, 1e-6))
    return (light / np.linalg.norm(light)).astype(np.float32)


def _smooth(rng: np.random.RandomState, time: np.ndarray) -> np.ndarray:
    """Three slow motions of unit variance over some seconds: [N, 3]."""
    pace = rng.uniform(0.05, 0.5, (6, 3))  # hertz
    waves = np.sin(2 * np.pi * (time[:, None, None] * pace + rng.rand(6, 3)))
    return waves.sum(1) / np.sqrt(3)
