"""The corpora that judge, as TFDS datasets: licences want them fetched by hand, so every one says how."""

import dataclasses
import pathlib
import shutil
import tempfile
import zlib

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from pcl_tf.data.decoding import decoder
from pcl_tf.data.sources import DataError, fingerprint
from pcl_tf.evaluation.corpora import CORPORA, folder_of, prepared, read_corpus
from pcl_tf.evaluation.corpora.actions import disfa
from pcl_tf.files import write_atomically
from pcl_tf.preparation import detector, sheet, steady, work


class _Benchmark(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """A corpus with labels. Records stand in the corpus' own order.

    Args:
      size: side in pixels at which it is judged; 0 for the paper's. Pictures that are files are kept as they are;
        those that are cut out of others, or of videos, are kept at this side, without loss.
      any_count: take what is there, though the corpus as handed out has more.
      margin: cut faces out of the pictures, steadily from one to the next, with this margin; 0 leaves them as they are.
      **kwargs: data_dir.
    """

    VERSION = tfds.core.Version("1.0.0")
    COUNTS = {}  # split -> ranges (least, most) of records, of which one is met by the corpus as handed out

    def __init__(self, size=0, any_count=False, margin=0.0, **kwargs):
        self.size, self.any_count, self.margin = size or CORPORA[self.name][1], any_count, margin
        self.task = self.faces = None
        name = f"{self.size}px{work.cut_name(margin=margin)}"
        config = tfds.core.BuilderConfig(name=name, description=self.__doc__)
        super().__init__(config=config, file_format="array_record", **kwargs)

    def _info(self):
        picture = tfds.features.Image(shape=(None, None, 3))
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.__doc__,
            features=tfds.features.FeaturesDict(self._features(picture)),
            disable_shuffling=True,  # the probes find a picture by its place
        )

    def _features(self, picture):
        raise NotImplementedError

    def _example(self, row):
        raise NotImplementedError

    def _read(self, root):
        return read_corpus(self.name, root, self.size)

    def _split_generators(self, dl_manager):
        self.task, self.stamps = self._read(pathlib.Path(dl_manager.manual_dir)), {}
        places = prepared.places(prepared.judged_in(self.task))
        rows = {split: [i for i, p in enumerate(places) if p[0] == split] for split in sorted({p[0] for p in places})}
        self.count({split: len(r) for split, r in rows.items()})
        return {split: self._generate_examples(r) for split, r in rows.items()}

    def count(self, found):
        """Checks {split: records}. Raises DataError: not as many as the corpus as handed out has."""
        for split, count in found.items():
            if not self.any_count and not any(low <= count <= high for low, high in self.COUNTS[split]):
                wanted = " or ".join(f"{a:,}" if a == b else f"{a:,} to {b:,}" for a, b in self.COUNTS[split])
                raise DataError(
                    f"{self.name}: '{split}' has {count:,} records, the corpus as handed out {wanted}. Is it unpacked"
                    " whole? --any_count takes what is there."
                )

    def _pictures(self, wanted):
        """(row, encoded picture) of these rows, in order."""
        decode, wanted = decoder(self.size), set(wanted)
        for row, (name, data) in enumerate(self.task.source.items()):
            if row not in wanted:
                continue
            _, face, why = decode((name, data))
            if face is None:
                raise DataError(f"{name}: {why}. A benchmark without it would be another; mend the file.")
            if isinstance(data, np.ndarray):
                data = tf.io.encode_png(face if min(data.shape[:2]) > self.size else data).numpy()
            self.stamps[row] = (row, len(data), zlib.crc32(data))
            yield row, data

    def _generate_examples(self, rows):
        for row, data in self._pictures(rows):
            yield row, {"image": data, **self._example(row)}

    @property
    def stamp(self):
        """Fingerprint of the pictures that were written."""
        return fingerprint(self.stamps[row] for row in sorted(self.stamps))


class _Classes(_Benchmark, skip_registration=True):
    def _features(self, picture):
        return {"image": picture, "label": tfds.features.Text()}

    def _example(self, row):
        return {"label": self.task.names[self.task.labels[row]]}


class _Pairs(_Benchmark, skip_registration=True):
    COUNTS = {"test": [(6000, 6000)]}

    def _features(self, picture):
        return {"first": picture, "second": picture, "same": tfds.features.Scalar(np.int64), "fold": np.int64}

    def _split_generators(self, dl_manager):
        self.task, self.stamps = self._read(pathlib.Path(dl_manager.manual_dir)), {}
        self.count({"test": len(self.task.pairs)})
        return {"test": self._generate_examples()}

    def _generate_examples(self):
        pictures = dict(self._pictures(range(self.task.source.count)))
        for i, ((a, b), same, fold) in enumerate(zip(self.task.pairs, self.task.same, self.task.folds, strict=True)):
            yield i, {"first": pictures[a], "second": pictures[b], "same": int(same), "fold": int(fold)}


class Fer2013(_Classes, skip_registration=True):
    """FER-2013 (Goodfellow et al., 2013): seven expressions, judged on PrivateTest."""

    COUNTS = {"train": [(28_709, 28_709)], "test": [(3_589, 3_589)]}
    MANUAL_DOWNLOAD_INSTRUCTIONS = "fer2013.csv of Kaggle's 'Challenges in Representation Learning'."


class Rafdb(_Classes, skip_registration=True):
    """RAF-DB (Li et al., 2017): seven basic expressions."""

    COUNTS = {"train": [(12_271, 12_271)], "test": [(3_068, 3_068)]}
    MANUAL_DOWNLOAD_INSTRUCTIONS = "Ask its authors; unpack basic/EmoLabel and basic/Image/aligned."


class Bu3dfe(_Classes, skip_registration=True):
    """BU-3DFE (Yin et al., 2006), rendered: classes of pose."""

    COUNTS = {"train": [(14_112, 14_112)], "test": [(6_264, 6_264)]}
    MANUAL_DOWNLOAD_INSTRUCTIONS = "Ask its authors; render the models into train/POSE/* and test/POSE/*."


class Lfw(_Pairs, skip_registration=True):
    """LFW (Huang et al., 2007): pairs in ten folds."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = "pairs.txt and lfw-deepfunneled/NAME/NAME_0001.jpg, of its site."


class Cplfw(_Pairs, skip_registration=True):
    """CPLFW (Zheng and Deng, 2018): pairs across poses in ten folds."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = "pairs_CPLFW.txt and 'aligned images', of its site."


class Disfa(_Benchmark, skip_registration=True):
    """DISFA (Mavadati et al., 2013): eight action units, three folds that share nobody."""

    COUNTS = {"test": [(27 * 4844, 27 * 4845)]}  # a person's video has 4,844 or 4,845 labelled frames
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Ask its authors; ActionUnit_Labels/SN001/.. and Videos_LeftCamera/LeftVideoSN001_comp.avi."
    )

    def _features(self, picture):
        return {
            "image": picture,
            "labels": tfds.features.Tensor(shape=(8,), dtype=np.float32),
            "subject": tfds.features.Text(),
        }

    def _read(self, root):
        return disfa(root, self.size, whole=bool(self.margin))

    def _split_generators(self, dl_manager):
        splits = super()._split_generators(dl_manager)  # the counts are checked before any picture is looked at
        if self.margin:
            self.faces = steady.Faces(self.task.source, self.task.subjects, self.margin)
            self.task = dataclasses.replace(self.task, source=self.faces.source)
        return splits

    def _example(self, row):
        return {"labels": self.task.labels[row], "subject": str(self.task.subjects[row])}


class Aflw2000(_Benchmark, skip_registration=True):
    """300W-LP and AFLW2000 (Zhu et al., 2016): yaw, pitch and roll in degrees; faces turned beyond 99 are left out."""

    # Of 122,450 (TFDS's the300w_lp: 61,225, without mirror images) and 2,000 a few are turned too far.
    COUNTS = {"train": [(122_000, 122_450), (61_000, 61_225)], "test": [(1_900, 2_000)]}
    MANUAL_DOWNLOAD_INSTRUCTIONS = "300W_LP/*/*.jpg and AFLW2000/*.jpg with the .mat beside each, of their site."

    def _features(self, picture):
        return {"image": picture, "angles": tfds.features.Tensor(shape=(3,), dtype=np.float32)}

    def _example(self, row):
        return {"angles": self.task.labels[row]}


BUILDERS = {b.name: b for b in (Fer2013, Rafdb, Lfw, Cplfw, Disfa, Aflw2000, Bu3dfe)}


def prepare_benchmark(name, manual_dir, data_dir, size=0, any_count=False, margin=0.0):
    """Turns a corpus as it was handed out into a TFDS dataset that ``pcl_tf.probe --task=NAME`` reads.

    Args:
      name: of ``BUILDERS``.
      manual_dir: the corpus, or a folder in which it has its name.
      data_dir: TFDS's folder.
      size: side in pixels at which it is to be judged; 0 for the paper's.
      any_count: take what is there, though the corpus as handed out has more.
      margin: of disfa: cut faces out of the frames, with this margin; sheet.png beside the records shows some.

    Returns:
      (path of the dataset, {split: records}).

    Raises:
      DataError: a file is missing or broken, a split has not the size of the corpus as handed out, or the dataset would
        lie among the corpus' own files.
    """
    builder = BUILDERS[name](size, any_count, margin, data_dir=str(data_dir))
    path = pathlib.Path(builder.data_path)
    if (path / prepared.INDEX).exists():
        builder.count({split: info.num_examples for split, info in builder.info.splits.items()})
        print(f"{path} is prepared already; remove it to prepare it again.", flush=True)
    else:
        if not pathlib.Path(manual_dir).is_dir():
            raise DataError(f"--data={manual_dir}: no such folder. Needed: {builder.MANUAL_DOWNLOAD_INSTRUCTIONS}")
        if pathlib.Path(data_dir).resolve() == pathlib.Path(manual_dir).resolve():
            raise DataError(f"--out={data_dir} is the corpus' own folder; give another.")
        work.check_place(str(path))
        for stopped in (
            *path.parent.glob(f"incomplete.*_{path.name}"),
            path,
        ):  # what was written until then, whole or not
            if stopped.exists():
                shutil.rmtree(stopped)
        if margin:
            detector.check_installed()
        builder = BUILDERS[name](size, any_count, margin, data_dir=str(data_dir))
        config = tfds.download.DownloadConfig(manual_dir=str(folder_of(name, pathlib.Path(manual_dir))))
        with tempfile.TemporaryDirectory() as nothing_is_downloaded:
            builder.download_and_prepare(download_dir=nothing_is_downloaded, download_config=config)
        if builder.faces is not None:
            write_atomically(path / sheet.NAME, builder.faces.sheet())
        prepared.write(path, builder.task, builder.stamp)
    return path, {split: info.num_examples for split, info in builder.info.splits.items()}
