"""One task, one encoder: what is fine-tuned, what is done already, what is written."""

import contextlib
import dataclasses
import json
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

from pcl_tf.data.images import left_out
from pcl_tf.errors import Refused
from pcl_tf.evaluation import report
from pcl_tf.evaluation.evaluate import Result
from pcl_tf.evaluation.features import extract
from pcl_tf.evaluation.keeping import keep
from pcl_tf.evaluation.models import Encoder
from pcl_tf.evaluation.names import all_names, naming
from pcl_tf.evaluation.results import Results, short
from pcl_tf.evaluation.task import Task
from pcl_tf.finetune import compare, run
from pcl_tf.serving.card import state, stated
from pcl_tf.serving.classifier import save_classifier, write_classifier_card
from pcl_tf.serving.export import check_version
from pcl_tf.serving.server_files import write_server_files
from pcl_tf.store import alone, check


class Job:
    """Fine-tunings of one encoder on one task.

    Args:
      encoder: ``Encoder`` with a Keras form.
      task: ``Task`` with labels.
      out: folder of ``result.json``, tables, predictions, pictures, logs/, and a folder for each fine-tuning.
      cache: folder of features, the probe's.
      about: {'data_terms', 'license'} as the user states them of the labelled images and the weights, None where not.

    Attributes:
      rows: of ``result.json``, those of this call.
      folder: of the fine-tuning at hand.
    """

    def __init__(
        self,
        encoder: Encoder,
        task: Task,
        *,
        out: pathlib.Path,
        cache: str | pathlib.Path,
        about: Mapping[str, str | None] | None = None,
    ) -> None:
        self.about = dict(about or {})
        self.encoder, self.task, self.out, self.cache = encoder, task, out, cache
        self.results = Results(out)
        (self.name,) = self.results.name([task])
        self.rows: list[dict[str, Any]] = []
        self.folder = out
        self._faces: run.Faces | None = None
        self._names: list[Any] = []

    def finetune(self, options: run.Options) -> pathlib.Path:
        """Fine-tunes, evaluates and exports; returns the path of the export.

        Raises:
          Refused: another process is at the same fine-tuning, or as ``run.finetune`` says.
          Stopped: by a signal; the same call goes on.
          Refused: something else stands where the export is written.
        """
        self.folder = run.place(self.out, self.encoder, self.task, name=self.name, options=options)
        check_version(self.folder / "export/1")
        with self._alone():
            return self._finetune(options)

    def _alone(self) -> contextlib.AbstractContextManager[None]:
        """Two processes in the folder of one fine-tuning would delete each other's states."""
        self.folder.mkdir(parents=True, exist_ok=True)
        busy = (
            f"{self.folder}: another process is at this fine-tuning; wait for its end, or give another --seed or --out."
        )
        return alone(self.folder / ".lock", Refused(busy))

    def _finetune(self, options: run.Options) -> pathlib.Path:
        row = self._done(self.folder.name)
        if row and (self.folder / "export/1/saved_model.pb").is_file():
            if any(text is not None for text in self.about.values()):  # else the card may have been written on by hand
                state(self.folder, **self.about)
                size, names = self.task.image_size, self.task.names
                about = stated(self.folder)
                write_classifier_card(self.folder / "export/1", self.task.kind, names, size=size, row=row, about=about)
            print("done already: another --seed, or without this folder, does it again.", flush=True)
            self.rows.append(row)
            run.forget(self.folder)  # nothing, unless the process that was to do it was killed
            return self.folder / "export/1"
        result, model = run.finetune(self.encoder, self.task, self.faces, options=options, folder=self.folder, say=_say)
        row = self._row(result, options.feature, options.way, seed=options.seed, key=self.folder.name)
        recipe = json.dumps(self.encoder.recipe or {})
        state(self.folder, **self.about)
        path = save_classifier(
            model,
            self.folder / "export",
            self.task.kind,
            names=self.task.names,
            recipe_json=recipe,
            step=self.encoder.step,
            row=row,
            about=stated(self.folder),
        )
        write_server_files(self.folder / "serving")
        self._add(row, result)
        run.forget(self.folder)
        return path

    def compare(self, options: run.Options, rate: float | None = None) -> pathlib.Path:
        """Evaluates every way with every share of the labels; returns the path of the figure."""
        path = self.out / f"{short(self.name)}-{options.feature}-compared.png"
        check(path)
        parts = compare.shares(self.task, options)
        for name, mine in compare.every(options, parts, rate):
            self.folder = run.place(self.out, self.encoder, self.task, name=self.name, options=mine)
            solver = compare.solver(name, mine)
            key = f"{self.folder.name}-probe" if name == "probe" else self.folder.name  # a fine-tuning counts for both
            row = self._done(key)
            _say(f"{compare.WAYS[name]}, {mine.labels:.0%} of the labels{', done already' if row else ''}")
            if row is None:
                with self._alone():
                    if name == "probe":
                        result = compare.probe(self.task, self.faces, mine)
                    else:
                        result, _ = run.finetune(
                            self.encoder, self.task, self.faces, options=mine, folder=self.folder, say=_say
                        )
                    row = self._row(result, mine.feature, solver, seed=mine.seed, key=key)
                    self._add(row, result)
                    if name != "probe":  # its folder is that of the fine-tuning, which may have been stopped
                        run.forget(self.folder)
            else:  # states that are there may be of a fine-tuning that was stopped, done again for its export
                self.rows.append(row)
            print(*report.table([row]).splitlines()[1:], sep="\n", flush=True)
        compare.figure(self.rows, path)
        return path

    @property
    def faces(self) -> run.Faces:
        """Features and images of the task, made when they are asked for first."""
        if self._faces is None:
            source, names = naming(self.task.source)
            values = extract(self.encoder, source, self.task.image_size, cache=self.cache)
            self._names = all_names(source, names, values.folder)
            self._faces = run.read(self.task, values, self.cache)
            if note := left_out([*values.bad.values()], self.task.source.count):
                self.task = dataclasses.replace(self.task, notes=(*self.task.notes, f"{self.name}: {note}"))
        return self._faces

    def _done(self, key: str) -> dict[str, Any] | None:
        """The row of a run; None where there is none whose files ``keep`` wrote, or where it tells not all groups asked for."""
        mine = (r for r in self.results.rows if r.get("run") == key and "pictures" in r)
        return next((r for r in mine if {*self.task.groups} <= {*r.get("groups", ())}), None)

    def _row(self, result: Result, feature: str, solver: str, *, seed: int, key: str) -> dict[str, Any]:
        encoded = self.faces.values.encoded
        row = report.result_row(
            self.encoder,
            self.task,
            name=self.name,
            feature=feature,
            result=result,
            encoded=encoded,
            solver=solver,
            seed=seed,
        )
        return {**row, "run": key}

    def _add(self, row: dict[str, Any], result: Result) -> None:
        self.rows.append(row)
        self.results.add(row)  # whatever becomes of the files beside it
        assert result.scored is not None
        keep(self.results, row, self.task, scored=result.scored, images=self._names)


def _say(line: str) -> None:
    print(line, file=sys.stdout, flush=True)
