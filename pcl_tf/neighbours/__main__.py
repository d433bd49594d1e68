"""Shows what the features mean: the faces most like a face, by each feature.

  python -m pcl_tf.neighbours --embeddings=faces.npz --out=neighbours.png
  python -m pcl_tf.neighbours --embeddings=faces.npz --query=face.jpg
  python -m pcl_tf.neighbours --embeddings=faces.npz --duplicates=0.995

--embeddings is a file that pcl_tf.embed wrote; the faces are read where it read them. --query is the name of one of
them or, with --model, any other image; without it --count of them are asked for, spread evenly. By `face` the nearest
should be one person or expression whatever the pose, by `pose` one pose whoever it is.
--duplicates lists groups of images whose cosine by the first --feature is at least the number.
Exit codes: 0 done; 2 a flag or what it names is wrong; 4 the disk is full.
"""

import pathlib

from absl import flags

from pcl_tf.console import explained, flags_alone, not_empty, quiet, start

_EMBEDDINGS = flags.DEFINE_string("embeddings", None, "The .npz of pcl_tf.embed.")
_QUERY = flags.DEFINE_string("query", "", "Name of an embedded image, its end, or (with --model) any image file.")
_MODEL = flags.DEFINE_string("model", "", "What embeds a --query of another file; by default what made --embeddings.")
_FEATURE = flags.DEFINE_list("feature", [], "Features to compare; by default all that the file holds.")
_COUNT = flags.DEFINE_integer("count", 4, "Without --query: how many faces are asked for.", 1, 100)
_NEAREST = flags.DEFINE_integer("nearest", 8, "Neighbours of each.", 1, 100)
_DUPLICATES = flags.DEFINE_float("duplicates", 0.0, "Cosine from which images count as duplicates.", 0.0, 1.0)
_OUT = flags.DEFINE_string("out", "neighbours.png", "The PNG.")


def main(argv):
    quiet()
    not_empty("query", "model", "feature")
    flags_alone(argv, "embeddings")
    from pcl_tf.data.sources import DataError
    from pcl_tf.embed import table
    from pcl_tf.files import check_not_among, check_output
    from pcl_tf.neighbours import report

    with explained(_OUT.value, (DataError, PermissionError)):
        check_output(_OUT.value, suffix=".png")
        found = table.read(_EMBEDDINGS.value)
        alike = (n for n in map(str, found.names) if pathlib.Path(n).name == pathlib.Path(_OUT.value).name)
        check_not_among(_OUT.value, [*alike, _QUERY.value])
        features = report.chosen(found, _FEATURE.value)
        if _DUPLICATES.value:
            report.print_duplicates(found, features[0], _DUPLICATES.value)
            return
        query = report.query(found, _QUERY.value, _MODEL.value, features, _COUNT.value)
        report.write_sheet(found, query, features, _NEAREST.value, pathlib.Path(_OUT.value))
    print(_OUT.value)


if __name__ == "__main__":
    start(main)
