"""What a row of ``result.json`` leaves beside it, of probes and of fine-tunings alike."""

from typing import Any

from pcl_tf.evaluation import pictures, predictions, report
from pcl_tf.evaluation.results import Results, file_stem
from pcl_tf.evaluation.scored import Scored
from pcl_tf.evaluation.task import Task


def keep(results: Results, row: dict[str, Any], task: Task, *, scored: Scored, images: list[str]) -> None:
    """Writes predictions, pictures, tables and TensorBoard's logs of a row that the results have.

    Args:
      results: ``Results`` of the folder.
      row: of ``report.result_row``; gets 'predictions', a path, and 'pictures', {name: path}.
      task, scored: what was asked, and what was said of every image.
      images: names of the task's images, list of str.
    """
    assert results.path is not None
    out = results.path.parent
    stem = out / file_stem(row)
    row["predictions"] = str(predictions.write(f"{stem}-predictions.csv", task, scored, names=images))
    drawn = pictures.draw(task, scored, row)
    row["pictures"] = pictures.save(stem, drawn)
    results.add(row)
    results.tabulate()
    report.write_scalars(out / "logs", row, results.rows, pictures=drawn)
