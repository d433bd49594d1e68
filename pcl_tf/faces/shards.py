"""Many pictures on many machines: features or answers of each shard become one Parquet file, whole or not at all."""

import dataclasses
import functools
import json
import pathlib

from pcl_tf.data.files import VIDEOS, files_below, printable
from pcl_tf.errors import Refused
from pcl_tf.faces.answers import Answers
from pcl_tf.faces.model import FaceModel, opened
from pcl_tf.faces.pictures import Below, Pictures
from pcl_tf.store import check, digest, list_unreadable, read_json, write_atomically
from pcl_tf.tables import writer

LENGTH = 1024  # pictures of a shard; a video is one by itself


@dataclasses.dataclass(frozen=True)
class Work:
    """What to do with every shard, in values that a pipeline can send.

    Attributes:
      data: folder of pictures and videos, which every machine sees.
      out: folder of the files, which every machine sees.
      models: names, as of ``pcl_tf.load``; features are those of the first.
      features: as of ``FaceModel.embed``; None is the answers of all models.
      image_size, margin: as of ``pcl_tf.load``.
      detect, align, fps: as of ``FaceModel.embed``.
    """

    data: str
    out: str
    models: tuple[str, ...]
    features: tuple[str, ...] | None = None
    image_size: int = 0
    margin: float = 0.0
    detect: bool = False
    align: bool = False
    fps: float | None = None

    def open_models(self) -> list[FaceModel]:
        """The models, which each process loads once."""
        return [opened(name, image_size=self.image_size, margin=self.margin) for name in self.models]


def run(work: Work, options: list[str]) -> None:
    """Does all shards by Beam but those whose file is there, and prints how many: the same call goes on where one was stopped.

    Args:
      work: ``Work``.
      options: Beam's, as key=value.

    Raises:
      Refused: the data are no folder of pictures, none is readable, a model lacks a feature or heads, or the folder
        cannot be written to or holds other work.
    """
    import apache_beam as beam
    import pyarrow.parquet
    from apache_beam.options.pipeline_options import PipelineOptions

    check(work.out, folder=True)
    every, out = _shards(work), pathlib.Path(work.out)
    write(work, "", ())  # checks the models, before any work
    about = dataclasses.asdict(work) | {
        "shards": digest(every),
        "encoders": [m.encoder.digest for m in work.open_models()],
    }
    del about["out"]  # the folder may be moved
    about, noted = json.loads(json.dumps(about)), out / "_work.json"  # readers of the folder pass over such names
    if (before := read_json(noted)) != about:
        if before or any(out.glob("*.parquet")):
            raise Refused(f"--out={out}: holds files of other pictures, models or flags; give another folder.")
        write_atomically(noted, json.dumps(about, indent=1) + "\n")
    left = [shard for shard in every.items() if not (out / shard[0]).exists()]
    with beam.Pipeline(options=PipelineOptions([f"--{option}" for option in options])) as pipeline:
        _ = pipeline | beam.Create(left) | beam.Reshuffle() | beam.MapTuple(functools.partial(write, work))
    rows = sum(pyarrow.parquet.read_metadata(out / name).num_rows for name in every)
    unreadable = sum(listed.read_bytes().count(b"\n") for listed in out.glob("_*.unreadable.txt"))
    if rows == (0 if work.features is not None else unreadable):  # answers have a row of an unreadable picture too
        raise Refused(f"--data={work.data}: nothing in it is readable; {out}/_*.unreadable.txt say why.")
    print(f"{out}: {rows} rows in {len(every)} files")


def _shards(work: Work) -> dict[str, tuple[str, ...]]:
    """{name of the file: names of the pictures or the video in it, relative to the data}, in the order of one machine."""
    root = pathlib.Path(work.data)
    if not root.is_dir():
        raise Refused(f"--data={work.data}: a folder is needed with --beam_pipeline_options, which every machine sees.")
    images = [str(path.relative_to(root)) for path in files_below(root)]
    videos = [str(p.relative_to(root)) for p in files_below(root, lambda name: name.lower().endswith(VIDEOS))]
    parts = [tuple(images[i : i + LENGTH]) for i in range(0, len(images), LENGTH)] + [(video,) for video in videos]
    if not parts:
        raise Refused(f"--data={printable(work.data)}: holds no image and no video.")
    return {f"part-{i:05}-of-{len(parts):05}.parquet": part for i, part in enumerate(parts)}


def write(work: Work, name: str, files: tuple[str, ...]) -> None:
    """Does a shard: writes the list of its unreadable pictures, then its file. Without a name only checks the models.

    Raises:
      Refused: a model lacks a feature or heads.
    """
    path, models = pathlib.Path(work.out, name), work.open_models()
    pictures = Pictures(Below(work.data, files), fps=work.fps)
    if work.features is None:
        rows = Answers(models, pictures, detect=work.detect, align=work.align)
        if name:
            with writer(path, rows.columns) as add:
                for _, some in rows.each():  # a shard in which nothing is readable is one of many
                    for row in some:
                        add(row)
                list_unreadable(path.with_name(f"_{path.stem}.unreadable.txt"), rows.unreadable)
    else:
        table = models[0].table(pictures, work.features, detect=work.detect, align=work.align)
        if name:
            list_unreadable(path.with_name(f"_{path.stem}.unreadable.txt"), table.unreadable)
            table.save(path)
