"""From corpora as they are handed out to datasets that training and probes read."""

# What pcl_tf.prepare takes, by name: to train on, and to be judged on.
CLIPS = ("voxceleb", "videos", "images")
BENCHMARKS = ("fer2013", "rafdb", "lfw", "cplfw", "disfa", "aflw2000", "bu3dfe")
