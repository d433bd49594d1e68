"""``patch64`` with flips among the face views, for 15,100 steps: the encoder of ``pcl_tf.load("faces64")``.

  python -m pcl_tf.train --recipe=faces64 --data=DIR_OR_ZIP --workdir=W

These are forty epochs of 48,270 faces, and two to three hours of two cores.
"""

from ml_collections import ConfigDict

from recipes import common, patch64


def get_config(arg: str | None = None) -> ConfigDict:
    """Returns the recipe."""
    c = patch64.get_config().unlock()
    common.add_flips(c)
    c.total_steps = 15_100
    c.watch.images_every, c.watch.log_every = 1000, 100
    return common.finish(c, arg)
