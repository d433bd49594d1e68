"""How well features predict what the generated faces were made from."""

from collections.abc import Callable, Mapping

import numpy as np

from pcl_tf.choices import ANGLES
from pcl_tf.data.generated import EXPRESSIONS, sample_labels
from pcl_tf.evaluation import linear
from pcl_tf.evaluation.corpora.generated import SEED, TEST, TRAIN, faces

CLASSES = {"identity": 64, "expression": len(EXPRESSIONS)}


def chance(train: int = TRAIN, test: int = TEST) -> dict[str, float]:
    """Scores without any feature: a guess among the classes, the mean angle of the training faces."""
    angles = sample_labels(train + test, SEED)["angles"]
    errors = np.abs(angles[train:] - angles[:train].mean(0)).mean(0)
    row = {name: 1 / count for name, count in CLASSES.items()}
    return row | {name: float(e) for name, e in zip(ANGLES, errors, strict=True)}


def measure(
    embed: Callable[[np.ndarray], Mapping[str, np.ndarray]],
    size: int,
    *,
    train: int = TRAIN,
    test: int = TEST,
    batch: int = 200,
) -> dict[str, dict[str, float]]:
    """Ridge probes of identity, expression and angles on faces no training run generates.

    Args:
      embed: uint8 [N, S, S, 3] -> dict of float [N, D].
      size: side of the faces in pixels.
      train, test: faces to fit and to test on.
      batch: faces embedded at once.

    Returns:
      {feature: {'identity': accuracy, 'expression': accuracy, 'yaw', 'pitch', 'roll': degrees}}.
    """
    labels, images = faces(train + test, size)
    parts = [embed(images[i : i + batch]) for i in range(0, len(images), batch)]
    targets = np.concatenate([*(np.eye(n)[labels[name]] for name, n in CLASSES.items()), labels["angles"]], axis=1)
    result = {}
    for key in parts[0]:
        x = np.concatenate([p[key] for p in parts])
        found = linear.ridge((x[:train], targets[:train]), x[train:])
        *classes, angles = np.split(found, np.cumsum([*CLASSES.values()]), axis=1)
        right = ((s.argmax(1) == labels[name][train:]).mean() for name, s in zip(CLASSES, classes, strict=True))
        errors = np.abs(angles - labels["angles"][train:]).mean(0)
        result[key] = dict(zip((*CLASSES, *ANGLES), map(float, (*right, *errors)), strict=True))
    return result


def table(rows: Mapping[str, Mapping[str, Mapping[str, float]]], count: int = TRAIN + TEST) -> str:
    """Text table of {name: {feature: measures}} of count faces, under what chance scores."""
    columns = (*CLASSES, *ANGLES)
    lines = ["features of generated faces".ljust(30) + "".join(f"{c:>12}" for c in columns)]
    named = {f"{name} {key}": m for name, features in rows.items() for key, m in features.items()}
    for name, m in {"chance (angles: MAE, degrees)": chance(count - count // 5, count // 5), **named}.items():
        lines.append(name.ljust(30) + "".join(f"{m[c]:>12.{2 if c in ANGLES else 3}f}" for c in columns))
    return "\n".join(lines)
