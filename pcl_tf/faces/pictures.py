"""Pictures as people have them (a file, a list, a folder, a zip, a CSV, a video, arrays), read one after another."""

import dataclasses
import functools
import hashlib
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
from PIL import Image

from pcl_tf.data.files import SUFFIXES, VIDEOS, Unreadable, files_below, printable, read_file
from pcl_tf.data.listed import Files
from pcl_tf.data.sources import Items, Source, fingerprint, folder, is_drawn, named, open_source
from pcl_tf.errors import Refused
from pcl_tf.evaluation.lists import read_table

Path = str | os.PathLike[str]
Data = Path | np.ndarray | Image.Image | Sequence[Path | np.ndarray | Image.Image]
COLUMNS = ("path", "image", "file", "filename")  # of which one names the pictures of a CSV


@dataclasses.dataclass(frozen=True)
class Picture:
    """A photograph, or a frame of a video.

    Attributes:
      file: its name, relative to the folder, zip or CSV that was given.
      data: encoded bytes, uint8 [H, W, 3], or the exception for which it is unreadable.
      frame: number in the video from 0 on, or None.
      time: seconds since the first frame of the video, or None.
    """

    file: str
    data: bytes | np.ndarray | Exception
    frame: int | None = None
    time: float | None = None

    @property
    def name(self) -> str:
        """The file, of a frame with its number: clip.mp4#12."""
        return self.file if self.frame is None else f"{self.file}#{self.frame}"


@dataclasses.dataclass(frozen=True)
class _Part:
    """One of the given things: number of pictures or None, their fingerprint, the pictures, the same as a Source."""

    count: int | None
    stamp: Callable[[], str]
    pictures: Callable[[], Iterator[Picture]]
    source: Source | None = None
    video: bool = False


class Below(NamedTuple):
    """Some of the pictures and videos of a folder, with the names they have in it; each is read when its turn comes."""

    root: str
    names: Sequence[str]

    def parts(self, fps: float | None) -> list[_Part]:
        """Pictures, then each video."""
        root, videos = pathlib.Path(self.root), [name for name in self.names if name.lower().endswith(VIDEOS)]
        images = [name for name in self.names if name not in videos]

        def pictures() -> Iterator[Picture]:
            for name in images:
                if not is_drawn(data := read_file(root / name)):
                    yield Picture(printable(name), data)

        return [_Part(len(images), str, pictures), *(_video(root / name, printable(name), fps) for name in videos)]


class Pictures:
    """Pictures in any form; iterates over ``Picture``, undecoded.

    Args:
      data: path of a picture, a video, a folder of both, a zip, a CSV with one of ``COLUMNS`` or a dataset of
        ``pcl_tf.prepare``, 'tfds:NAME' or 'generated'; commas join several. Or a PIL image or uint8 [H, W, 3], a list of
        these or of paths, or uint8 [N, H, W, 3].
      size: side in pixels of 'generated'.
      fps: frames a second that are taken of videos; None is all.
      generated_images: how many 'generated' is.

    Attributes:
      data: the text with absolute paths, so that it holds in any working folder; '' of what is in memory.
      count: about how many pictures, or None if that is unknown.

    Raises:
      Refused: nothing is there, or nothing that is a picture.
    """

    def __init__(
        self, data: Data | Below, *, size: int = 64, fps: float | None = None, generated_images: int = 256
    ) -> None:
        self.data = ""
        self._about = {"fps": fps, "generated_images": generated_images}
        if isinstance(data, (str, os.PathLike)):
            texts, drawn = named(os.fspath(data)), (generated_images, size)
            parts = [_opened(t, fps, before=_root(t) if texts[1:] else "", drawn=drawn) for t in texts]
            self._parts = sum(parts, [])
            self.data = ",".join(os.path.abspath(t) if os.path.exists(t) and t != "generated" else t for t in texts)
        else:
            self._parts = data.parts(fps) if isinstance(data, Below) else [_of(_listed(data))]
        counts = [part.count for part in self._parts]
        self.count = None if None in counts else sum(cast(list[int], counts))

    def __iter__(self) -> Iterator[Picture]:
        for part in self._parts:
            yield from part.pictures()

    @functools.cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that change with any byte of the pictures; videos are read for it."""
        stamps = [part.stamp() for part in self._parts]
        return stamps[0] if len(stamps) == 1 else fingerprint(stamps)

    def useless(self, what: str, unreadable: Mapping[str, str]) -> Refused:
        """The error of pictures that give nothing: what is wrong, and the first of {name: why} that are unreadable."""
        first = next((f" The first unreadable: {name}: {why}" for name, why in unreadable.items()), "")
        return Refused(f"--data={self.data or 'images'}: {what}.{first}")

    @property
    def one_video(self) -> bool:
        """Whether these are the frames of one video."""
        return len(self._parts) == 1 and self._parts[0].video

    @property
    def opened(self) -> dict[str, Any]:
        """Arguments that open them again."""
        return {"data": self.data, **self._about}

    @property
    def source(self) -> Source | None:
        """The same as one ``Source``; None with videos among them, and of what is in memory."""
        sources = [part.source for part in self._parts if part.source]
        if len(sources) < len(self._parts) or not self.data:
            return None

        def items() -> Items:
            for source in sources:
                yield from source.items()

        return Source(printable(self.data), self.fingerprint, sum(s.count for s in sources), items)


def _root(text: str) -> str:
    """What a source puts before the name of a picture of a folder or zip."""
    path = pathlib.Path(text)
    return f"{printable(path)}{'/' if path.is_dir() else ':'}" if path.exists() and text != "generated" else ""


def _opened(text: str, fps: float | None, *, before: str, drawn: tuple[int, int]) -> list[_Part]:
    """The parts that a text names; ``before`` is put before their names, drawn is as of ``open_source``."""
    path, suffix = pathlib.Path(text), os.path.splitext(text)[1].lower()
    if path.is_dir() and text != "generated":
        from pcl_tf.data.index import find_clips

        if prepared := find_clips(path):
            return [_clips(prepared, before)]
        if videos := files_below(path, lambda name: name.lower().endswith(VIDEOS)):
            images = folder(path)
            parts = [_of(images, _root(text), before)] if images.count else []
            return parts + [_video(p, before + printable(p.relative_to(path)), fps) for p in videos]
    elif path.is_file() and suffix in VIDEOS:
        return [_video(path, printable(path if before else path.name), fps)]
    elif path.is_file() and suffix in (".csv", *SUFFIXES):
        names = [path.name] if suffix != ".csv" else _column(path)
        return [_of(Files(path.parent).source(names), before=os.path.join(os.path.dirname(text), "") if before else "")]
    return [_of(open_source(text, *drawn), _root(text), before)]


def _of(source: Source, root: str = "", before: str = "") -> _Part:
    """A ``Source`` as a part: ``before`` takes the place of the root in its names."""

    def items() -> Items:
        for name, data in source.items():
            yield before + name.removeprefix(root), data

    return _Part(
        source.count,
        lambda: source.fingerprint,
        lambda: (Picture(*item) for item in items()),
        dataclasses.replace(source, items=items),
    )


def _column(path: pathlib.Path) -> list[str]:
    """The names of pictures in a CSV, relative to it."""
    table = read_table(path, COLUMNS)
    column = next((name for name in COLUMNS if name in table.header), None)
    if column is None or table.ragged:
        what = f"line {min(table.ragged)} has not as many fields as the header" if column else "no column of pictures"
        raise Refused(f"{path}: {what}; one column is {' or '.join(COLUMNS)}, and here they are {table.header}.")
    return [row[column] for _, row in table.rows]


def _video(path: pathlib.Path, name: str, fps: float | None) -> _Part:
    from pcl_tf.data.videos import length, numbered_frames

    def stamp() -> str:
        with open(path, "rb") as f:
            return fingerprint([hashlib.file_digest(f, "sha256").hexdigest(), fps])

    def pictures() -> Iterator[Picture]:
        try:
            for frame, time, image in numbered_frames(str(path), fps):
                yield Picture(name, image, frame, time)
        except Unreadable as error:  # the frames before it remain
            yield Picture(name, error)

    return _Part(length(str(path), fps), stamp, pictures, video=True)


def _clips(place: str, before: str) -> _Part:
    """The frames of a dataset of ``pcl_tf.prepare``."""
    import tensorflow_datasets as tfds

    from pcl_tf.data.index import INDEX, read_index

    def pictures() -> Iterator[Picture]:
        for clip in tfds.builder_from_directory(place).as_data_source(split="train"):
            for frame, (image, time) in enumerate(zip(clip["frames"], clip["times"], strict=True)):
                yield Picture(before + clip["clip"].decode(), image, frame, float(time))

    def stamp() -> str:
        return fingerprint([place, (pathlib.Path(place) / INDEX).read_bytes()])

    return _Part(int(read_index(place)["frames"].sum()), stamp, pictures)


def _listed(data: np.ndarray | Image.Image | Sequence[Path | np.ndarray | Image.Image]) -> Source:
    """``Source`` of what is in memory, or of a list of paths."""
    alone = isinstance(data, Image.Image) or isinstance(data, np.ndarray) and data.ndim == 3
    some: list[Any] = [data] if alone else list(cast(Sequence[Any], data))
    if some and all(isinstance(one, (str, os.PathLike)) for one in some):
        return Files(".").source(os.fspath(cast(Path, one)) for one in some)
    images = [np.asarray(one.convert("RGB")) if isinstance(one, Image.Image) else one for one in some]
    for image in images:
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            what = f"{image.dtype} {list(image.shape)}" if isinstance(image, np.ndarray) else type(image).__name__
            raise Refused(f"data: an image is {what}; what is wanted is uint8 [H, W, 3], a PIL image, or paths alone.")
    if not images:
        raise Refused("data: is empty.")

    def items() -> Items:
        for i, image in enumerate(images):
            yield f"image#{i}", cast(np.ndarray, image)

    return Source("images", "", len(images), items)  # without a fingerprint, for nothing stores them
