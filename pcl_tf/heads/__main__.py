"""Writes generated faces with their truth: PNG files, and labels.csv, a manifest of ``pcl_tf.probe`` and ``finetune``.

  python -m pcl_tf.heads --out=heads --count=5000
  python -m pcl_tf.probe --model=faces64 --task=regression:heads/labels.csv --targets=yaw,pitch,roll --groups=age,sex,origin
  python -m pcl_tf.heads --out=clips --count=1000 --frames=8
  python -m pcl_tf.train --recipe=patch64 --data=clips --set data.clips=by_folder --set method.face_positives=frames

A face is a function of --seed and its number: the same command again renders what is missing, and another machine takes
other numbers with --first. Exit codes: 0 done; 2 a flag is wrong; 4 the disk is full.
"""

import itertools
import json
import pathlib
from collections.abc import Iterator

import numpy as np
from absl import flags
from PIL import Image
from tqdm import tqdm

from pcl_tf.choices import ANGLES
from pcl_tf.console import begin, explained, refuse, side_flag, start
from pcl_tf.heads import people, render, shape
from pcl_tf.heads.processes import rendered
from pcl_tf.store import check, read_json, write_atomically
from pcl_tf.tables import writer

_OUT = flags.DEFINE_string("out", None, "Folder of the pictures and of labels.csv.")
_COUNT = flags.DEFINE_integer("count", 1000, "Pictures; with --frames clips, with --scenes heads.", 1, 10**8)
_FIRST = flags.DEFINE_integer("first", 0, "Number of the first of them.", 0, 10**8)
_SIZE = side_flag("Side in pixels; 0 is 128.")
_SEED = flags.DEFINE_integer("seed", 0, "Another seed draws other faces of the same people.", 0, 2**32 - 1)
_PEOPLE = flags.DEFINE_integer(
    "people", 1000, "How many people there are; those of each fifth number are test.", 1, len(people.OTHERS)
)
_FRAMES = flags.DEFINE_integer("frames", 1, "Frames of a clip, each in a folder, whose head moves.", 1, 10**5)
_FPS = flags.DEFINE_float("fps", 25.0, "With --frames: frames a second.", 0.001, 1000)
_SCENES = flags.DEFINE_bool("scenes", False, "Each head in two lights, before two backgrounds, by two cameras.")
_WITHOUT = flags.DEFINE_multi_enum(
    "without", [], people.PARTS, "What does not differ between faces; repeat for several."
)

_Block = tuple[list[str], dict[str, np.ndarray]]


def _blocks() -> Iterator[_Block]:
    """Names of pictures, without suffix, and their truth, some tens of faces each."""
    who = people.OTHERS[: _PEOPLE.value]
    numbers = range(_FIRST.value, _FIRST.value + _COUNT.value)
    step = 1 if _FRAMES.value > 1 else people.BLOCK // (1 + _SCENES.value)

    def sample(count: int, first: int) -> dict[str, np.ndarray]:
        if _FRAMES.value > 1:
            return people.sample_clip(_FRAMES.value, _SEED.value, who, clip=first, fps=_FPS.value)
        return (people.sample_scenes if _SCENES.value else people.sample_labels)(count, _SEED.value, who, first=first)

    for some in range(0, len(numbers), step):
        ks = numbers[some : some + step]
        labels = sample(len(ks), ks[0])
        views = len(labels["identity"]) // len(ks)
        names = [f"{k:07d}/{i:05d}" if views > 1 else f"{k:07d}" for k in ks for i in range(views)]
        labels = people.without(labels, _WITHOUT.value)
        for i in range(0, len(names), people.BLOCK):
            yield names[i : i + people.BLOCK], {name: x[i : i + people.BLOCK] for name, x in labels.items()}


def _rows(names: list[str], labels: dict[str, np.ndarray], size: int) -> Iterator[dict[str, str | int | float]]:
    """The truth of a block in words and numbers, a row a face."""
    places = [f"{place}, {axis}" for place in shape.LANDMARKS for axis in "xy"]
    points = render.landmarks(labels, size)
    ages, male, origins = shape.age(labels["traits"]), shape.male(labels["traits"]), shape.origin(labels["traits"])
    for i, name in enumerate(names):
        who, decade = int(labels["identity"][i]) - people.OTHERS[0], int(ages[i] // 10) * 10
        yield {
            "path": f"{name}.png",
            "split": "train" if who % 5 else "test",
            "subject": f"person {who}",
            "label": people.EXPRESSIONS[labels["expression"][i]],
            **dict(zip(ANGLES, map(float, labels["angles"][i]), strict=True)),
            **{f"AU{n}": float(x) for n, x in zip(people.ACTIONS, labels["actions"][i], strict=True)},
            **dict(zip(("gaze left", "gaze up"), map(float, labels["gaze"][i]), strict=True)),
            **dict(zip(("light right", "light up", "light ahead"), map(float, labels["light"][i]), strict=True)),
            "age": f"{decade}-{decade + 9}",
            "sex": "male" if male[i] > 0.5 else "female",
            "origin": ("African", "Asian", "Caucasian")[origins[i].argmax()],
            **dict(zip(places, map(float, points[i].ravel()), strict=True)),
        }


def _render(out: pathlib.Path, size: int, total: int) -> None:
    """Writes the pictures that are not there."""

    def at(name: str) -> pathlib.Path:
        return out / f"{name}.png"

    def missing() -> Iterator[_Block]:
        for names, labels in _blocks():
            if all(at(name).is_file() for name in names):
                bar.update(len(names))
            else:
                yield names, labels

    with tqdm(total=total, desc="rendering", unit="img", mininterval=1.0) as bar:
        todo, labelled = itertools.tee(missing())  # the processes that render take some blocks ahead
        for (names, _), images in zip(todo, rendered((x for _, x in labelled), size), strict=True):
            for name, image in zip(names, images, strict=True):
                at(name).parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image).save(aside := at(name).with_suffix(".part"), "PNG")
                aside.replace(at(name))
            bar.update(len(names))


def main(argv: list[str]) -> None:
    """Renders what is missing, then writes the table: where that stands, all pictures do."""
    begin(argv, "out")
    if _SCENES.value and _FRAMES.value > 1:
        refuse("--scenes and --frames: are two kinds of several pictures of a head; give one.")
    out, size = pathlib.Path(str(_OUT.value)), _SIZE.value or 128
    settings = {flag.name: flag.value for flag in (_SEED, _SIZE, _PEOPLE, _FRAMES, _FPS, _SCENES, _WITHOUT)}
    if read_json(out / "generated.json") not in ({}, settings):
        refuse(f"--out={out}: holds faces by other flags (generated.json); give another folder.")
    with explained(out):
        check(out, "--out", folder=True)
        write_atomically(out / "generated.json", json.dumps(settings))
        _render(out, size, total := _COUNT.value * max(_FRAMES.value, 1 + _SCENES.value))
        columns = {name: type(value) for name, value in next(_rows(*next(_blocks()), size)).items()}
        with writer(out / "labels.csv", columns) as write, tqdm(total=total, desc="truth", unit="img") as bar:
            for names, truth in _blocks():
                for row in _rows(names, truth, size):
                    write(row)
                bar.update(len(names))
    print(f"{out}: {total:,} pictures of nobody, and labels.csv")


if __name__ == "__main__":
    start(main)
