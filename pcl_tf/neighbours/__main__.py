"""Shows what the features mean: the faces most like a face, by each feature.

  python -m pcl_tf.neighbours --embeddings=faces.npz --out=neighbours.png
  python -m pcl_tf.neighbours --embeddings=faces.npz --query=face.jpg --model=runs/vox64
  python -m pcl_tf.neighbours --embeddings=faces.npz --duplicates=0.995
  python -m pcl_tf.neighbours --embeddings=faces.npz --clusters=8 --feature=face --out=clusters.png

--embeddings is a file that pcl_tf.embed wrote; the faces are read where it read them. --query is the name of one of
them or, with --model, any other image, in which --detect finds the face; by default --count of them, spread evenly. By `face` the nearest
should be one person or expression whatever the pose, by `pose` one pose whoever it is.
--duplicates lists groups of images whose cosine by the first --feature is at least the number.
--clusters finds that many groups by the first --feature: a row of --nearest faces each, the largest first, and a CSV
beside the PNG that says of every image which it is in.
Exit codes: 0 done; 2 a flag or what it names is wrong; 4 the disk is full.
"""

import pathlib
from typing import Any

from absl import flags

from pcl_tf.console import begin, explained, refuse, start

_EMBEDDINGS = flags.DEFINE_string("embeddings", "", "The .npz of pcl_tf.embed.")
_QUERY = flags.DEFINE_string("query", "", "Name of an embedded image, its end, or (with --model) any image file.")
_MODEL = flags.DEFINE_string("model", "", "What embeds a --query of another file: the model that made --embeddings.")
_DETECT = flags.DEFINE_bool("detect", False, "Finds the largest face in the file of --query first, by MTCNN.")
_FEATURE = flags.DEFINE_list("feature", [], "Features to compare; by default all that the file holds.")
_COUNT = flags.DEFINE_integer("count", 4, "Without --query: how many faces.", 1, 100)
_NEAREST = flags.DEFINE_integer("nearest", 8, "Neighbours of each, or faces of a cluster.", 1, 100)
_DUPLICATES = flags.DEFINE_float("duplicates", 0.0, "Cosine from which images count as duplicates.", 0.0, 1.0)
_CLUSTERS = flags.DEFINE_integer("clusters", 0, "How many clusters to find, by k-means.", 0, 200)
_OUT = flags.DEFINE_string("out", "neighbours.png", "The PNG.")


def main(argv: list[str]) -> None:
    begin(argv, "embeddings")
    from pcl_tf.faces.table import Table
    from pcl_tf.neighbours import report
    from pcl_tf.store import check

    questions = [f"--{name}" for name in ("duplicates", "clusters", "query") if flags.FLAGS[name].value]
    if questions[1:]:
        refuse(f"{' and '.join(questions)}: are different questions; ask one of them.")
    if _CLUSTERS.value == 1:
        refuse("--clusters=1: is the whole folder; ask for two or more.")
    if flags.FLAGS["out"].present and _DUPLICATES.value:
        refuse("--out: has no meaning with --duplicates, which prints a list.")
    out = _OUT.value
    with explained(out):
        found = Table.read(_EMBEDDINGS.value)
        features = _FEATURE.value or list(found.features)
        for name in features:
            found.by(name)
        if _DUPLICATES.value:
            return report.print_duplicates(found, features[0], _DUPLICATES.value)
        alike = (n for n in map(str, found.names) if pathlib.Path(n).name == pathlib.Path(out).name)
        check(out, suffix=".png", inputs=[*alike, _QUERY.value])
        if _CLUSTERS.value:
            path, listed = pathlib.Path(out), pathlib.Path(out).with_suffix(".csv")
            report.check_list(listed)
            sizes = {"count": _CLUSTERS.value, "nearest": _NEAREST.value}
            report.write_clusters(found, features[0], out=path, listed=listed, **sizes)
            print(f"{listed} lists their images.")
        else:
            how: dict[str, Any] = {"model": _MODEL.value, "count": _COUNT.value, "detect": _DETECT.value}
            query = report.find(found, _QUERY.value, features=features, **how)
            report.write_sheet(found, query, features=features, count=_NEAREST.value, out=pathlib.Path(out))
    print(out)


if __name__ == "__main__":
    start(main)
