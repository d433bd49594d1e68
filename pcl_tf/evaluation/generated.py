"""How well features predict what the generated faces were made from."""

import functools

import numpy as np

from pcl_tf.data.synthetic import EXPRESSIONS, render, sample_labels
from pcl_tf.evaluation import ridge

IDENTITIES = 64


@functools.lru_cache(maxsize=1)  # a run judges the network before and after on the same faces
def _faces(count, size):
    labels = sample_labels(count, seed=987_654_321, identities=IDENTITIES)
    return labels, np.concatenate(
        [render({k: v[i : i + 50] for k, v in labels.items()}, size) for i in range(0, count, 50)]
    )


def measure(embed, size, train=1200, test=600, batch=200):
    """Ridge probes of identity, expression and angles on faces no training run generates.

    Args:
      embed: uint8 [N, S, S, 3] -> dict of float [N, D].
      size: side of the faces in pixels.
      train, test: faces to fit and to judge on.
      batch: faces embedded at once.

    Returns:
      {feature: {'identity': accuracy, 'expression': accuracy, 'yaw', 'pitch', 'roll': degrees}}.
    """
    labels, faces = _faces(train + test, size)
    parts = [embed(faces[i : i + batch]) for i in range(0, len(faces), batch)]
    result = {}
    for key in parts[0]:
        x = np.concatenate([np.asarray(p[key], np.float32) for p in parts])
        fit, judge = x[:train], x[train:]
        row = {
            name: ridge.accuracy(fit, labels[name][:train], judge, labels[name][train:])
            for name in ("identity", "expression")
        }
        for i, name in enumerate(("yaw", "pitch", "roll")):
            y = labels["angles"][:, i : i + 1]
            row[name] = ridge.mean_absolute_error(fit, y[:train], judge, y[train:])
        result[key] = row
    return result


def table(rows):
    """Text table of {name: {feature: measures}}; chance and units in the header."""
    head = f"{'features of generated faces':<30}{'identity':>10}{'expression':>12}{'yaw':>8}{'pitch':>8}{'roll':>8}"
    chance = f"{'(chance; degrees are MAE)':<30}{1 / IDENTITIES:>10.3f}{1 / len(EXPRESSIONS):>12.3f}"
    lines = [head, chance]
    for name, features in rows.items():
        for key, m in features.items():
            lines.append(
                f"{name + ' ' + key:<30}{m['identity']:>10.3f}{m['expression']:>12.3f}"
                f"{m['yaw']:>8.2f}{m['pitch']:>8.2f}{m['roll']:>8.2f}"
            )
    return "\n".join(lines)
