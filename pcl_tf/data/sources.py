"""Where faces come from: a folder, a zip, a TFDS dataset, or the project's generator."""

import dataclasses
import itertools
import pathlib
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from pcl_tf.choices import SOFTWARE
from pcl_tf.data.files import (
    SUFFIXES,
    content,
    files_below,
    in_order,
    is_image,
    is_left_out,
    members,
    open_zip,
    others,
    printable,
    read_file,
    read_member,
)
from pcl_tf.errors import Refused
from pcl_tf.store import digest, several

if TYPE_CHECKING:
    import numpy as np

VOXCELEB_HELP = """No face images given: pass --data=DIR, --data=FACES.zip, --data=tfds:NAME or --data=generated.

To pre-train on VoxCeleb: request the videos from its authors (Oxford VGG) and prepare them, once:

  python -m pcl_tf.prepare voxceleb --data=VOXCELEB --out=DATA
  python -m pcl_tf.train --recipe=vox64 --data=DATA/voxceleb/64px_6fps/1.0.0 --workdir=runs/vox64

Photographs of faces, in a tree of folders or a zip of any layout, need no preparation and no labels.

Meanwhile this runs without any data, on generated faces:

  python -m pcl_tf.train --recipe=quickstart --workdir=runs/quickstart"""


# An image as sources yield it: its name, and its encoded bytes, its pixels, or why it cannot be read.
Item = tuple[str, "bytes | np.ndarray | Exception"]
Items = Generator[Item, None, None]


@dataclasses.dataclass(frozen=True)
class Source:
    """A named sequence of images."""

    name: str  # what the user gave
    fingerprint: str  # changes with the images; names their decoded faces and features
    count: int  # number of images
    # yields (name of the image, printable, its encoded bytes or a uint8 [H, W, 3] array or an exception)
    items: Callable[[], Items]
    others: str = ""  # files beside them that are passed over, as '7 .heic, 1 .txt'; '' for none
    contents: Sequence[object] = ()  # of each image; two are equal if the bytes are; () if that is unknown
    # after(n) yields items() without the first n, which are not rendered; None if images are not rendered
    after: Callable[[int], Items] | None = None


FRAMES = 8  # of a generated clip
_DECODING = 5  # version of decoding: faces and features of another one are made again
_DRAWN = b"Software\0" + SOFTWARE.encode()  # near the beginning of a PNG
READERS = 16  # threads that read files for their checksums: shared disks are slow, but serve many at once


def fingerprint(rows: Iterable[object]) -> str:
    """Sixteen hexadecimal digits that change if any of the rows does, or the way in which images are decoded."""
    return digest(_DECODING, *map(repr, rows))


def is_drawn(data: object) -> bool:
    """Whether a file's bytes are a picture that pcl_tf drew."""
    return isinstance(data, bytes) and _DRAWN in data[:1024]


def folder(path: str | pathlib.Path) -> Source:
    """All images below a folder, linked folders too, in sorted order, but no pictures that pcl_tf drew; or one file.

    Each file is read for its checksum, for neither size nor time shows that it was replaced.

    Raises:
      Refused: a folder in it cannot be listed.
    """
    root = pathlib.Path(path)
    every = [root] if root.is_file() else files_below(root, lambda name: True)
    images = [p for p in every if p == root or is_image(p.name)]

    def row(image: pathlib.Path) -> tuple[object, ...] | None:
        data = read_file(image)
        return None if is_drawn(data) else (str(image.relative_to(root)), *content(data))

    rows = list(in_order(row, images, READERS))
    files = [p for p, of in zip(images, rows, strict=True) if of]
    drawn = len(images) - len(files)
    beside = filter(None, [others(p.name for p in every), f"{drawn} pictures that pcl_tf drew" if drawn else ""])

    def items() -> Items:
        for p in files:
            yield printable(p), read_file(p)

    return Source(printable(path), fingerprint(filter(None, rows)), len(files), items, ", ".join(beside))


def zipped(path: str | pathlib.Path, given: str = "") -> Source:
    """All images of a zip, in sorted order; given: flag and text that gave it, for the error.

    Raises:
      Refused: not a readable zip.
    """
    every = [i for i in members(path, given) if not is_left_out(i.filename)]
    infos = sorted((i for i in every if is_image(i.filename)), key=lambda i: i.filename)

    def items() -> Items:
        with open_zip(path, given) as z:
            for info in infos:
                yield printable(f"{path}:{info.filename}"), read_member(z, info)

    stamps = ((i.filename, i.CRC, i.file_size) for i in infos)
    return Source(printable(path), fingerprint(stamps), len(infos), items, others(i.filename for i in every))


def tfds_dataset(name: str) -> Source:
    """The 'image' feature of a TFDS dataset, prepared first where it is not; 'NAME' or 'NAME:SPLIT'.

    Raises:
      Refused: the dataset is unknown, cannot be downloaded, or has no images.
    """
    import tensorflow_datasets as tfds

    given = f"tfds:{name}"
    name, _, split = name.partition(":")
    split = split or "train"
    try:
        builder = tfds.builder(name)
        if not builder.is_prepared():
            print(f"tfds:{name} is not in {builder.data_path}; downloading and preparing it.", flush=True)
            builder.download_and_prepare()
        # Encoded bytes, so that decoding happens where all other images are decoded.
        dataset = builder.as_dataset(split=split, decoders={"image": tfds.decode.SkipDecoding()}, shuffle_files=False)
    except Exception as error:  # TFDS raises a dozen kinds; all mean the same to the user
        raise Refused(f"--data={given}: {type(error).__name__}: {error}") from error
    count = builder.info.splits[split].num_examples
    version = fingerprint([(name, str(builder.version), split, count)])

    def items() -> Items:
        for i, example in enumerate(dataset.as_numpy_iterator()):
            yield f"tfds:{name}/{split}#{i}", example["image"]

    return Source(given, version, count, items)  # with its split, by which tables of embeddings open it again


def generated(count: int, size: int, seed: int = 0) -> Source:
    """Faces of ``pcl_tf.heads``, each a function of seed and number, rendered at the training size."""
    from pcl_tf.heads import people

    def block(first: int) -> "dict[str, np.ndarray]":
        return people.sample_labels(min(people.BLOCK, count - first), seed, people.TRAINING, first=first)

    names = [f"generated#{i}" for i in range(count)]
    return _heads(
        ("heads", count, size, seed), names, lambda first: map(block, range(first, count, people.BLOCK)), size
    )


def generated_clips(count: int, frames: int, size: int, *, seed: int = 0, fps: float = 4.0) -> Source:
    """Clips of ``pcl_tf.heads``: one person in one scene, who moves, looks around and blinks.

    Image i is frame i % frames of clip k = i // frames. Its truth is row i % frames of ``people.sample_clip(frames, seed,
    people.TRAINING, clip=k, fps=fps)``, and its name 'generated#k/frame': each clip is a folder.
    """
    from pcl_tf.heads import people

    def after(first: int) -> "Iterator[dict[str, np.ndarray]]":
        for clip in range(first // frames, count):
            labels = people.sample_clip(frames, seed, people.TRAINING, clip=clip, fps=fps)
            yield {name: x[max(0, first - clip * frames) :] for name, x in labels.items()}

    names = [f"generated#{clip}/{frame}" for clip in range(count) for frame in range(frames)]
    return _heads(("clips of heads", count, frames, size, seed, fps), names, after, size)


def generated_scenes(count: int, size: int, seed: int = 0) -> Source:
    """The heads of ``generated``, each in two scenes: images 2 * k and 2 * k + 1, 'generated#k/0' and 'generated#k/1'."""
    from pcl_tf.heads import people

    def after(first: int) -> "Iterator[dict[str, np.ndarray]]":
        for head in range(first // 2, count, people.BLOCK // 2):
            labels = people.sample_scenes(min(people.BLOCK // 2, count - head), seed, people.TRAINING, first=head)
            yield {name: x[max(0, first - 2 * head) :] for name, x in labels.items()}

    names = [f"generated#{head}/{scene}" for head in range(count) for scene in range(2)]
    return _heads(("heads in scenes", count, size, seed), names, after, size)


def _heads(
    stamp: tuple[object, ...],
    names: Sequence[str],
    labels: "Callable[[int], Iterable[dict[str, np.ndarray]]]",
    size: int,
) -> Source:
    """Source of rendered heads; labels(first): blocks of truth from a number on."""

    def after(first: int) -> Items:
        from pcl_tf.heads.processes import rendered

        yield from zip(names[first:], itertools.chain.from_iterable(rendered(labels(first), size)), strict=True)

    return Source("generated", fingerprint([stamp]), len(names), lambda: after(0), after=after)


def named(text: str, flag: str = "--data") -> list[str]:
    """The parts of a flag's text. Raises Refused, before anything is read: it is empty, or no such folder or file."""
    if not text:
        raise Refused(VOXCELEB_HELP)
    for part in (parts := several(text)):
        if part != "generated" and not part.startswith("tfds:") and not (part and pathlib.Path(part).exists()):
            raise Refused(f"{_given(flag, part)}: no such folder or file.")
    return parts


def _given(flag: str, part: str) -> str:
    return f"{flag}={printable(part)}" if flag else printable(part)


def open_source(text: str, generated_images: int = 0, image_size: int = 64, *, flag: str = "--data") -> Source:
    """The source that a flag names.

    Args:
      text: folder, zip, image file, 'tfds:NAME[:SPLIT]' or 'generated'; several joined by commas.
      generated_images, image_size: how many faces 'generated' renders, and their side in pixels.
      flag: that gave the text, for errors; '' for an argument.

    Raises:
      Refused: the text is empty, names nothing that exists, or what it names holds no image.
    """
    parts = [_open(part, generated_images, image_size, given=_given(flag, part)) for part in named(text, flag)]
    if len(parts) == 1:
        return parts[0]

    def items() -> Items:
        for part in parts:
            yield from part.items()

    return Source(text, fingerprint(p.fingerprint for p in parts), sum(p.count for p in parts), items)


def _open(text: str, generated_images: int, image_size: int, *, given: str) -> Source:
    path = pathlib.Path(text)
    if text == "generated":
        if path.is_dir():
            raise Refused(
                f"{given}: means faces that pcl_tf renders, and there is a folder of that name: ./generated is it."
            )
        source = generated(generated_images, image_size)
    elif text.startswith("tfds:"):
        source = tfds_dataset(text.removeprefix("tfds:"))
    elif path.is_dir() or text.lower().endswith(SUFFIXES):
        source = folder(path)
    else:
        source = zipped(path, given)
    if not source.count:
        beside = f"; its files are {source.others}" if source.others else ""
        raise Refused(f"{given}: holds no image ({', '.join(SUFFIXES)}){beside}.")
    if source.others:  # .heic of a telephone, a zip in a folder or a zip
        print(f"{source.name}: other files are passed over: {source.others}.", file=sys.stderr, flush=True)
    return source
