"""The four tasks on generated faces: everything runs without a corpus."""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from pcl_tf.choices import ANGLES, AUS
from pcl_tf.data.listed import arrays
from pcl_tf.evaluation.task import Task
from pcl_tf.heads.people import EXPRESSIONS, TASKS, sample_labels

COUNT, PAIRS, FOLDS = 3000, 1200, 10
SEED = 987_654_321  # of no training run


def people(count: int) -> range:
    """Who is on count faces; the last fifth of them on the last fifth of the faces alone, which test."""
    return TASKS[: max(20, count // 25)]


def truth(count: int) -> dict[str, np.ndarray]:
    """Labels of ``sample_labels`` of count faces that no training run generates."""
    test, who = count // 5, people(count)
    taught = len(who) * 4 // 5
    parts = [
        sample_labels(count - test, SEED, who[:taught]),
        sample_labels(test, SEED, who[taught:], first=count - test),
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@functools.lru_cache(maxsize=1)  # four tasks, and a run before and after, on the same faces
def faces(count: int, size: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """(``truth``, uint8 [count, size, size, 3])."""
    from pcl_tf.heads.processes import pictures  # here, so that a wrong name of a task is refused at once

    labels = truth(count)
    return labels, pictures(labels, size)


def _labelled(
    role: str, kind: str, names: Sequence[str], label: Callable[[dict[str, np.ndarray]], np.ndarray]
) -> Callable[..., Task]:
    def make(size: int, count: int = 0) -> Task:
        count = count or COUNT
        labels, images = faces(count, size)
        train, test = np.split(np.arange(count), [count - count // 5])
        return Task(
            name=f"generated_{role}",
            kind=kind,
            source=arrays("generated", images),
            image_size=size,
            names=tuple(names),
            labels=label(labels),
            splits=((train, test),),
            subjects=labels["identity"],
            tells=role,
        )

    return make


def verification(size: int, count: int = 0, *, pairs: int = PAIRS) -> Task:
    """Pairs of faces, half of one person, in ten folds that share nobody."""
    labels, images = faces(count or COUNT, size)
    rng, who = np.random.RandomState(SEED % 2**31), labels["identity"]
    folds, same = np.arange(pairs) * FOLDS // pairs, np.arange(pairs) % 2
    chosen = []
    for fold, alike in zip(folds, same, strict=True):
        rows = np.flatnonzero(who % FOLDS == fold)
        a = rng.choice(rows)
        others = rows[(who[rows] == who[a]) == bool(alike)]
        chosen.append((a, rng.choice(others[others != a])))
    return Task(
        name="generated_verification",
        kind="verification",
        source=arrays("generated", images),
        image_size=size,
        pairs=np.array(chosen),
        same=same,
        folds=folds,
        tells="verification",
    )


# role: makes its task at a size; seven expressions, yaw, pitch and roll in degrees, DISFA's eight action units from
# intensity 2 of 5 on.
MAKERS: dict[str, Callable[..., Task]] = {
    "expression": _labelled("expression", "classification", EXPRESSIONS, lambda labels: labels["expression"]),
    "verification": verification,
    "actions": _labelled(
        "actions", "multilabel", [f"AU{a}" for a in AUS], lambda labels: (labels["aus"] * 5 >= 2).astype(np.float32)
    ),
    "pose": _labelled("pose", "regression", ANGLES, lambda labels: labels["angles"]),
}
