"""The evaluation corpora, as TFDS datasets: licences want them fetched by hand, so every one says how."""

import dataclasses
import functools
import os
import pathlib
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from pcl_tf.data.decoding import decoder
from pcl_tf.data.sources import fingerprint
from pcl_tf.errors import Refused
from pcl_tf.evaluation.corpora import CORPORA, prepared
from pcl_tf.evaluation.corpora.actions import disfa
from pcl_tf.evaluation.task import Task
from pcl_tf.evaluation.tasks import folder_of, read_corpus
from pcl_tf.files import write_atomically
from pcl_tf.prepare import detector, sheet, steady, work


class _Benchmark(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """A corpus with labels. Records stand in the corpus' own order.

    Args:
      size: side in pixels at which it is evaluated; 0 for the paper's. Pictures that are files are kept as they are;
        those that are cut out of others, or of videos, are kept at this side, without loss.
      any_count: take what is there, though the corpus as handed out has more.
      margin: cut faces out of the pictures, steadily from one to the next, with this margin; 0 leaves them as they are.
      **kwargs: data_dir.
    """

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = property(lambda self: self.corpus.instructions)  # TFDS gives manual_dir for it alone

    def __init__(self, size: int = 0, any_count: bool = False, margin: float = 0.0, **kwargs: Any) -> None:
        self.corpus = CORPORA[self.name]
        self.size, self.any_count, self.margin = size or self.corpus.size, any_count, margin
        self.task: Any = None
        self.faces: Any = None
        name = f"{self.size}px{work.cut_name(margin=margin)}"
        config = tfds.core.BuilderConfig(name=name, description=self.corpus.protocol)
        super().__init__(config=config, file_format="array_record", **kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        picture = tfds.features.Image(shape=(None, None, 3))
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.corpus.protocol,
            features=tfds.features.FeaturesDict(self._features(picture)),
            disable_shuffling=True,  # the probes find a picture by its place
        )

    def _features(self, picture: tfds.features.FeatureConnector) -> dict[str, Any]:
        raise NotImplementedError

    def _example(self, row: int) -> dict[str, Any]:
        raise NotImplementedError

    def _read(self, root: pathlib.Path) -> Task:
        return read_corpus(self.name, root, self.size)

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        self.task = self._read(pathlib.Path(dl_manager.manual_dir))
        self.stamps: dict[int, tuple[int, int, int]] = {}
        places = prepared.places(prepared.testing_fold(self.task))
        rows = {split: [i for i, p in enumerate(places) if p[0] == split] for split in sorted({p[0] for p in places})}
        self.count({split: len(r) for split, r in rows.items()})
        return {split: self._generate_examples(r) for split, r in rows.items()}

    def count(self, found: Mapping[str, int]) -> None:
        """Checks {split: records}. Raises Refused: not as many as the corpus as handed out has."""
        for split, count in found.items():
            if not self.any_count and not any(low <= count <= high for low, high in self.corpus.counts[split]):
                wanted = " or ".join(f"{a:,}" if a == b else f"{a:,} to {b:,}" for a, b in self.corpus.counts[split])
                raise Refused(
                    f"{self.name}: '{split}' has {count:,} records, the corpus as handed out {wanted}. Is it unpacked"
                    " whole? --any_count takes what is there."
                )

    def _pictures(self, wanted: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        """(row, encoded picture) of these rows, in order."""
        decode, wanted = decoder(self.size), set(wanted)
        for row, (name, data) in enumerate(self.task.source.items()):
            if row not in wanted:
                continue
            _, face, why = decode((name, data))
            if face is None:
                raise Refused(f"{name}: {why}. A benchmark without it would be another; mend the file.")
            if isinstance(data, np.ndarray):
                data = tf.io.encode_png(face if min(data.shape[:2]) > self.size else data).numpy()
            self.stamps[row] = (row, len(data), zlib.crc32(data))
            yield row, data

    def _generate_examples(self, rows: list[int]) -> Iterator[tuple[int, dict[str, Any]]]:
        for row, data in self._pictures(rows):
            yield row, {"image": data, **self._example(row)}

    @property
    def stamp(self) -> str:
        """Fingerprint of the pictures that were written."""
        return fingerprint(self.stamps[row] for row in sorted(self.stamps))


class _Classes(_Benchmark, skip_registration=True):  # type: ignore[call-arg]
    def _features(self, picture: tfds.features.FeatureConnector) -> dict[str, Any]:
        return {"image": picture, "label": tfds.features.Text()}

    def _example(self, row: int) -> dict[str, Any]:
        return {"label": self.task.names[self.task.labels[row]]}


class _Pairs(_Benchmark, skip_registration=True):  # type: ignore[call-arg]
    def _features(self, picture: tfds.features.FeatureConnector) -> dict[str, Any]:
        return {"first": picture, "second": picture, "same": tfds.features.Scalar(np.int64), "fold": np.int64}

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        self.task, self.stamps = self._read(pathlib.Path(dl_manager.manual_dir)), {}
        self.count({"test": len(self.task.pairs)})
        return {"test": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:  # type: ignore[override]
        pictures = dict(self._pictures(range(self.task.source.count)))
        for i, ((a, b), same, fold) in enumerate(zip(self.task.pairs, self.task.same, self.task.folds, strict=True)):
            yield i, {"first": pictures[a], "second": pictures[b], "same": int(same), "fold": int(fold)}


class _Units(_Benchmark, skip_registration=True):  # type: ignore[call-arg]
    """Frames of videos, the eight action units of DISFA, and persons."""

    def _features(self, picture: tfds.features.FeatureConnector) -> dict[str, Any]:
        return {
            "image": picture,
            "labels": tfds.features.Tensor(shape=(8,), dtype=np.float32),
            "subject": tfds.features.Text(),
        }

    def _read(self, root: pathlib.Path) -> Task:
        return disfa(root, self.size, whole=bool(self.margin))

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        splits = super()._split_generators(dl_manager)  # the counts are checked before any picture is looked at
        if self.margin:
            self.faces = steady.Faces(self.task.source, self.task.subjects, self.margin)
            self.task = dataclasses.replace(self.task, source=self.faces.source)
        return splits

    def _example(self, row: int) -> dict[str, Any]:
        return {"labels": self.task.labels[row], "subject": str(self.task.subjects[row])}


class _Angles(_Benchmark, skip_registration=True):  # type: ignore[call-arg]
    def _features(self, picture: tfds.features.FeatureConnector) -> dict[str, Any]:
        return {"image": picture, "angles": tfds.features.Tensor(shape=(3,), dtype=np.float32)}

    def _example(self, row: int) -> dict[str, Any]:
        return {"angles": self.task.labels[row]}


# TFDS calls a dataset as its class.
_OWN = {"disfa": _Units, "aflw2000": _Angles}
_KINDS = {"classification": _Classes, "verification": _Pairs}  # by the kind of a corpus' task
BUILDERS = {
    name: type(
        name.capitalize(),
        (_OWN.get(name) or _KINDS.get(corpus.kind, _Benchmark),),
        {"__module__": __name__},
        skip_registration=True,
    )
    for name, corpus in CORPORA.items()
}


def prepare_benchmark(
    name: str,
    manual_dir: str | pathlib.Path,
    data_dir: str | pathlib.Path,
    *,
    size: int = 0,
    any_count: bool = False,
    margin: float = 0.0,
) -> tuple[pathlib.Path, dict[str, int]]:
    """Turns a corpus as it was handed out into a TFDS dataset that ``pcl_tf.probe --task=NAME`` reads.

    Args:
      name: of ``BUILDERS``.
      manual_dir: the corpus, or a folder in which it has its name.
      data_dir: TFDS's folder.
      size: side in pixels at which it is to be evaluated; 0 for the paper's.
      any_count: take what is there, though the corpus as handed out has more.
      margin: of disfa: cut faces out of the frames, with this margin; sheet.png beside the records shows some.

    Returns:
      (path of the dataset, {split: records}).

    Raises:
      Refused: a file is missing or broken, a split has not the size of the corpus as handed out, the dataset would
        lie among the corpus' own files, or another call prepares the same.
    """
    make = functools.partial(BUILDERS[name], size, any_count, margin, data_dir=str(data_dir))
    builder = make()
    path = pathlib.Path(builder.data_path)
    index = path / prepared.INDEX
    if not index.exists():
        if not pathlib.Path(manual_dir).is_dir():
            raise Refused(f"--data={manual_dir}: no such folder. Needed: {CORPORA[name].instructions}")
        if pathlib.Path(data_dir).resolve() == pathlib.Path(manual_dir).resolve():
            raise Refused(f"--out={data_dir} is the corpus' own folder; give another.")
        work.check_place(str(path))
        if margin:
            detector.check_installed()
        with work.alone_at(os.path.join(data_dir, f".{name}-{builder.builder_config.name}")):
            if not index.exists():  # asked again: another call may have ended meanwhile
                work.remove_unfinished(str(path))
                return path, _write(make(), name, manual_dir)
        builder = make()
    counts = _counts(builder)
    builder.count(counts)
    print(f"{path} is prepared already; remove it to prepare it again.", flush=True)
    return path, counts


def _write(builder: _Benchmark, name: str, manual_dir: str | pathlib.Path) -> dict[str, int]:
    config = tfds.download.DownloadConfig(manual_dir=str(folder_of(name, pathlib.Path(manual_dir))))
    with tempfile.TemporaryDirectory() as nothing_is_downloaded:
        builder.download_and_prepare(download_dir=nothing_is_downloaded, download_config=config)
    path = pathlib.Path(builder.data_path)
    if builder.faces is not None:
        write_atomically(path / sheet.NAME, builder.faces.sheet())
    prepared.write(path, builder.task, builder.stamp)
    return _counts(builder)


def _counts(builder: _Benchmark) -> dict[str, int]:
    return {split: info.num_examples for split, info in builder.info.splits.items()}
