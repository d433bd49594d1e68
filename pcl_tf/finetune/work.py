"""One task, one encoder: trains, evaluates and exports, unless that was done before."""

import contextlib
import dataclasses
import functools
import itertools
import json
import pathlib
import shutil
from collections.abc import Mapping
from typing import Any

from pcl_tf.data.images import left_out
from pcl_tf.encoders.encoder import Encoder
from pcl_tf.encoders.features import extract
from pcl_tf.errors import Refused
from pcl_tf.evaluation.evaluate import Result
from pcl_tf.evaluation.linear import Linear
from pcl_tf.evaluation.task import Task
from pcl_tf.finetune import compare, run
from pcl_tf.finetune.fit import Options
from pcl_tf.finetune.network import HEAD
from pcl_tf.results import table
from pcl_tf.results.store import Results, head_of, names, new_row, short
from pcl_tf.serving.card import state, stated, write_classifier_card
from pcl_tf.serving.classifier import save_classifier
from pcl_tf.serving.export import check_version, write_server_files
from pcl_tf.store import alone, check, digest

_say = functools.partial(print, flush=True)


@dataclasses.dataclass
class Job:
    """Fine-tunings of one encoder on one task."""

    encoder: Encoder  # with a Keras form
    task: Task  # with labels
    # folder of ``result.json``, tables, predictions, pictures, logs/, and a folder for each fine-tuning
    out: pathlib.Path
    cache: str | pathlib.Path  # folder of features, the probe's
    # {'data_terms', 'license'} as the user states them of the labelled images and the weights, None where not
    about: Mapping[str, str | None] = dataclasses.field(default_factory=dict)
    rows: list[dict[str, Any]] = dataclasses.field(default_factory=list)  # of ``result.json``, those of this call

    def __post_init__(self) -> None:
        self.results, self.folder = Results(self.out), self.out  # the folder becomes that of the fine-tuning at hand
        (self.name,) = names([self.task], self.results.rows)

    def finetune(self, options: Options) -> pathlib.Path:
        """Fine-tunes, evaluates and exports; returns the path of the export.

        Raises:
          Refused: another process is at the same fine-tuning, something else stands where the export is written, or as
            of ``run.finetune``.
          Stopped: by a signal; the same call resumes.
        """
        export, task = self._enter(options) / "export/1", self.task
        check_version(export)
        with self._alone():
            row = self._done(self.folder.name)
            state(self.folder, **self.about)
            about = stated(self.folder)
            if not row or not (export / "saved_model.pb").is_file():
                result, model = run.finetune(self.material, options, self.folder, say=_say)
                row = self._row(result, options, options.solver(), key=self.folder.name)
                card: dict[str, Any] = {
                    "recipe_json": json.dumps(self.encoder.recipe or {}),
                    "step": self.encoder.step,
                    "row": row,
                    "head": head_of(row, task, Linear(*model.get_layer(HEAD).get_weights()), encoder=""),
                }
                save_classifier(model, export.parent, task.kind, names=task.names, about=about, **card)
                write_server_files(self.folder / "serving")
                self._add(row, result)
            else:
                _say("done already: another --seed, or without this folder, does it again.")
                self.rows.append(row)
                if any(self.about.values()):  # else the card may have been edited by hand
                    write_classifier_card(export, task.kind, task.names, size=task.image_size, row=row, about=about)
            forget(self.folder)
        return export

    def compare(self, options: Options, rate: float | None = None) -> pathlib.Path:
        """Evaluates every way with every share of the labels; returns the path of the figure. rate: of both trainings."""
        path = self.out / f"{short(self.name)}-{options.feature}-compared.png"
        check(path)
        folds = self.task.splits[: options.folds or None]
        for part, way in itertools.product(compare.SHARES, compare.WAYS):
            least = min(len(run.share(self.task, train, part=part, seed=options.seed)) for train, _ in folds)
            if part < 1 and least < run.FEWEST:
                _say(f"{compare.WAYS[way]}, {part:.0%} of the labels: fewer than {run.FEWEST} images, left out")
                continue
            used = rate or (compare.SCRATCH_RATE if way == "scratch" else options.rate)
            mine = dataclasses.replace(options, labels=part, from_scratch=way == "scratch", rate=used)
            # A fine-tuning that was done by itself counts; a probe leaves the state of a stopped one in its folder.
            key = self._enter(mine).name + ("-probe" if way == "probe" else "")
            row = self._done(key)
            _say(f"{compare.WAYS[way]}, {part:.0%} of the labels{', done already' if row else ''}")
            if row:
                self.rows.append(row)
            elif way == "probe":
                result = run.probe(self.material, mine)
                self._add(row := self._row(result, mine, mine.solver(way), key=key), result)
            else:
                with self._alone():
                    result, _ = run.finetune(self.material, mine, self.folder, say=_say)
                    self._add(row := self._row(result, mine, mine.solver(), key=key), result)
                    forget(self.folder)
            _say(table.text([row], header=False))
        compare.figure(self.rows, path)
        return path

    def _enter(self, options: Options) -> pathlib.Path:
        """Folder of a fine-tuning: another one for everything that changes its numbers."""
        of = digest(self.encoder.digest, self.task.digest, dataclasses.asdict(options))[:8]
        self.folder = self.out / f"{short(self.name)}-{options.feature}-{options.solver()}-{of}"
        return self.folder

    def _alone(self) -> contextlib.AbstractContextManager[None]:
        """Two processes in the folder of one fine-tuning would delete each other's states."""
        self.folder.mkdir(parents=True, exist_ok=True)
        busy = "another process is at this fine-tuning; wait for its end, or give another --seed or --out."
        return alone(self.folder / ".lock", Refused(f"{self.folder}: {busy}"))

    @functools.cached_property
    def material(self) -> run.Material:
        """Features and images of the task."""
        values = extract(self.encoder, self.task.source, self.task.image_size, cache=self.cache)
        if note := left_out([*values.unreadable.values()], self.task.source.count):
            self.task = dataclasses.replace(self.task, notes=(*self.task.notes, f"{self.name}: {note}"))
        return run.read(self.encoder, self.task, values, self.cache)

    def _done(self, key: str) -> dict[str, Any] | None:
        """The row of a run; None unless its files are written and it has all groups of the task."""
        mine = (r for r in self.results.rows if r.get("run") == key and "pictures" in r)
        return next((r for r in mine if {*self.task.groups} <= {*r.get("groups", ())}), None)

    def _row(self, result: Result, options: Options, solver: str, *, key: str) -> dict[str, Any]:
        how = {"task": self.name, "feature": options.feature, "solver": solver, "seed": options.seed, "run": key}
        return new_row(self.encoder, self.task, result, images_encoded=self.material.values.encoded, **how)

    def _add(self, row: dict[str, Any], result: Result) -> None:
        self.rows.append(row)
        self.results.add(row)  # before the files beside it, which may fail
        self.results.write_files(row, self.task, result, images=self.material.values.names)


def forget(folder: pathlib.Path) -> None:
    """Removes the states of a fine-tuning that is evaluated and exported."""
    for path in folder.glob("fold*"):
        shutil.rmtree(path)
