"""From corpora as they are handed out to datasets that training and probes read."""

from pcl_tf.evaluation.corpora import CORPORA

# What pcl_tf.prepare takes, by name: to train on, and to be evaluated on.
CLIPS = ("voxceleb", "videos", "images")
BENCHMARKS = tuple(CORPORA)
