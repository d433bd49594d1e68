"""How well features predict what the generated faces were made from."""

from collections.abc import Callable, Mapping

import numpy as np

from pcl_tf.choices import ANGLES
from pcl_tf.evaluation import linear
from pcl_tf.evaluation.corpora.generated import faces, people, truth
from pcl_tf.heads.people import EXPRESSIONS

CLASSES = ("identity", "expression")


def _parts(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to fit and, each fifth, to test on: of all people, whom the probe of identity has to know."""
    rows = np.arange(count)
    return rows[rows % 5 != 4], rows[rows % 5 == 4]


def _classes(count: int) -> dict[str, int]:
    return {"identity": len(people(count)), "expression": len(EXPRESSIONS)}


def chance(count: int) -> dict[str, float]:
    """Scores without any feature: a guess among the classes, the mean angle of the training faces."""
    train, test = _parts(count)
    angles = truth(count)["angles"]
    errors = np.abs(angles[test] - angles[train].mean(0)).mean(0)
    row = {name: 1 / many for name, many in _classes(count).items()}
    return row | {name: float(e) for name, e in zip(ANGLES, errors, strict=True)}


def measure(
    embed: Callable[[np.ndarray], Mapping[str, np.ndarray]], size: int, count: int
) -> dict[str, dict[str, float]]:
    """Ridge probes of identity, expression and angles on faces no training run generates.

    Args:
      embed: uint8 [N, S, S, 3] -> dict of float [N, D].
      size, count: side of the faces in pixels, and their number; each fifth tests, the others fit.

    Returns:
      {feature: {'identity': accuracy, 'expression': accuracy, 'yaw', 'pitch', 'roll': degrees}}.
    """
    labels, images = faces(count, size)
    train, test = _parts(count)
    known = {"identity": labels["identity"] - people(count)[0], "expression": labels["expression"]}
    targets = np.concatenate([*(np.eye(n)[known[name]] for name, n in _classes(count).items()), labels["angles"]], 1)
    result = {}
    for key, x in embed(images).items():
        found = linear.ridge((x[train], targets[train]), x[test])
        *classes, angles = np.split(found, np.cumsum([*_classes(count).values()]), axis=1)
        right = ((s.argmax(1) == known[name][test]).mean() for name, s in zip(CLASSES, classes, strict=True))
        errors = np.abs(angles - labels["angles"][test]).mean(0)
        result[key] = dict(zip((*CLASSES, *ANGLES), map(float, (*right, *errors)), strict=True))
    return result


def table(rows: Mapping[str, Mapping[str, Mapping[str, float]]], count: int) -> str:
    """Text table of {name: {feature: measures}} of count faces, under what chance scores."""
    columns = (*CLASSES, *ANGLES)
    lines = ["features of generated faces".ljust(30) + "".join(f"{c:>12}" for c in columns)]
    named = {f"{name} {key}": m for name, features in rows.items() for key, m in features.items()}
    for name, m in {"chance (angles: MAE, degrees)": chance(count), **named}.items():
        lines.append(name.ljust(30) + "".join(f"{m[c]:>12.{2 if c in ANGLES else 3}f}" for c in columns))
    return "\n".join(lines)
