"""Swapped poses against the pictures that they should be."""

import re
from types import SimpleNamespace

import numpy as np

from pcl_tf.heads import people, render
from pcl_tf.reconstruct import swap_errors


def test_errors_of_swaps_are_those_of_a_loop():
    labels, size = people.sample_labels(5, 3), 16
    faces = render.render(labels, size) / 255
    model = SimpleNamespace(  # its pose is the whole picture, so a swapped face is the next one
        encoder=lambda images, training: {"face": np.zeros((5, 1)), "pose": images.reshape(5, -1)},
        decoder=lambda codes, training: codes.reshape(5, size, size, 3),
    )
    errors = {"swapped to its truth": [], "unswapped to that truth": [], "unswapped to its source": [0] * 5}
    for i in range(5):
        turned = {name: x[i : i + 1].copy() for name, x in labels.items()}
        turned["angles"][:] = labels["angles"][(i + 1) % 5]
        truth = render.render(turned, size)[0] / 255
        errors["swapped to its truth"].append(np.abs(faces[(i + 1) % 5] - truth).mean())
        errors["unswapped to that truth"].append(np.abs(faces[i] - truth).mean())
    errors["source to that truth"] = errors["unswapped to that truth"]
    line = swap_errors(model, labels, size, 0.0)
    for name, values in errors.items():
        assert f"{name} {np.mean(values):.4f}" in line
    gain = np.mean(errors["unswapped to that truth"]) - np.mean(errors["swapped to its truth"])
    found, low, high = map(float, re.search(r"gain (\S+) \[(\S+), (\S+)\]", line).groups())
    assert abs(found - gain) < 1e-4 and low <= found <= high
